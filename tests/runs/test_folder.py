from __future__ import annotations

import errno
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from thawline import __version__
from thawline.config import Config, DataConfig
from thawline.config.resolve import GivenSetting, resolve_config
from thawline.errors import ThawlineError
from thawline.runs.folder import Run, check_folder, default_folder, read_record, write_json
from thawline.runs.resume import resumed_config

NOON = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ("reviews-head", "20260301-120005-reviews-head"),
        ("reviews-lora:r=4,alpha=32", "20260301-120005-reviews-lora-r-4-alpha-32"),
        ("imdb-lp+full", "20260301-120005-imdb-lp-full"),
        ("größe & co-head", "20260301-120005-gr-e-co-head"),
    ],
)
def test_a_default_folder_names_time_and_what_is_run(named, name):
    assert default_folder(named, NOON) == Path("runs") / name


def test_a_default_folder_is_one_that_is_not_there():
    folders = []
    for _ in range(3):
        folders.append(default_folder("set-head", NOON))
        folders[-1].mkdir(parents=True)
    stem = "20260301-120005-set-head"
    assert [folder.name for folder in folders] == [stem, f"{stem}-2", f"{stem}-3"]


def test_a_new_and_an_empty_folder_will_do():
    Path("empty").mkdir()
    check_folder(Path("empty"))
    check_folder(Path("new/below/new"))
    assert not Path("new").exists()


def test_a_folder_that_cannot_become_a_run_is_refused():
    Path("full").mkdir()
    Path("full/notes.txt").write_text("mine")
    Path("file").write_text("mine")
    for folder, words in {
        "full": "expected a new folder for the run, found 'full', which exists; choose another",
        "file": "expected a folder for the run, found the file 'file'; choose another --out",
        "file/run": "expected a folder for the run, found 'file/run' below the file '",
    }.items():
        with pytest.raises(ThawlineError, match=f"^{re.escape(words)}"):
            check_folder(Path(folder))


def test_a_place_without_permission_is_refused(monkeypatch):
    Path("closed").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed")
    with pytest.raises(ThawlineError, match=r"no permission in '.*closed'; choose another --out"):
        check_folder(Path("closed/run"))


def test_a_run_is_on_disk_from_the_first_moment():
    config = Config(backbone="toy", seed=3)
    run = Run(Path("run"), config)
    assert run.folder == Path("run").absolute()
    record = read(run.folder / "record.json")
    assert record["status"] == "running"
    started = datetime.fromisoformat(record["started"])
    assert abs((datetime.now(UTC) - started).total_seconds()) < 60
    assert resolve_config(file=run.folder / "config.toml") == config
    assert (record["config"]["backbone"], record["config"]["seed"]) == ("toy", 3)
    assert record["versions"]["thawline"] == __version__
    assert record["hardware"]["cores"] == os.cpu_count()


def test_a_finished_and_a_failed_run_say_so():
    run = Run(Path("run"), Config())
    run.record |= {"line": 7}
    run.finish("failed", error="OSError: no space left")
    record = read(run.folder / "record.json")
    assert (record["status"], record["line"]) == ("failed", 7)
    assert record["error"] == "OSError: no space left"
    assert not list(run.folder.glob(".*")), "a temporary file was left behind"


def test_a_run_is_never_made_over_another():
    Run(Path("run"), Config())
    with pytest.raises(ThawlineError, match="which exists; choose another --out or remove it"):
        Run(Path("run"), Config())


def test_a_run_that_goes_on_keeps_its_start_and_says_when():
    first = Run(Path("run"), Config(seed=3))
    first.record["started"] = "2026-03-01T12:00:05+00:00"
    first.finish("stopped")
    for times in (1, 2):
        record = Run(Path("run"), Config(seed=3), resume=True).record
        assert (record["status"], record["started"]) == ("running", first.record["started"])
        assert len(record["resumed"]) == times
    assert read(Path("run/record.json")) == json.loads(json.dumps(record))


def test_a_run_without_its_record_goes_on_too():
    Run(Path("run"), Config())
    Path("run/record.json").unlink()
    assert len(Run(Path("run"), Config(), resume=True).record["resumed"]) == 1


def test_a_full_disk_takes_nothing_from_a_run_that_goes_on(monkeypatch):
    Run(Path("run"), Config(seed=3))
    before = {path.name: path.read_bytes() for path in Path("run").iterdir()}

    def full(*anything, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        Run(Path("run"), Config(seed=3), resume=True)
    assert {path.name: path.read_bytes() for path in Path("run").iterdir()} == before


class TestResumedConfig:
    def given(self, **values):
        return [
            GivenSetting(key.replace("__", "."), value, f"--{key}") for key, value in values.items()
        ]

    def test_without_a_run_it_is_what_is_given(self):
        assert resumed_config(Path("run"), self.given(seed=4)) == Config(seed=4)
        Path("run").mkdir()
        assert resumed_config(Path("run"), overrides=["seed=5"]) == Config(seed=5)

    def test_it_is_the_run_s_and_may_be_said_again(self):
        begun = Config(seed=3, data=DataConfig(data="set"))
        Run(Path("run"), begun)
        assert resumed_config(Path("run")) == begun
        assert resumed_config(Path("run"), self.given(seed=3), overrides=["data.data=set"]) == begun
        assert resumed_config(Path("run"), file=Path("run/config.toml")) == begun

    @pytest.mark.parametrize(
        ("key", "value", "was"), [("seed", 4, "3"), ("training.epochs", 5, "none")]
    )
    def test_other_settings_are_refused(self, key, value, was):
        Run(Path("run"), Config(seed=3))
        with pytest.raises(ThawlineError) as caught:
            resumed_config(Path("run"), [GivenSetting(key, value, "--it")])
        assert str(caught.value) == (
            f"expected {key} as the run in 'run' has it ({was}), found {value}; "
            "leave that out, or choose another --out"
        )

    def test_a_folder_that_holds_something_else_is_refused(self):
        Path("mine").mkdir()
        Path("mine/notes.txt").write_text("mine")
        words = "a run to go on with at 'mine', found a folder without config.toml"
        with pytest.raises(ThawlineError, match=words):
            resumed_config(Path("mine"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "no record.json in it"),
        ("{", "a damaged one: "),
        ("3", "no 'config' in it"),
        ("[]", "no 'config' in it"),
        ('{"config": {}}', "no 'data' in it"),
        ('{"config": {}, "data": null}', "no 'data' in it"),
    ],
)
def test_a_folder_without_a_whole_record_is_refused(text, found):
    Path("run").mkdir()
    if text is not None:
        Path("run/record.json").write_text(text)
    with pytest.raises(ThawlineError) as caught:
        read_record(Path("run"))
    assert str(caught.value).startswith("expected a run with its record.json at 'run', found ")
    assert caught.value.found.startswith(found)
    assert caught.value.fix == "give a run's folder, or name a set with --data"


def test_a_record_comes_back_as_it_was_written():
    record = {
        "config": {},
        "data": {"rows": list(range(5_000))},
        "text": "größe [1, 2]",
        "none": None,
    }
    write_json(Path("record.json"), record)
    assert read_record(Path()) == record


def test_a_list_of_numbers_stays_on_one_line():
    value = {
        "rows": [1, 22, 333],
        "penalties": [1.0, 3e-05, -0.5],
        "names": ["neg", "pos"],
        "path": "[\n 1,\n 2\n]",
        "empty": [],
    }
    write_json(Path("value.json"), value)
    written = Path("value.json").read_text(encoding="utf-8")
    assert '"rows": [1, 22, 333]' in written
    assert '"penalties": [1.0, 3e-05, -0.5]' in written
    assert read(Path("value.json")) == value


def test_what_cannot_be_written_leaves_the_old_file():
    write_json(Path("value.json"), {"old": 1})
    with pytest.raises(TypeError):
        write_json(Path("value.json"), {"new": object()})
    assert read(Path("value.json")) == {"old": 1}
