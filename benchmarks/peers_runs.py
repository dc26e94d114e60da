"""Run one side of `benchmarks.peers` in a process of its own, and count the work of a script.

This module has no command of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peer_scripts
from benchmarks.peers_report import Batches, Run, padded_tokens
from thawline.config import LEARNING_RATES, DataConfig
from thawline.data import Dataset, load
from thawline.strategies import Full, Head, Last, Lora, parse_strategy

SCRIPT = Path(peer_scripts.__file__)

TRAINERS = ("trainer", "trainer-best")
HEAD_LR = 2e-2
"""Trainer's learning rate for the head alone.

It was measured with the pooled MiniLM features of 1,200 reviews (256 tokens, 675 steps of 16 texts,
five seeds). The mean accuracy on 600 other reviews of the train split was 53 % at Trainer's default
of 5e-5, 60 % at 2e-4, 63 % at 1e-3, 65 % at 5e-3 and 65 % at 2e-2.
"""

ENCODE_BATCH = 32
"""The default batch size of sentence-transformers, which sorts all texts by length."""


def batches(options: argparse.Namespace, peer: str) -> tuple[Batches, Batches] | None:
    """Return how a peer forms its batches in training and in inference.

    None if its seconds do not follow from its batches, so that no other job can be computed.
    """
    if peer == "trainer":
        both = Batches(options.batch_size, sorted_over=1)
        return both, both
    if peer == "trainer-best":  # transformers' LengthGroupedSampler sorts 50 batches together
        best = options.best_batch_size
        return Batches(best, sorted_over=50), Batches(2 * best, sorted_over=50)
    if peer in ("encode", "setfit"):
        both = Batches(ENCODE_BATCH, sorted_over=None)
        return both, both
    return None


def work_of(
    options: argparse.Namespace, peer: str, lengths: dict[str, list[int]]
) -> dict[str, float]:
    """Return the tokens that a peer computes in one pass over each split, padding included.

    Args:
        options: The arguments.
        peer: A peer with known batches.
        lengths: The number of tokens of each text, by split.
    """
    known = batches(options, peer)
    if known is None:
        raise ValueError(f"the batches of '{peer}' are not known")
    training, inference = known
    if peer in TRAINERS:
        forms = {"train": training, "validation": inference, "test": inference}
        return {name: padded_tokens(lengths[name], forms[name]) for name in forms}
    encoded = [lengths["train"] + lengths["validation"], lengths["test"]]
    tokens = sum(padded_tokens(texts, inference) for texts in encoded)
    return {"train": 0.0, "validation": 0.0, "test": tokens}


def rate(options: argparse.Namespace, strategy: str) -> float:
    """Return Trainer's learning rate. Thawline uses it too, unless it fits exactly."""
    name = strategy.partition(":")[0]
    return HEAD_LR if name == "head" else LEARNING_RATES[name]


def trained_by(strategy: str) -> dict[str, Any]:
    """Return what a script has to train, as `peer_scripts.freeze` expects it.

    Raises:
        SystemExit: If no usual script trains like the strategy.
    """
    match parse_strategy(strategy):
        case Head():
            return {"trained": "head"}
        case Last(k=k):
            return {"trained": "blocks", "blocks": k}
        case Lora(r=r, alpha=alpha, dropout=dropout, from_=1, targets=None):
            return {"trained": "adapters", "r": r, "alpha": alpha, "dropout": dropout}
        case Full():
            return {"trained": "all"}
    sys.exit(f"No script trains like the strategy '{strategy}'.")


def job_of(options: argparse.Namespace, peer: str, strategy: str) -> dict[str, Any]:
    """Return the settings of a script, without its rows."""
    known = batches(options, peer)
    sizes = (known[0].size, known[1].size) if known else (options.batch_size, options.batch_size)
    return {
        "peer": peer,
        "strategy": trained_by(strategy),
        "epochs": options.epochs,
        "batch_size": sizes[0],
        "eval_batch_size": sizes[1],
        "lr": rate(options, strategy),
        "max_length": options.max_length,
        "seed": options.seed,
    }


class Failure(Exception):
    """A peer did not run. The message is the first line of its error."""


def first_line(stderr: str) -> str:
    """Return the first line of the error that ended a process, without this machine's paths."""
    found = re.findall(r"^[\w.]*(?:Error|Exception|Interrupt|Exit)\b.*", stderr, re.MULTILINE)
    line = found[-1] if found else (stderr.strip().splitlines() or ["no message"])[-1]
    return re.sub(r"(?<!\S)(['\"]?)(?:/[^\s/'\"]+)+/", r"\1…/", line)[:200]


def timed(command: list[str], environment: dict[str, str]) -> tuple[str, float]:
    """Run a command in a new process and return its standard output and its wall time.

    Raises:
        Failure: If the process failed.
    """
    start = time.perf_counter()
    done = subprocess.run(
        command,
        env=os.environ | {"HF_HUB_OFFLINE": "1"} | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise Failure(first_line(done.stderr))
    return done.stdout, seconds


def write_rows(source: Dataset, path: Path) -> None:
    """Write the texts and the labels of all splits to a JSON file."""
    rows = {
        name: {"texts": list(part.texts), "labels": [int(label) for label in part.labels]}
        for name, part in source.parts.items()
    }
    path.write_text(json.dumps(rows), encoding="utf-8")


def interpreter(options: argparse.Namespace, peer: str) -> str:
    """Return the Python that runs a peer's script."""
    given = dict(word.split("=", 1) for word in options.python)
    return str(given.get(peer, sys.executable))


def versions_of(options: argparse.Namespace, peer: str) -> dict[str, str]:
    """Return the versions of a peer's packages. Packages that are not installed are missing."""
    try:
        printed, _ = timed([interpreter(options, peer), "-P", str(SCRIPT), "--versions", peer], {})
    except (Failure, OSError):
        return {}
    versions: dict[str, str] = json.loads(printed)
    return versions


def run_script(
    options: argparse.Namespace, peer: str, strategy: str, source: Dataset, scratch: Path
) -> Run:
    """Time the script of a peer and score its predictions as Thawline scores its own."""
    from thawline.backbones.finding import find_backbone
    from thawline.evaluation.metrics import evaluate

    folder = Path(tempfile.mkdtemp(dir=scratch))
    job, answer = folder / "job.json", folder / "answer.json"
    write_rows(source, folder / "rows.json")
    given: dict[str, Any] = {"rows": str(folder / "rows.json"), "scratch": str(folder / "trainer")}
    given |= {"model": find_backbone(options.backbone), "classes": len(source.labels)}
    job.write_text(json.dumps(job_of(options, peer, strategy) | given), encoding="utf-8")
    command = [interpreter(options, peer), "-P", str(SCRIPT), str(job), str(answer)]
    # AutoIntent keeps embeddings in the user's cache, where a later round would find them.
    _, seconds = timed(command, {"XDG_CACHE_HOME": str(folder / "cache")})
    found = json.loads(answer.read_text(encoding="utf-8"))
    predicted = np.array(found.pop("predictions"))
    labels = np.array(found.pop("labels", source.test.labels))
    # A script can reject a text with the prediction -1. It becomes a class of its own.
    classes = len(source.labels) + int((predicted < 0).any())
    scores = evaluate(np.eye(classes)[predicted], labels, n_classes=classes)
    return {
        **found,
        "process_seconds": seconds,
        "accuracy": scores.accuracy.to_dict(),
        "f1_macro": scores.f1_macro.to_dict(),
    }


def thawline_command(
    options: argparse.Namespace, strategy: str, rows: tuple[int, int]
) -> list[str]:
    """Return the arguments of `thawline fit`, without the folder of the run."""
    command = ["fit", "--json"]
    for name in ("data", "labels", "backbone", "max_length", "seed"):
        value = getattr(options, name)
        command += [] if value is None else ["--" + name.replace("_", "-"), str(value)]
    command += ["--strategy", strategy, "--limit", f"{rows[0]},{rows[1]}"]
    if strategy != "head":
        command += ["--head", "native", "--epochs", str(options.epochs)]
        command += ["--batch-size", str(options.batch_size)]
        command += ["--lr", str(rate(options, strategy)), "--set", "training.keep=last"]
    return command


def run_thawline(
    options: argparse.Namespace, side: str, strategy: str, rows: tuple[int, int], home: Path
) -> Run:
    """Time `thawline fit` and read its record. Runs with the same home share a store."""
    program = shutil.which("thawline", path=sysconfig.get_path("scripts"))
    if program is None:
        sys.exit("The command `thawline` is not installed in this environment. Run `make install`.")
    command = [program, *thawline_command(options, strategy, rows), "--out", str(home / side)]
    printed, seconds = timed(command, {"THAWLINE_HOME": str(home)})
    record = json.loads(printed)
    spent = record["seconds"]
    return {
        "accuracy": record["test"]["accuracy"],
        "f1_macro": record["test"]["f1_macro"],
        "process_seconds": seconds,
        "training_seconds": spent["training"],
        "inference_seconds": spent["prefix"] + spent["evaluation"],
        "seconds": spent,
        "epochs": record["epochs"],
        "line": record["line"],
        "trainable": record["parameters"]["trainable"],
        "peak_memory_bytes": record["peak_memory_bytes"],
    }


class Sources:
    """The data sets of all sizes, which are read once."""

    def __init__(self, options: argparse.Namespace) -> None:
        names = tuple(options.labels.split(",")) if options.labels else None
        self._config = DataConfig(data=options.data, labels=names)
        self._found: dict[tuple[int, int], Dataset] = {}

    def of(self, rows: tuple[int, int]) -> Dataset:
        """Return the data set with some train and test rows."""
        if rows not in self._found:
            self._found[rows] = load(replace(self._config, limit=rows))
        return self._found[rows]


def lengths_of(options: argparse.Namespace, source: Dataset) -> dict[str, list[int]]:
    """Return the number of tokens of each text, by split."""
    from transformers import AutoTokenizer

    from thawline.backbones.finding import find_backbone

    tokenizer = AutoTokenizer.from_pretrained(find_backbone(options.backbone))
    return {
        name: [
            len(tokens)
            for tokens in tokenizer(
                list(part.texts), truncation=True, max_length=options.max_length
            )["input_ids"]
        ]
        for name, part in source.parts.items()
    }
