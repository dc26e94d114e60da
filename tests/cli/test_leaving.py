"""How the process of the command line ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

START = """
import atexit, sys, threading
from thawline.cli.leaving import run_and_leave

class Watched:
    def __del__(self):
        print("taken apart")

watched = Watched()
watched.itself = watched
print("buffered", end=" ")
atexit.register(print, "registered", end=" ")
"""


def run(command: str) -> subprocess.CompletedProcess[str]:
    code = f"{START}\n{command}\n"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("run_and_leave(lambda: None)", 0),
        ("run_and_leave(sys.exit)", 0),
        ("run_and_leave(lambda: sys.exit(2))", 2),
        ("run_and_leave(lambda: sys.exit(141))", 141),
    ],
)
def test_the_process_ends_at_once_but_loses_nothing(command, code):
    done = run(command)
    assert done.returncode == code
    assert done.stdout.split() == ["buffered", "registered"]
    assert done.stderr == ""


@pytest.mark.e2e
def test_an_error_is_left_to_python():
    done = run("def fail():\n    raise ValueError('a bug')\nrun_and_leave(fail)")
    assert done.returncode == 1
    assert "a bug" in done.stderr
    assert "taken apart" in done.stdout


@pytest.mark.e2e
def test_a_thread_that_works_is_waited_for():
    command = (
        "import time\n"
        "def work():\n"
        "    threading.main_thread().join(0.2)\n"
        "    print('worked')\n"
        "threading.Thread(target=work).start()\n"
        "run_and_leave(lambda: sys.exit(3))"
    )
    done = run(command)
    assert done.returncode == 3
    assert "worked" in done.stdout


@pytest.mark.e2e
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is a device of Linux")
def test_output_that_cannot_be_written_is_reported():
    code = f"{START}\nrun_and_leave(lambda: sys.exit(0))\n"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode != 0
    assert b"No space left" in done.stderr
