"""Verify a saved classifier: a fresh process that loads it must compute the same probabilities."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.errors import ThawlineError
from thawline.evaluation.metrics import probabilities
from thawline.inference.fitted import AnyFitted
from thawline.inference.predictor import Predictor
from thawline.runs.layout import PROVER
from thawline.runtime.fresh import ProcessEndedError, take_process

TOLERANCE = 1e-5
"""Maximum difference between the probabilities of this process and of a fresh one, in fp32."""


class Prover:
    """Run a fresh process that loads artifacts and classifies texts, and compare its results.

    The process starts immediately, so that its imports are finished when the first artifact is
    saved.

    Args:
        device: The device on which both processes compute.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._process = take_process(PROVER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.close()

    def wait(self) -> None:
        """Wait until the process has finished its imports and is ready for requests."""
        self._process.wait()

    def ask(self, folder: Path, texts: Sequence[Text]) -> None:
        """Let the fresh process load an artifact and classify texts, without waiting for it.

        Args:
            folder: The folder of the artifact.
            texts: The texts to classify.
        """
        request = {"folder": str(folder), "texts": list(texts), "device": self._device}
        self._process.send(request)

    def compare(self, fitted: AnyFitted, folder: Path, texts: Sequence[Text]) -> float:
        """Compare the probabilities from this process and from the fresh process, in fp32.

        Args:
            fitted: The classifier in this process.
            folder: The folder of its artifact, which `ask` has sent.
            texts: The same texts as in `ask`.

        Returns:
            The largest absolute difference between two probabilities.

        Raises:
            ThawlineError: If the fresh process fails, or if the difference is above `TOLERANCE`.
        """
        compute = ComputeConfig(device=self._device, dtype="float32")
        here = probabilities(Predictor(fitted, compute, use_store=False).logits(texts))
        difference = float(np.abs(here - self._answer(folder)).max())
        if not difference <= TOLERANCE:
            raise ThawlineError(
                f"a saved classifier with the same probabilities, within {TOLERANCE:g}",
                f"a difference of {difference:.3g}",
                f"do not use '{folder}', and report this as a bug",
            )
        return difference

    def prove(self, fitted: AnyFitted, folder: Path, texts: Sequence[Text]) -> float:
        """Let the fresh process classify texts, and compare the probabilities: `ask`, `compare`.

        Args:
            fitted: The classifier in this process.
            folder: The folder of its artifact.
            texts: The texts to classify.

        Returns:
            The largest absolute difference between two probabilities.

        Raises:
            ThawlineError: If the fresh process fails, or if the difference is above `TOLERANCE`.
        """
        self.ask(folder, texts)
        return self.compare(fitted, folder, texts)

    def _answer(self, folder: Path) -> NDArray[np.float64]:
        try:
            return np.array(self._process.receive(), dtype=np.float64)
        except ProcessEndedError as error:
            quoted = shlex.quote(str(folder))
            raise ThawlineError(
                f"a classifier in '{folder}' that a fresh process can load",
                f"the error: {error}",
                f'run thawline predict {quoted} "a text" --debug to see the error',
            ) from error
