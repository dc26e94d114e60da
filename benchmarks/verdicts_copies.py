"""Simulate the coverage of intervals if test rows are copies of other ones.

This module has no command of its own; `benchmarks.verdicts` uses it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from benchmarks.verdicts_trials import ACCURACY, CoverageCase, draw_arms, seed_effects
from thawline.evaluation.differences import measure_effects
from thawline.evaluation.metrics import evaluate

RESAMPLES = 200
"""The number of bootstrap samples of the interval of a macro F1."""

SCORES = ("accuracy", "f1_macro")
"""The scores of a single run whose intervals are simulated."""


class CopiesCase(NamedTuple):
    """One case of the simulation.

    Attributes:
        seeds: The number of seeds of each strategy.
        rows: The number of test rows.
        ratio: The part of the variance of the difference that comes from the pure effect of the
            seeds, divided by the part that comes from as many different texts.
        share: The share of the rows that are copies of other ones.
        times: The number of rows of a text that has copies.
    """

    seeds: int
    rows: int
    ratio: float
    share: float
    times: int


def simulate_copies(case: CopiesCase, runs: int) -> dict[str, Any]:
    """Return how often intervals contain the difference of two equally accurate strategies.

    ``interval`` counts the copies of a text as one, and ``rows`` counts each row. The strategies
    are those of `verdicts_trials.simulate_coverage`, which predict the same for all copies.
    """
    generator = np.random.default_rng(
        [case.seeds, case.rows, *(round(100 * part) for part in case[2:])]
    )
    numbers = number_rows(case.rows, case.share, case.times)
    of_texts = CoverageCase(case.seeds, int(numbers[-1]) + 1, case.ratio, 2, 0.0)
    effects = seed_effects(of_texts._replace(texts=case.rows))
    thresholds = [float(ndtri(1 - ACCURACY)) * np.sqrt(1 + effect**2) for effect in effects]
    inside = {"interval": 0, "rows": 0}
    for _ in range(runs):
        arms = [arm[:, numbers] for arm in draw_arms(of_texts, effects, thresholds, generator)]
        for name, copies in (("interval", numbers), ("rows", None)):
            found = measure_effects(arms, copies=copies).contrast(0, 1).interval()
            inside[name] += found.low <= 0 <= found.high
    return {
        "case": case._asdict(),
        "runs": runs,
        "coverage": {name: count / runs for name, count in inside.items()},
    }


class RunCase(NamedTuple):
    """One case of the simulation of a single run.

    Attributes:
        rows: The number of test rows.
        share: The share of the rows that are copies of other ones.
        times: The number of rows of a text that has copies.
        of_copied: The share of the texts with copies that are predicted correctly.
        of_others: The share of the other texts that are predicted correctly.
    """

    rows: int
    share: float
    times: int
    of_copied: float
    of_others: float


def simulate_run(case: RunCase, runs: int) -> dict[str, Any]:
    """Return how often the intervals of a classifier contain its true accuracy and macro F1.

    ``interval`` counts the copies of a text as one, and ``rows`` counts each row. The two classes
    are equally frequent and equally difficult, so that the true macro F1 is the true accuracy.
    """
    generator = np.random.default_rng([round(100 * part) for part in case])
    numbers = number_rows(case.rows, case.share, case.times)
    has_copies = np.bincount(numbers) > 1
    shares = np.where(has_copies, case.of_copied, case.of_others)
    true = float(shares[numbers].mean())
    inside = {f"{score}_{name}": 0 for score in SCORES for name in ("interval", "rows")}
    for _ in range(runs):
        labels = generator.integers(0, 2, len(shares))
        predictions = np.where(generator.random(len(shares)) < shares, labels, 1 - labels)
        rows = np.eye(2)[predictions[numbers]], labels[numbers]
        for name, copies in (("interval", numbers), ("rows", None)):
            found = evaluate(*rows, resamples=RESAMPLES, copies=copies)
            for score in SCORES:
                one = getattr(found, score)
                inside[f"{score}_{name}"] += one.low <= true <= one.high
    return {
        "case": case._asdict(),
        "runs": runs,
        "coverage": {name: count / runs for name, count in inside.items()},
    }


def number_rows(rows: int, share: float, times: int) -> NDArray[np.int64]:
    """Return the number of the text of each row.

    Args:
        rows: The number of rows.
        share: The share of the rows that are copies of other ones.
        times: The number of rows of a text that has copies.
    """
    copied = round(share * rows / (times - 1))
    single = rows - copied * times
    return np.repeat(np.arange(copied + single), [times] * copied + [1] * single)
