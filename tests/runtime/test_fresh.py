"""Fresh processes: their requests, and their end on every way out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import psutil
import pytest

from thawline.runtime import fresh
from thawline.runtime.fresh import FreshProcess, ProcessEndedError, spare_process, take_process

MODELLING = "transformers.modeling_utils"

ECHO = """
import json, sys
print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if request == "stop":
        raise ValueError("stopped as asked")
    print(json.dumps([request]), flush=True)
"""


@pytest.fixture
def echo(tmp_path: Path, monkeypatch) -> str:
    """The name of a module that answers each request with a list of it, and ends at "stop"."""
    (tmp_path / "echo_for_tests.py").write_text(ECHO, encoding="utf-8")
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return "echo_for_tests"


class Started:
    """A replacement of `FreshProcess` that starts nothing."""

    def __init__(self, module: str) -> None:
        self.module, self.closed = module, 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def started():
    """The list of processes that would be started in a process without transformers."""
    processes: list[Started] = []

    def start(module: str) -> Started:
        processes.append(Started(module))
        return processes[-1]

    with patch.object(fresh, "FreshProcess", start), patch.dict(sys.modules):
        sys.modules.pop(MODELLING, None)
        yield processes


@pytest.mark.e2e
class TestProcess:
    def test_answers_come_in_the_order_of_the_requests(self, echo):
        with FreshProcess(echo) as process:
            process.send({"ä": 1})
            process.send("two")
            assert process.receive() == [{"ä": 1}]
            assert process.receive() == ["two"]

    def test_an_error_is_reported_by_its_last_line(self, echo):
        with FreshProcess(echo) as process:
            process.send("stop")
            with pytest.raises(ProcessEndedError, match="stopped as asked"):
                process.receive()
            process.send("again")  # to a process that has ended
            with pytest.raises(ProcessEndedError):
                process.receive()

    def test_a_module_that_does_not_exist_is_an_error(self):
        with FreshProcess("no_module_of_this_name") as process:
            process.wait()
            with pytest.raises(ProcessEndedError, match="no_module_of_this_name"):
                process.receive()

    @pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
    def test_the_process_ends_with_the_block(self, echo, error):
        try:
            with FreshProcess(echo) as process:
                pid = process.pid
                assert psutil.pid_exists(pid)
                if error is not None:
                    raise error
        except (ValueError, KeyboardInterrupt):
            pass
        assert not psutil.pid_exists(pid)  # a zombie would still exist

    @pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a signal of POSIX")
    def test_the_process_ends_when_its_parent_is_killed(self, echo):
        code = (
            "from thawline.runtime.fresh import FreshProcess\n"
            f"process = FreshProcess({echo!r})\n"
            "print(process.pid, flush=True)\n"
            "input()\n"
        )
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            child = psutil.Process(int(parent.stdout.readline()))
            parent.send_signal(signal.SIGKILL)
            parent.wait()
        deadline = time.monotonic() + 60  # only a process that stays for ever fails
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.01)


class TestSpare:
    def test_the_first_user_takes_the_process_and_closes_it(self, started):
        with spare_process("a.module"):
            process = take_process("a.module")
            assert [process] == started
            assert take_process("a.module") is started[1]
        assert [one.closed for one in started] == [0, 0]

    def test_a_process_that_nobody_takes_is_closed(self, started):
        with spare_process("a.module"):
            pass
        assert [one.closed for one in started] == [1]
        take_process("a.module")
        assert len(started) == 2

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
    def test_an_error_closes_the_process(self, started, error):
        with pytest.raises(error), spare_process("a.module"):
            raise error
        assert [one.closed for one in started] == [1]

    def test_nothing_starts_after_the_imports(self, started):
        with patch.dict(sys.modules, {MODELLING: sys}), spare_process("a.module"):
            assert started == []
