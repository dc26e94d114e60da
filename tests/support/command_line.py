"""Run the command line in this process, and prove artifacts in it too."""

from __future__ import annotations

import io
import json
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from thawline.cli import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        """The only JSON object on standard output. Nothing else may be printed there."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def json_lines(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


def thawline(*arguments: object, stdin: str = "") -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["thawline", *map(str, arguments)]),
        patch.object(sys, "stdin", io.StringIO(stdin)),
        redirect_stdout(out),
        redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        try:
            main()
        except SystemExit as leaving:
            code = 0 if leaving.code is None else int(leaving.code)
    return Outcome(code, out.getvalue(), err.getvalue())


class ProverHere:
    """A replacement of `artifact.Prover`, whose fresh process needs seconds of imports."""

    def __init__(self, device: str) -> None:
        assert device in ("auto", "cpu")

    def __enter__(self):
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def wait(self) -> None:
        pass

    def ask(self, folder: Path, texts: Sequence[str]) -> None:
        pass

    def compare(self, fitted, folder: Path, texts: Sequence[str]) -> float:
        from thawline import artifact
        from thawline.config import ComputeConfig
        from thawline.evaluation.metrics import probabilities
        from thawline.inference.predictor import Predictor

        compute = ComputeConfig(dtype="float32")
        here, there = (
            probabilities(Predictor(one, compute, use_store=False).logits(texts))
            for one in (fitted, artifact.load(folder))
        )
        difference = float(np.abs(here - there).max())
        assert difference <= artifact.TOLERANCE
        return difference

    prove = compare


def save_here(classifier: Any, folder: Path) -> Path:
    """Save a `TextClassifier`, prove it in this process, and return its folder."""
    from thawline import artifact

    with patch.object(artifact, "Prover", ProverHere):
        classifier.save(folder)
    return folder


def write_set(folder: Path, splits: dict[str, tuple[list[str], list]], form: str = "csv") -> Path:
    """Write a folder with a file for each split, with the columns text and label."""
    folder.mkdir(parents=True)
    for split, (texts, labels) in splits.items():
        write_table(folder / f"{split}.{form}", texts, labels)
    return folder


def write_table(path: Path, texts: list[str], labels: list) -> Path:
    frame = pd.DataFrame({"text": texts, "label": labels})
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path, index=False)
    return path
