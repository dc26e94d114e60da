"""Measure how long the classifiers of a ladder take to predict one text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from thawline import artifact
from thawline.compare.results import FinishedRun, group_by_rung
from thawline.data import Text
from thawline.inference.predictor import Predictor

TEXTS = 30
"""The number of texts that are predicted, one at a time. The median of their seconds is used."""


def measure_latencies(made: Sequence[FinishedRun], texts: Sequence[Text]) -> dict[str, float]:
    """Return the seconds that each rung takes to predict one text, without the store.

    Args:
        made: The finished runs. The classifier of the first seed is measured for each rung.
        texts: The test texts. The first ones are predicted.
    """
    return {rung: _latency(runs[0], texts[:TEXTS]) for rung, runs in group_by_rung(made).items()}


def _latency(one: FinishedRun, texts: Sequence[Text]) -> float:
    fitted = artifact.load(one.run.folder / artifact.FOLDER)
    predictor = Predictor(fitted, one.run.config.compute, use_store=False)
    predictor.logits(texts[:1])  # the first prediction prepares threads and kernels
    seconds = []
    for text in texts:
        start = time.perf_counter()
        predictor.logits([text])
        seconds.append(time.perf_counter() - start)
    return median(seconds)
