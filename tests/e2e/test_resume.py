"""A run that is killed, over and over, and resumed ends at the same weights as one that is not.

The command line runs in processes of its own. SIGKILL ends them: between two steps, in the middle
of a checkpoint's bytes, before its rename and after it; and so does Ctrl-C.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.support.command_line import thawline, write_set
from thawline.runs.layout import LOGITS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")

NO_PROVER = """
import contextlib
import thawline.artifact, thawline.runtime.fresh
# A run that dies before its end proves nothing. The fresh process would import torch in vain.
thawline.artifact.Prover = thawline.runtime.fresh.spare_process = contextlib.nullcontext
"""

EPOCHS, EVERY = 3, 2
"""40 train texts in steps of 8; checkpoints at steps 2, 4, 5, 6, 8, 10, 12, 14 and 15."""

KILL_ITSELF = (
    f"""
NO_PROVER = {NO_PROVER!r}
"""
    + """
import os, pathlib, signal, sys
place, number = sys.argv[1], int(sys.argv[2])
# A shell's job in the background ignores Ctrl-C, and with it what the tests start there.
signal.signal(signal.SIGINT, signal.default_int_handler)
calls = {"n": 0}

def die(*anything):
    os.kill(os.getpid(), signal.SIGINT if place == "ctrl-c" else signal.SIGKILL)

def nth(name, action, then=None):
    def wrapper(*arguments, **options):
        calls["n"] += 1
        if calls["n"] == number and then is None:
            die()
        result = action(*arguments, **options)
        if calls["n"] == number:
            then()
        return result
    return wrapper

if place != "nowhere":
    exec(NO_PROVER)
    import thawline.training.checkpoints as checkpoints
    from thawline.training.steps import Training
    if place in ("step", "ctrl-c"):
        Training.update = nth("update", Training.update, die)
    elif place == "rename":
        move, moved = os.replace, nth("replace", os.replace)
        def replace(source, target):
            is_checkpoint = pathlib.Path(target).parent.name == "checkpoints"
            return (moved if is_checkpoint else move)(source, target)
        os.replace = replace
    elif place == "tidy":
        folder = checkpoints.CheckpointFolder
        folder._delete_old = nth("tidy", folder._delete_old)
    elif place == "bytes":
        whole = pathlib.Path.write_bytes
        def half(path, content):
            is_checkpoint = path.parent.name == "checkpoints"
            calls["n"] += is_checkpoint
            if is_checkpoint and calls["n"] == number:
                with open(path, "wb") as file:
                    file.write(content[: len(content) // 2])
                    file.flush()
                    os.fsync(file.fileno())
                die()
            return whole(path, content)
        pathlib.Path.write_bytes = half

sys.argv = ["thawline", *sys.argv[3:]]
from thawline.cli import main
main()
"""
)

DEATHS = [
    ("step", 1),  # before the first checkpoint
    ("bytes", 1),  # the first checkpoint, half written
    ("step", 3),  # in the middle of the first epoch, after a checkpoint
    ("rename", 1),  # written, not renamed
    ("bytes", 2),
    ("tidy", 2),  # renamed, the old ones not deleted yet
    ("step", 4),
]
"""Where the process dies, one after the other: each resumes what the last one left."""


@pytest.fixture
def command(
    toy_backbone: Callable[..., Path], toy_reviews: Callable[..., Any], tmp_path: Path
) -> Callable[..., list[str]]:
    """Return what gives the arguments of a fit; one text is longer than the limit."""
    data = write_set(tmp_path / "data", {
        "train": toy_reviews(40, 1), "validation": toy_reviews(12, 2), "test": toy_reviews(8, 3)
    })  # fmt: skip

    def give(strategy: str, out: Path) -> list[str]:
        settings = {"batch_size": 8, "epochs": EPOCHS, "lr": 1e-3, "checkpoint_every": EVERY}
        settings["attention_dropout"] = 0.1
        return [
            *("fit", "--data", str(data), "--backbone", str(toy_backbone("bert"))),
            *("--strategy", strategy, "--dtype", "float32", "--out", str(out)),
            *(f"--set=training.{key}={value}" for key, value in settings.items()),
            "--resume",
        ]

    return give


def begin(arguments: list[str], place: str = "nowhere", number: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", KILL_ITSELF, place, str(number), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return the exit code, standard output and standard error."""
    out, err = process.communicate()
    return process.returncode, out, err


def die(arguments: list[str], run: Path, place: str, number: int) -> int:
    """Run until it dies there; return the step of the newest checkpoint that it leaves."""
    code, _, err = end(begin(arguments, place, number))
    if place == "ctrl-c":
        *_, how, last = err.splitlines()
        assert (code, last) == (130, "interrupted"), err
        assert f"thawline fit --resume --out {run}" in how
        assert read_record(run)["status"] == "stopped"
    else:
        assert code == -signal.SIGKILL, err
        assert read_record(run)["status"] == "running"
    checkpoints = sorted(path.name for path in (run / "checkpoints").glob("*.safetensors"))
    return int(checkpoints[-1].partition(".")[0]) if checkpoints else 0


def read_record(run: Path) -> dict[str, Any]:
    return json.loads((run / "record.json").read_text(encoding="utf-8"))


def learnt(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{path.name} {name}": tensor
        for path in (folder / "model").rglob("*.safetensors")
        for name, tensor in load_file(path).items()
    }


def history(folder: Path) -> list[dict[str, Any]]:
    rows = json.loads((folder / "record.json").read_text())["history"]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def check_the_same(killed: Path, whole: Path) -> None:
    """To the bit: weights, history and scores."""
    expected, found = learnt(whole), learnt(killed)
    assert expected
    assert expected.keys() == found.keys()
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    assert history(killed) == history(whole)
    assert [row["step"] for row in history(whole)] == [0, 5, 10, 15]
    assert len({row["train_loss"] for row in history(whole)}) == 4
    one, other = read_record(whole), read_record(killed)
    for key in ("test", "validation", "baseline", "data", "store", "head_first", "logits"):
        assert one[key] == other[key], key
    assert (killed / LOGITS).read_bytes() == (whole / LOGITS).read_bytes()
    assert len(load_file(killed / LOGITS)["validation.candidates"]) == len(history(whole))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["last:1", "lora:dropout=0.2,from=3", "lp+last:1", "gradual"])
def test_a_run_that_is_killed_again_and_again_ends_at_the_same_weights(command, tmp_path, strategy):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    code, _, err = end(begin(command(strategy, whole)))
    assert code == 0, err
    done = [die(command(strategy, killed), killed, place, number) for place, number in DEATHS]
    assert done == [0, 0, 2, 2, 4, 6, 8]
    code, _, err = end(begin(command(strategy, killed)))
    assert code == 0, err
    assert len(read_record(killed)["resumed"]) == len(DEATHS)
    assert not (killed / "checkpoints").exists()
    check_the_same(killed, whole)


@pytest.mark.slow
def test_ctrl_c_and_two_deaths_leave_a_run_to_go_on_with(command, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    strategy = "lp+lora:dropout=0.2,from=3"
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    uninterrupted = begin(command(strategy, whole))  # --resume without a run begins one
    done = [
        die(command(strategy, killed), killed, place, number)
        for place, number in [("ctrl-c", 3), ("bytes", 2), ("step", 3)]
    ]
    assert done == [2, 4, 6]
    code, _, err = end(uninterrupted)
    assert code == 0, err
    record = read_record(whole)
    assert (record["status"], "resumed" in record) == ("finished", False)

    code, out, err = end(begin(["fit", "--resume", "--out", str(killed)]))
    assert code == 0, err
    assert "fresh process" in err
    record = read_record(killed)
    assert (len(record["resumed"]), len(record["starts"])) == (3, 4)
    assert record["seconds"]["total"] == pytest.approx(sum(record["starts"]))
    cost, seconds = record["cost"], record["seconds"]
    # The training of the earlier starts counts, and so do the states that the store held.
    assert cost["training"] > seconds["training"] + seconds["head_first"]
    assert cost["prefix"] > seconds["prefix"] + seconds["tokenising"]
    assert cost["seconds"] > record["starts"][-1]
    assert not [path.name for path in killed.iterdir() if path.name.startswith(".")]
    check_the_same(killed, whole)

    before = (killed / "record.json").read_bytes()
    again = thawline("fit", "--resume", "--out", killed)
    assert again.code == 0
    assert f"'{killed}'" in again.err
    assert again.out == out
    assert (killed / "record.json").read_bytes() == before


# -- several processes -----------------------------------------------------------------------------


def test_a_run_that_is_killed_at_any_moment_ends_as_an_undisturbed_one():
    check_kills("fit", trials=1, kills=2, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["fit", "pretrain"])
def test_many_runs_that_are_killed_at_any_moment_end_as_undisturbed_ones(verb):
    check_kills(verb, trials=20, kills=3, seed=4)


def check_kills(verb: str, *, trials: int, kills: int, seed: int) -> None:
    """Files and records are equal, apart from seconds, and nothing else is left."""
    counts = program("kills", verb, trials, kills, seed)
    assert (counts["equal"], counts["different"]) == (trials, {})


def program(name: str, *arguments: object) -> dict[str, Any]:
    """Return what a module of tests.support prints in a process of its own, because it forks."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.support.{name}", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


WAIT = (
    NO_PROVER
    + """
import pathlib, sys, time
from thawline.training.steps import Training
update = Training.update
def waiting(self, step):
    if self.done == 3:
        pathlib.Path(sys.argv[-1], "reached").touch()
        time.sleep(600)
    return update(self, step)
Training.update = waiting
from thawline.cli import main
main()
"""
)
"""A command that waits at its fourth step, until a signal comes."""


def wait_at_step(arguments: list[str], run: Path) -> subprocess.Popen[str]:
    arguments = [argument for argument in arguments if argument not in ("--resume", str(run))]
    arguments.remove("--out")
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT, *arguments, "--out", str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (run / "reached").exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    (run / "reached").unlink()
    return process


def test_a_run_has_one_process_and_a_signal_stops_it(command, tmp_path):
    run = tmp_path / "run"
    process = wait_at_step(command("last:1", run), run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for arguments in (["fit", "--resume", "--out", run], command("last:1", run)[:-1]):
        second = thawline(*arguments)
        assert second.code == 2, second.err
        assert f"'{run}'" in second.err
    resumed = thawline("fit", "--resume", "--out", run)
    assert f" {process.pid} " in resumed.err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before

    process.send_signal(signal.SIGTERM)
    code, _, err = end(process)
    assert code == 128 + signal.SIGTERM
    assert f"thawline fit --resume --out {run}" in err
    record = read_record(run)
    assert (record["status"], len(record["starts"])) == ("stopped", 1)
    assert not (run / ".lock").exists()


# -- power loss ------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/self/fd")
def test_a_run_is_resumed_from_what_a_power_loss_leaves():
    check_power_loss("fit", sample=3)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/self/fd")
@pytest.mark.parametrize("verb", ["fit", "pretrain"])
def test_a_run_is_resumed_from_every_state_that_a_power_loss_leaves(verb):
    check_power_loss(verb, sample=0)


def check_power_loss(verb: str, *, sample: int) -> None:
    """See `tests.support.power_loss`. A sample of 0 stands for all states."""
    counts = program("power_loss", verb, sample, 0)
    assert counts["states"] > 40
    assert (counts["equal"], counts["different"]) == (counts["tried"], {})
    assert counts["tried"] == (sample or counts["states"])
