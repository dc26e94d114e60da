"""A finished run, and a toy fit, for the tests of all verbs."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.command_line import ProverHere, thawline, write_set
from tests.support.verb_runs import NAMED, TEST, TRAIN


@pytest.fixture(scope="session")
def real(tmp_path_factory, toy_backbone, toy_reviews):
    """One run as a user makes it: a process of its own, its artifact proven by another one."""
    root = tmp_path_factory.mktemp("real")
    data = write_set(
        root / "reviews",
        {
            "train": toy_reviews(TRAIN, 1),
            "test": toy_reviews(TEST, 2),
            "unsup": (["a film"], [-1]),
        },
    )
    home, run = root / "home", root / "run"
    command = [sys.executable, "-m", "thawline", "fit", "--data", data, *NAMED]
    command += ["--backbone", toy_backbone(), "--out", run, "--json"]
    done = subprocess.run(
        command,
        env=os.environ | {"THAWLINE_HOME": str(home)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return SimpleNamespace(
        data=data, home=home, run=run, code=done.returncode, out=done.stdout, err=done.stderr
    )


@pytest.fixture
def store_of_real(real, monkeypatch):
    monkeypatch.setenv("THAWLINE_HOME", str(real.home))


@pytest.fixture(autouse=True)
def _prove_here(monkeypatch):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)


@pytest.fixture(scope="session")
def data(tmp_path_factory, toy_reviews) -> Path:
    folder = tmp_path_factory.mktemp("data") / "reviews"
    return write_set(folder, {"train": toy_reviews(TRAIN, 1), "test": toy_reviews(TEST, 2)})


@pytest.fixture
def fit(data, toy_backbone):
    """Fit a toy BERT on the toy reviews. Options replace these defaults."""

    def run(*options: object):
        defaults = {"--data": data, "--backbone": toy_backbone(), "--out": "run"}
        missing = {name: value for name, value in defaults.items() if name not in options}
        return thawline("fit", *chain.from_iterable(missing.items()), *options)

    return run
