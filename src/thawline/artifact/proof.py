"""The proof of an artifact: a fresh process that reads it must give the same probabilities."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.errors import ThawlineError
from thawline.fitted import Fitted
from thawline.inference import text_logits
from thawline.metrics import probabilities
from thawline.progress import Reporter

TOLERANCE = 1e-5
"""How far apart the same probabilities may lie in fp32, in this process and in a fresh one."""


class Prover:
    """A fresh process that will load an artifact and classify texts, to be compared with this one.

    It starts at once, so that what it has to import is ready when the artifact is.

    Args:
        device: that both classify on.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._process = subprocess.Popen(
            [sys.executable, "-m", "thawline.selftest"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def prove(self, fitted: Fitted, folder: Path, texts: Sequence[Text]) -> float:
        """Compare the probabilities of texts, computed here and by the fresh process, in fp32.

        Returns:
            The largest difference between two probabilities.

        Raises:
            ThawlineError: the fresh process failed, or a difference is above `TOLERANCE`.
        """
        compute = ComputeConfig(device=self._device, dtype="float32")
        here = probabilities(text_logits(fitted, texts, compute, Reporter()))
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
        question = json.dumps({"folder": str(folder), "texts": list(texts), "device": self._device})
        answer, complaint = self._process.communicate(question)
        if self._process.returncode != 0:
            raise ThawlineError(
                "a fresh process to load the saved classifier",
                (complaint.strip().splitlines() or ["no message"])[-1],
                f'try thawline predict {folder} "a text" --debug',
            )
        return np.array(json.loads(answer), dtype=np.float64)
