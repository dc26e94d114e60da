"""Verify a saved classifier: a fresh process that loads it must compute the same probabilities."""

from __future__ import annotations

import json
import os
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
        self._ready = False
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            # -P keeps the working folder off the import path, and the variable does so in every
            # process that a library might start. Files there may come from a stranger.
            [sys.executable, "-P", "-m", "thawline.artifact.child"],
            env={**os.environ, "PYTHONSAFEPATH": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,  # a pipe that is not read could fill up and block the process
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def wait(self) -> None:
        """Wait until the process has finished its imports and is ready for requests."""
        assert self._process.stdout is not None, "the process has pipes"
        if not self._ready:
            self._process.stdout.readline()
            self._ready = True

    def prove(self, fitted: Fitted, folder: Path, texts: Sequence[Text]) -> float:
        """Compare the probabilities from this process and from the fresh process, in fp32.

        Args:
            fitted: The classifier in this process.
            folder: The folder of its artifact.
            texts: The texts to classify.

        Returns:
            The largest absolute difference between two probabilities.

        Raises:
            ThawlineError: If the fresh process fails, or if the difference is above `TOLERANCE`.
        """
        compute = ComputeConfig(device=self._device, dtype="float32")
        here = probabilities(Predictor(fitted, compute, use_store=False).logits(texts))
        there = self._request(folder, texts)
        difference = float(np.abs(here - there).max())
        if not difference <= TOLERANCE:
            raise ThawlineError(
                f"a saved classifier with the same probabilities, within {TOLERANCE:g}",
                f"a difference of {difference:.3g}",
                f"do not use '{folder}', and report this as a bug",
            )
        return difference

    def _request(self, folder: Path, texts: Sequence[Text]) -> NDArray[np.float64]:
        request = {"folder": str(folder), "texts": list(texts), "device": self._device}
        requests, responses = self._process.stdin, self._process.stdout
        assert requests is not None, "the process has pipes"
        assert responses is not None, "the process has pipes"
        self.wait()
        with suppress(BrokenPipeError):  # the process has ended; its error is reported below
            requests.write(f"{json.dumps(request)}\n")
            requests.flush()
        response = responses.readline()
        if not response:
            raise ThawlineError(
                f"a classifier in '{folder}' that a fresh process can load",
                f"the error: {self._last_error_line()}",
                f'run thawline predict {folder} "a text" --debug to see the error',
            )
        return np.array(json.loads(response), dtype=np.float64)

    def _last_error_line(self) -> str:
        self._process.wait()
        self._stderr.seek(0)
        return (self._stderr.read().strip().splitlines() or ["no message"])[-1]
