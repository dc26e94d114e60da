from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.support.records import FIT as FIT_VALUES
from thawline import __version__
from thawline.config import Config, DataConfig
from thawline.config.resolve import GivenSetting, resolve_config
from thawline.errors import ThawlineError
from thawline.runs.folder import (
    FIT,
    check_folder,
    default_folder,
    make_run,
    run_recorded,
    run_start,
)
from thawline.runs.layout import read_status
from thawline.runs.records import FitPlan, StartedFit
from thawline.runs.resume import read_run, resumed_config

RUN = Path("run")

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


@pytest.mark.parametrize("folder", ["full", "file", "file/run", "link"])
def test_a_folder_that_cannot_become_a_run_is_refused(folder):
    Path("full").mkdir()
    Path("full/notes.txt").write_text("mine")
    Path("file").write_text("mine")
    Path("link").symlink_to("nowhere")
    with pytest.raises(ThawlineError) as caught:
        check_folder(Path(folder))
    assert f"'{folder}'" in caught.value.found
    assert "--out" in caught.value.fix


def test_a_place_without_permission_is_refused(monkeypatch):
    Path("closed").mkdir()

    def refuse(path: Path, *anything: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ThawlineError) as caught:
        check_folder(Path("closed/run"))
    assert "closed'" in caught.value.found


def started(config: Config | None = None, resumed: bool = False) -> StartedFit:
    """Return the record of a run that is started, or resumed, now."""
    before = read_run(RUN, FIT) if resumed else None
    start = run_start(Config() if config is None else config, FIT, before, resumed=resumed)
    plan = {name: FIT_VALUES[name] for name in FitPlan.model_fields}
    return StartedFit(**dict(start), **plan, status="running")


def test_a_run_is_on_disk_from_the_first_moment():
    config = Config(backbone="toy", seed=3)
    make_run(RUN, config, started(config))
    record = read(RUN / "record.json")
    assert (record["schema_version"], record["status"], record["verb"]) == (2, "running", "fit")
    begun = datetime.fromisoformat(record["started"])
    assert abs((datetime.now(UTC) - begun).total_seconds()) < 60
    assert resolve_config(file=RUN / "config.toml") == config
    assert (record["config"]["backbone"], record["config"]["seed"]) == ("toy", 3)
    assert record["versions"]["thawline"] == __version__
    assert record["hardware"]["cores"] == os.cpu_count()
    assert {"resumed", "error"}.isdisjoint(record)


@pytest.mark.parametrize(
    ("error", "status"), [(OSError("no space left"), "failed"), (KeyboardInterrupt(), "stopped")]
)
def test_a_run_that_ends_early_says_so(error, status):
    notes = []
    reporter = Mock(message=notes.append)
    make_run(RUN, Config(), started())
    with pytest.raises(type(error)), run_recorded(RUN, started(), reporter):
        raise error
    record = read(RUN / "record.json")
    assert record["status"] == status
    assert record.get("error") == ("OSError: no space left" if status == "failed" else None)
    assert ["thawline fit --resume --out run" in note for note in notes] == (
        [True] if status == "stopped" else []
    )
    assert not list(RUN.glob(".*")), "a temporary file was left behind"


def test_on_a_full_disk_a_failure_is_written_in_place(monkeypatch):
    make_run(RUN, Config(), started())
    room = (RUN / "record.json").stat().st_size

    def full(*anything):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("thawline.runs.folder.write_record", full)
    with pytest.raises(OSError, match="No space"), run_recorded(RUN, started(), Mock()):
        raise ValueError("a mistake")
    assert read_status(RUN).status == "failed"
    assert read(RUN / "record.json")["error"] == "ValueError: a mistake"
    assert (RUN / "record.json").stat().st_size <= room


def test_a_run_is_never_made_over_another():
    make_run(RUN, Config(), started())
    with pytest.raises(ThawlineError) as caught:
        make_run(RUN, Config(), started())
    assert "'run'" in caught.value.found


def test_a_resumed_run_keeps_its_start_and_records_the_time():
    first = started(Config(seed=3)).model_copy(update={"started": "2026-03-01T12:00:05+00:00"})
    make_run(RUN, Config(seed=3), first)
    for times in (1, 2):
        record = started(Config(seed=3), resumed=True)
        make_run(RUN, Config(seed=3), record)
        assert (record.status, record.started) == ("running", first.started)
        assert len(record.resumed) == times
    assert read(RUN / "record.json") == record.to_dict()


def test_a_run_without_its_record_can_be_resumed():
    make_run(RUN, Config(), started())
    (RUN / "record.json").unlink()
    record = started(resumed=True)
    make_run(RUN, Config(), record)
    assert len(record.resumed) == 1


def test_a_full_disk_takes_nothing_from_a_resumed_run(monkeypatch):
    make_run(RUN, Config(seed=3), started(Config(seed=3)))
    before = {path.name: path.read_bytes() for path in RUN.iterdir()}

    def full(*anything, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        make_run(RUN, Config(seed=3), started(Config(seed=3), resumed=True))
    assert {path.name: path.read_bytes() for path in RUN.iterdir()} == before


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
        make_run(RUN, begun, started(begun))
        assert resumed_config(Path("run")) == begun
        assert resumed_config(Path("run"), self.given(seed=3), overrides=["data.data=set"]) == begun
        assert resumed_config(Path("run"), file=Path("run/config.toml")) == begun

    @pytest.mark.parametrize(
        ("key", "value", "was"), [("seed", 4, "3"), ("training.epochs", 5, "none")]
    )
    def test_other_settings_are_refused(self, key, value, was):
        make_run(RUN, Config(seed=3), started(Config(seed=3)))
        with pytest.raises(ThawlineError) as caught:
            resumed_config(Path("run"), [GivenSetting(key, value, "--it")])
        assert (caught.value.setting, caught.value.found) == (key, str(value))
        assert f"({was})" in caught.value.expected

    def test_a_folder_that_holds_something_else_is_refused(self):
        Path("mine").mkdir()
        Path("mine/notes.txt").write_text("mine")
        with pytest.raises(ThawlineError) as caught:
            resumed_config(Path("mine"))
        assert "'mine'" in caught.value.expected
        assert "config.toml" in caught.value.found
