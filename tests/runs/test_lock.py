"""Test that only one process, or thread, works on a folder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import filelock
import pytest

from thawline.errors import ThawlineError
from thawline.runs.lock import LOCK, OWNER, is_bookkeeping, locked

RUN = Path("run")


@pytest.fixture(autouse=True)
def _folder() -> None:
    RUN.mkdir()


def test_a_second_lock_is_refused_and_names_the_process():
    with locked(RUN):
        with pytest.raises(ThawlineError) as caught, locked(RUN):
            pass
        assert f" {os.getpid()} " in caught.value.found
        assert f"'{RUN}'" in caught.value.expected
        assert all(map(is_bookkeeping, RUN.iterdir()))
    assert list(RUN.iterdir()) == []
    with locked(RUN):
        pass


@pytest.mark.parametrize("owner", [None, "", "[", '{"pid": "x"}', '["pid"]'])
def test_a_lock_without_a_readable_owner_is_refused_too(owner):
    with locked(RUN):
        (RUN / OWNER).unlink()
        if owner is not None:
            (RUN / OWNER).write_text(owner)
        with pytest.raises(ThawlineError) as caught, locked(RUN):
            pass
        assert "process" in caught.value.found


def test_files_of_a_killed_process_are_no_obstacle():
    (RUN / LOCK).touch()
    (RUN / OWNER).write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    with locked(RUN):
        assert json.loads((RUN / OWNER).read_text())["pid"] == os.getpid()
    assert list(RUN.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_no_link_is_followed():
    Path("victim").write_text("mine")
    (RUN / OWNER).symlink_to("../victim")
    with locked(RUN):
        assert not (RUN / OWNER).is_symlink()
    assert Path("victim").read_text() == "mine"


def test_a_file_system_without_locks_does_not_stop_the_run(monkeypatch):
    def refuse(lock: filelock.FileLock, timeout: float) -> None:
        raise NotImplementedError

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with locked(RUN):
        pass
    assert list(RUN.iterdir()) == []
