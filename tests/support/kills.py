"""Kill runs at random moments, resume them, and compare them with an undisturbed run.

A run takes place in a forked process, which has imported everything. ``python -m
tests.support.kills`` prints counts for many kills.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.support.command_line import ProverHere

Job = Callable[[Path], object]
"""Makes or resumes the run in a folder."""


def killed_after(job: Job, run: Path, seconds: float | None) -> bool:
    """Start or resume a run and kill it after some seconds, unless it ends earlier.

    Args:
        job: Makes the run.
        run: The folder of the run.
        seconds: The seconds until SIGKILL. If None, the run is not killed.

    Returns:
        Whether it was killed.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with patch("thawline.artifact.Prover", ProverHere):
                job(run)
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    end = None if seconds is None else time.monotonic() + seconds
    while end is None or time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0, "the run failed"
            return False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def content(run: Path) -> dict[str, Any]:
    """Return everything that a finished run leaves, except what depends on the time.

    Files are compared byte by byte. Checkpoints hold measured seconds, so only their names are
    compared. The model card and the record are compared without seconds.
    """
    found: dict[str, Any] = {}
    for path in sorted(run.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(run))
            found[name] = path.read_bytes()
            if name.startswith("checkpoints"):
                found[name] = None
            elif name == "record.json":
                found[name] = without_time(json.loads(found[name]))
            elif name.endswith("README.md"):
                lines = found[name].decode().splitlines()
                found[name] = [line for line in lines if "seconds of training" not in line]
    return found


TIMED = {
    *("seconds", "started", "resumed", "starts", "tokens_per_second", "texts_per_second"),
    *("flops_per_second", "matrix_rate", "share_of_matrix_rate", "peak_memory_bytes"),
    # The frozen pass of a resumed run finds its states in the store, and its training is shorter.
    *("density", "prefix", "suffix", "cost"),
}
"""The keys of a record that depend on the time, or on what the store held."""


def without_time(value: Any) -> Any:
    """Return a record without what depends on the time or on the place of the run."""
    if isinstance(value, dict):
        return {k: without_time(v) for k, v in value.items() if k not in TIMED}
    if isinstance(value, list):
        return [without_time(item) for item in value]
    return re.sub(r"^/.*/run(?=/)", "run", value) if isinstance(value, str) else value


@dataclass
class Counts:
    """The results of several trials.

    Attributes:
        trials: The number of runs that were killed at least once and then resumed to their end.
        kills: The number of kills.
        equal: The number of these runs that ended equal to the undisturbed run.
        different: The names of the files that differed, and how often.
    """

    trials: int = 0
    kills: int = 0
    equal: int = 0
    different: dict[str, int] | None = None


def kill_runs(job: Job, folder: Path, *, trials: int, kills: int, seed: int = 0) -> Counts:
    """Kill runs at random moments and count how many end equal to an undisturbed run.

    Args:
        job: Makes or resumes a run. It must be the same for every folder.
        folder: A new folder for all runs.
        trials: The number of runs that are killed.
        kills: The number of kills for each run, at most.
        seed: The seed of the moments.
    """
    chance = random.Random(seed)
    folder.mkdir()
    whole = folder / "whole" / "run"  # plots show the name of the folder
    start = time.monotonic()
    killed_after(job, whole, None)
    duration = time.monotonic() - start
    expected = content(whole)
    counts = Counts(different={})
    for trial in range(trials):
        run = folder / f"killed-{trial}" / "run"
        died = 0
        for _ in range(kills):
            died += killed_after(job, run, chance.uniform(0, duration))
        killed_after(job, run, None)
        found = content(run)
        counts.trials += 1
        counts.kills += died
        counts.equal += found == expected
        for name in expected.keys() | found.keys():
            if expected.get(name, 0) != found.get(name, 0):
                counts.different[name] = counts.different.get(name, 0) + 1
    return counts


def fit_job(folder: Path) -> Job:
    """Return a fit of a toy backbone that trains by epochs and saves checkpoints often."""
    import torch
    from transformers import AutoModel

    from tests.support.command_line import write_table
    from tests.support.toys import WORDS, toy_config, toy_tokenizer
    from thawline.config import ComputeConfig, Config, DataConfig, TrainingConfig
    from thawline.jobs.fit import fit_run

    torch.manual_seed(0)
    AutoModel.from_config(toy_config("bert")).save_pretrained(folder / "bert")
    toy_tokenizer(causal=False).save_pretrained(folder / "bert")
    chance = random.Random(0)
    texts = [f"film {n} {' '.join(chance.choices(WORDS, k=8))}" for n in range(80)]
    data = write_table(folder / "texts.csv", texts, [n % 2 for n in range(80)])
    config = Config(
        backbone=str(folder / "bert"),
        strategy="last:1",
        data=DataConfig(data=str(data)),
        training=TrainingConfig(epochs=3, batch_size=8, lr=1e-3, checkpoint_every=2),
        compute=ComputeConfig(device="cpu", dtype="float32"),
    )
    return lambda run: fit_run(config, run, resume=True)


def pretrain_job(folder: Path) -> Job:
    """Return a pretraining of a toy language model that saves checkpoints often."""
    from tests.support.command_line import write_table
    from tests.support.language_toys import toy_job, toy_texts
    from thawline.pretraining.job import pretrain_run

    texts = toy_texts(40)
    config = toy_job(write_table(folder / "texts.csv", texts, [0] * len(texts)))
    return lambda run: pretrain_run(config, run, resume=True)


JOBS = {"fit": fit_job, "pretrain": pretrain_job}


def main(verb: str, trials: str, kills: str, seed: str = "0") -> None:
    """Print the counts as JSON."""
    with tempfile.TemporaryDirectory() as place:
        os.environ["THAWLINE_HOME"] = f"{place}/home"
        job = JOBS[verb](Path(place))
        counts = kill_runs(
            job, Path(place, "runs"), trials=int(trials), kills=int(kills), seed=int(seed)
        )
    print(json.dumps(asdict(counts)))


if __name__ == "__main__":
    main(*sys.argv[1:])
