from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import time
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
    check_still_exists,
    default_folder,
    make_run,
    outcome_recorded,
    reserved_folder,
    run_start,
    seconds_of_starts,
)
from thawline.runs.layout import read_status
from thawline.runs.records import SCHEMA_VERSION, FitPlan, StartedFit
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


def test_two_runs_of_the_same_second_get_folders_of_their_own(monkeypatch):
    """Even if the second one has looked before the first one makes its folder."""
    monkeypatch.setattr("thawline.runs.folder.datetime", Mock(now=lambda zone: NOON))
    with reserved_folder(None, "set-head") as one, reserved_folder(None, "set-head") as other:
        assert one != other
        (other / "record.json").touch()
    assert list(Path("runs").iterdir()) == [other]

    names = iter([other, Path("runs/free")])
    monkeypatch.setattr("thawline.runs.folder.default_folder", lambda name: next(names))
    with reserved_folder(None, "set-head") as third:
        assert third == Path("runs/free")


def test_a_reserved_folder_that_stays_empty_is_removed():
    with reserved_folder(None, "set-head") as folder:
        assert folder.is_dir()
    assert not Path("runs").exists()
    with reserved_folder(Path("mine"), "set-head") as folder:
        assert folder == Path("mine")
    assert not Path("mine").exists()


@pytest.mark.parametrize("name", [".lock", ".owner", ".thawline-01234567-99-0123456789abcdef.tmp"])
def test_what_a_killed_process_left_does_not_block_a_new_run(name):
    Path("killed").mkdir()
    (Path("killed") / name).touch()
    check_folder(Path("killed"))
    assert resumed_config(Path("killed")) == Config()


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
    plan = {name: FIT_VALUES[name] for name in FitPlan.model_fields if name in FIT_VALUES}
    return StartedFit(**dict(start), **plan, status="running")


def make(config: Config | None = None) -> None:
    """Make the folder of a run that has just been started."""
    RUN.mkdir()
    make_run(RUN, Config() if config is None else config, started(config))


def test_a_run_is_on_disk_from_the_first_moment():
    config = Config(backbone="toy", seed=3)
    make(config)
    record = read(RUN / "record.json")
    assert (record["schema_version"], record["status"], record["verb"]) == (
        SCHEMA_VERSION,
        "running",
        "fit",
    )
    begun = datetime.fromisoformat(record["started"])
    assert abs((datetime.now(UTC) - begun).total_seconds()) < 60
    assert resolve_config(file=RUN / "config.toml") == config
    assert (record["config"]["backbone"], record["config"]["seed"]) == ("toy", 3)
    assert record["versions"]["thawline"] == __version__
    assert record["hardware"]["cores"] == os.cpu_count()
    assert {"resumed", "error"}.isdisjoint(record)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError("no space left"), "failed"),
        (KeyboardInterrupt(), "stopped"),
        (SystemExit(143), "stopped"),
    ],
)
def test_a_job_that_ends_early_says_so(error, status):
    make()
    with (
        pytest.raises(type(error)),
        outcome_recorded(RUN / "record.json", started(), time.perf_counter() - 5),
    ):
        raise error
    record = read(RUN / "record.json")
    assert record["status"] == status
    assert record.get("error") == ("OSError: no space left" if status == "failed" else None)
    assert record["starts"] == [pytest.approx(5, abs=1)]
    assert not list(RUN.glob(".*")), "a temporary file was left behind"


def test_what_a_job_added_to_its_record_is_kept_if_it_ends_early():
    make()
    file, first = RUN / "record.json", started()
    running = []

    def end() -> None:
        with outcome_recorded(file, first, time.perf_counter()) as write:
            write(first.model_copy(update={"config": {**first.config, "seed": 9}}))
            running.append(read(file))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        end()
    for record, status in ((running[0], "running"), (read(file), "stopped")):
        assert (record["status"], record["config"]["seed"]) == (status, 9)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_process_stops_the_job(number):
    make()
    signal.signal(number, signal.SIG_DFL)  # nohup lets processes ignore SIGHUP
    before = signal.getsignal(number)

    def end() -> None:
        with outcome_recorded(RUN / "record.json", started(), time.perf_counter()):
            os.kill(os.getpid(), number)
            time.sleep(60)

    with pytest.raises(SystemExit) as leaving:
        end()
    assert leaving.value.code == 128 + number
    assert read_status(RUN).status == "stopped"
    assert signal.getsignal(number) == before


def test_on_a_full_disk_a_failure_is_written_in_place(monkeypatch):
    make()
    room = (RUN / "record.json").stat().st_size

    def full(*anything):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("thawline.runs.folder.write_record", full)
    with (
        pytest.raises(OSError, match="No space"),
        outcome_recorded(RUN / "record.json", started(), 0.0),
    ):
        raise ValueError("a mistake")
    assert read_status(RUN).status == "failed"
    assert read(RUN / "record.json")["error"] == "ValueError: a mistake"
    assert (RUN / "record.json").stat().st_size <= room


def test_a_folder_that_is_deleted_during_the_run_is_named():
    make()
    check_still_exists(RUN)
    shutil.rmtree(RUN)
    with (
        pytest.raises(ThawlineError) as caught,
        outcome_recorded(RUN / "record.json", started(), 0.0),
    ):
        check_still_exists(RUN)
    assert f"'{RUN}'" in caught.value.found
    assert not RUN.exists()


def test_a_resumed_run_keeps_its_start_and_records_the_time():
    first = started(Config(seed=3)).model_copy(update={"started": "2026-03-01T12:00:05+00:00"})
    RUN.mkdir()
    make_run(RUN, Config(seed=3), first)
    for times in (1, 2):
        record = started(Config(seed=3), resumed=True)
        make_run(RUN, Config(seed=3), record)
        assert (record.status, record.started) == ("running", first.started)
        assert len(record.resumed) == times
    assert read(RUN / "record.json") == record.to_dict()


def test_the_seconds_of_all_starts_are_kept():
    begin = "2026-03-01T12:00:05+00:00"
    first = started().model_copy(update={"started": begin})
    RUN.mkdir()
    make_run(RUN, Config(), first)
    (RUN / "checkpoints").mkdir()
    (RUN / "checkpoints/1.safetensors").touch()
    (RUN / ".lock").touch()  # not written by the start that was killed
    for path, second in [("record.json", 6), ("config.toml", 5), ("checkpoints/1.safetensors", 25)]:
        written = datetime(2026, 3, 1, 12, 0, second, tzinfo=UTC).timestamp()
        os.utime(RUN / path, (written, written))
    assert seconds_of_starts(None, RUN) == []
    assert seconds_of_starts(first, RUN) == [20.0]
    stopped = first.model_copy(update={"status": "stopped", "starts": [20.0, 3.5]})
    assert seconds_of_starts(stopped, RUN) == [20.0, 3.5]
    resumed = {"starts": [20.0], "resumed": ["2026-03-01T12:00:10+00:00"]}
    assert seconds_of_starts(first.model_copy(update=resumed), RUN) == [20.0, 15.0]


def test_a_run_without_its_record_can_be_resumed():
    make()
    (RUN / "record.json").unlink()
    record = started(resumed=True)
    make_run(RUN, Config(), record)
    assert len(record.resumed) == 1


def test_a_full_disk_takes_nothing_from_a_resumed_run(monkeypatch):
    make(Config(seed=3))
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
        make(begun)
        assert resumed_config(Path("run")) == begun
        assert resumed_config(Path("run"), self.given(seed=3), overrides=["data.data=set"]) == begun
        assert resumed_config(Path("run"), file=Path("run/config.toml")) == begun

    @pytest.mark.parametrize(
        ("key", "value", "was"), [("seed", 4, "3"), ("training.epochs", 5, "none")]
    )
    def test_other_settings_are_refused(self, key, value, was):
        make(Config(seed=3))
        with pytest.raises(ThawlineError) as caught:
            resumed_config(Path("run"), [GivenSetting(key, value, "--it")])
        assert (caught.value.setting, caught.value.found) == (key, f"'{value}'")
        assert f"({was})" in caught.value.expected

    @pytest.mark.parametrize("share", [0, 0.3, 0.9, None])
    def test_a_damaged_or_missing_file_is_replaced_by_the_settings_of_the_record(self, share):
        begun = Config(seed=3, data=DataConfig(data="set"))
        make(begun)
        file = RUN / "config.toml"
        content = file.read_bytes()
        if share is None:
            file.unlink()
        else:
            file.write_bytes(content[: int(share * len(content))])
        assert resumed_config(RUN) == begun
        assert resumed_config(RUN, self.given(seed=3)) == begun
        with pytest.raises(ThawlineError) as caught:
            resumed_config(RUN, self.given(seed=4))
        assert caught.value.setting == "seed"
        make_run(RUN, begun, started(begun, resumed=True))
        assert file.read_bytes() == content

    def test_settings_that_somebody_changed_in_the_file_are_refused(self):
        make(Config(seed=3))
        file = RUN / "config.toml"
        file.write_text(file.read_text().replace("seed = 3", "seed = 4"))
        with pytest.raises(ThawlineError) as caught:
            resumed_config(RUN)
        assert (caught.value.setting, caught.value.found) == ("seed", "'4'")

    def test_comments_and_the_order_of_the_file_do_not_matter(self):
        make(Config(seed=3))
        file = RUN / "config.toml"
        file.write_text(f"# mine\n{file.read_text()}\n# mine")
        assert resumed_config(RUN) == Config(seed=3)

    @pytest.mark.parametrize("content", ["", "seed"])
    def test_a_damaged_file_without_a_record_is_refused(self, content):
        RUN.mkdir()
        (RUN / "config.toml").write_text(content)
        with pytest.raises(ThawlineError) as caught:
            resumed_config(RUN)
        assert "config.toml" in caught.value.expected

    def test_a_folder_that_holds_something_else_is_refused(self):
        Path("mine").mkdir()
        Path("mine/notes.txt").write_text("mine")
        with pytest.raises(ThawlineError) as caught:
            resumed_config(Path("mine"))
        assert "'mine'" in caught.value.expected
        assert "config.toml" in caught.value.found
