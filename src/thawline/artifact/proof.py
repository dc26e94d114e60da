"""The proof of artifacts: a fresh process that reads one must give the same probabilities."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.errors import ThawlineError
from thawline.evaluation.metrics import probabilities
from thawline.inference.fitted import Fitted
from thawline.inference.predictor import Predictor

TOLERANCE = 1e-5
"""How far apart the same probabilities may lie in fp32, in this process and in a fresh one."""


class Prover:
    """A fresh process that will load artifacts and classify texts, to be compared with this one.

    It starts at once, so that what it has to import is ready when the first artifact is.

    Args:
        device: that both classify on.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._ready = False
        self._complaints = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "thawline.artifact.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,  # a pipe that nobody reads would fill and hold it up
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._complaints.close()

    def wait(self) -> None:
        """Wait until it has imported what it needs, so that it takes no time from what follows."""
        assert self._process.stdout is not None, "it was started with a pipe"
        if not self._ready:
            self._process.stdout.readline()
            self._ready = True

    def prove(self, fitted: Fitted, folder: Path, texts: Sequence[Text]) -> float:
        """Compare the probabilities of texts, computed here and by the fresh process, in fp32.

        Returns:
            The largest difference between two probabilities.

        Raises:
            ThawlineError: the fresh process failed, or a difference is above `TOLERANCE`.
        """
        compute = ComputeConfig(device=self._device, dtype="float32")
        here = probabilities(Predictor(fitted, compute, use_store=False).logits(texts))
        there = self._ask(folder, texts)
        difference = float(np.abs(here - there).max())
        if not difference <= TOLERANCE:
            raise ThawlineError(
                f"the saved classifier to give the same probabilities within {TOLERANCE:g}",
                f"a difference of {difference:.3g}",
                "keep this folder and report it: the artifact cannot be trusted",
            )
        return difference

    def _ask(self, folder: Path, texts: Sequence[Text]) -> NDArray[np.float64]:
        question = {"folder": str(folder), "texts": list(texts), "device": self._device}
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None, "it was started with a pipe"
        assert answers is not None, "it was started with a pipe"
        self.wait()
        with suppress(BrokenPipeError):  # it is gone: why, it has said
            asked.write(f"{json.dumps(question)}\n")
            asked.flush()
        answer = answers.readline()
        if not answer:
            raise ThawlineError(
                "a fresh process to load the saved classifier",
                self._last_words(),
                f'try thawline predict {folder} "a text" --debug',
            )
        return np.array(json.loads(answer), dtype=np.float64)

    def _last_words(self) -> str:
        self._process.wait()
        self._complaints.seek(0)
        return (self._complaints.read().strip().splitlines() or ["no message"])[-1]
