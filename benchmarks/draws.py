"""Simulate how often the interval over new training rows contains the true difference.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.draws --table docs/verdicts.md

It simulates two strategies that are fitted on several draws of the training rows, and continues
where it was stopped. ``--table`` writes the results into a page of the documentation.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import t as student

from benchmarks.pages import write_table
from thawline.evaluation.contrasts import Contrast
from thawline.evaluation.differences import Effects, measure_effects
from thawline.evaluation.draws import Draws

RESULTS = Path(__file__).parent / "results" / "draws.json"

ACCURACY = 0.85
"""The true accuracy of both strategies."""

SHARES = {"text": 0.8, "text and draw": 0.1, "run": 0.1}
"""The shares of the variance of the difficulty of a text for a run."""

ALIKE = 0.8
"""The correlation of the difficulty of a text for two strategies, and of its change by a draw."""

COMMON = 1.5
"""The deviation of the effect of a draw on both strategies, relative to that on one alone."""

OF_SEED = 0.3
"""The variance of the effect of a seed, relative to that of a draw on one strategy."""

Row = dict[str, Any]


class Case(NamedTuple):
    """One case of the simulation.

    Attributes:
        draws: The number of draws.
        seeds: The number of seeds of each strategy on each draw.
        texts: The number of test texts.
        ratio: The variance of the mean difference that comes from draws and seeds, divided by that
            from texts.
        overlap: The share of rows that two draws have in common.
    """

    draws: int
    seeds: int
    texts: int
    ratio: float
    overlap: float


CASES = [
    Case(draws, *sizes, ratio, overlap)
    for draws, sizes, ratio, overlap in product(
        (3, 5),
        ((1, 500), (1, 2_000), (3, 2_000), (1, 10_000)),
        (0.0, 0.25, 1.0, 4.0),
        (0.0, 0.5),
    )
]


def simulate(case: Case, runs: int) -> Row:
    """Return how often several intervals contain the true difference, which is 0."""
    generator = np.random.default_rng([*case[:3], round(100 * case.ratio), round(100 * case[4])])
    effect = _effect_of_draws(case)
    draws = _draws(case)
    inside = {"interval": 0, "satterthwaite": 0, "texts": 0, "draws": 0}
    for _ in range(runs):
        effects = measure_effects(_correct(case, effect, generator), draws)
        contrast = effects.contrast(0, 1)
        interval = contrast.interval(0.95)
        inside["interval"] += interval.low <= 0 <= interval.high
        halves = {
            "satterthwaite": _satterthwaite(contrast),
            "texts": 1.96 * float(np.sqrt(contrast.text_variance / case.texts)),
            "draws": _draws_only(effects, case),
        }
        for name, half in halves.items():
            inside[name] += abs(contrast.value) <= half
    return {
        "case": case._asdict(),
        "runs": runs,
        "coverage": {name: count / runs for name, count in inside.items()},
    }


def _draws(case: Case) -> Draws:
    of_runs = np.repeat(np.arange(case.draws), case.seeds).tolist()
    return Draws([of_runs, of_runs], case.overlap)


def _effect_of_draws(case: Case) -> float:
    """Return the standard deviation of the effect of a draw on the threshold of one strategy."""
    if case.ratio == 0:
        return 0.0
    pilot = case._replace(texts=100_000)
    arms = _correct(pilot, 0.0, np.random.default_rng(0))
    by_text = measure_effects(arms, _draws(pilot)).contrast(0, 1).text_variance / case.texts
    of_mean = (1 + case.overlap * (case.draws - 1)) / case.draws
    of_mean += OF_SEED / case.draws / case.seeds
    density = np.exp(-(ndtri(ACCURACY) ** 2) / 2) / np.sqrt(2 * np.pi)
    return float(np.sqrt(case.ratio * by_text / of_mean / 2) / density)


def _correct(case: Case, effect: float, generator: np.random.Generator) -> list[NDArray[np.bool_]]:
    """Return which texts both strategies classify correctly, each ``(draws * seeds, texts)``.

    A text is classified correctly if the sum of its difficulty and of all effects is above a
    threshold. All are normal, so that both true accuracies are the same.
    """

    def normal(*shape: int) -> NDArray[np.float32]:
        return generator.standard_normal(shape, dtype=np.float32)

    def alike(*shape: int) -> list[NDArray[np.float32]]:
        """Return numbers for both strategies."""
        first = normal(*shape)
        return [
            first,
            ALIKE * first + math.sqrt(1 - ALIKE**2) * normal(*shape),
        ]

    def of_draws(*shape: int) -> NDArray[np.float32]:
        """Return numbers for each draw, which correlate because of the common rows."""
        shared, own = math.sqrt(case.overlap), math.sqrt(1 - case.overlap)
        return shared * normal(1, 1, *shape) + own * normal(case.draws, 1, *shape)

    variance = effect**2 * (1 + COMMON**2 + OF_SEED)
    threshold = float(ndtri(1 - ACCURACY)) * math.sqrt(1 + variance)
    common = effect * COMMON * of_draws(1)
    changes = [of_draws(case.texts) for _ in range(2)]
    changes[1] = ALIKE * changes[0] + math.sqrt(1 - ALIKE**2) * changes[1]
    arms = []
    for text, change in zip(alike(case.texts), changes, strict=True):
        values = math.sqrt(SHARES["text"]) * text + math.sqrt(SHARES["text and draw"]) * change
        values = values + common + effect * of_draws(1)
        values = values + effect * math.sqrt(OF_SEED) * normal(case.draws, case.seeds, 1)
        values = values + math.sqrt(SHARES["run"]) * normal(case.draws, case.seeds, case.texts)
        arms.append((values > threshold).reshape(-1, case.texts))
    return arms


def _satterthwaite(contrast: Contrast) -> float:
    """Return the half-width with Satterthwaite's degrees of freedom."""
    error, _ = (float(part) for part in contrast.spread())
    count, (effect,), (rest,) = contrast.seeds[0], contrast.seed_variances, contrast.residuals
    of_texts, squares = contrast.text_variance / contrast.texts, 0.0
    if effect > 0:
        squares = float((error**2 - of_texts) * (1 + rest / contrast.texts / effect)) ** 2
    freedom = error**4 / (of_texts**2 / (contrast.texts - 1) + squares / (count - 1))
    return float(student.ppf(0.975, freedom)) * error


def _draws_only(effects: Effects, case: Case) -> float:
    """Return the half-width of the paired t interval of the differences of the draws."""
    assert effects.draws is not None, "there are several draws"
    variance = np.array([1, -1]) @ effects.draws.between @ np.array([1, -1]) / case.draws
    return float(student.ppf(0.975, case.draws - 1) * np.sqrt(variance))


def coverage_table(rows: list[Row]) -> str:
    """Return the coverage of the intervals by draws, overlap and ratio.

    The cases with other numbers of texts and seeds are one line: the lowest and the highest
    coverage, so that no case is hidden by a mean.
    """
    columns = ["draws", "common rows", "ratio", "cases", "this interval", "Satterthwaite",
               "texts only", "draws only"]  # fmt: skip
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        case = row["case"]
        groups.setdefault((case["draws"], case["overlap"], case["ratio"]), []).append(row)
    lines = [columns, ["---"] * len(columns)]
    for (draws, overlap, ratio), cases in sorted(groups.items()):
        cells = []
        for name in ("interval", "satterthwaite", "texts", "draws"):
            found = [100 * row["coverage"][name] for row in cases]
            cells.append(f"{min(found):.1f} to {max(found):.1f} %")
        lines.append([str(draws), f"{100 * overlap:g} %", f"{ratio:g}", str(len(cases)), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--runs", type=int, default=1_000, help="Number of simulated comparisons in each case")
    add("--json", type=Path, default=RESULTS, metavar="FILE", help="File of the results")
    add("--table", type=Path, metavar="PAGE", help="Page whose table is written")
    options = parser.parse_args(words)
    rows: list[Row] = []
    if options.json.exists():
        rows = json.loads(options.json.read_text(encoding="utf-8"))
    for case in CASES:
        if not any(row["case"] == case._asdict() for row in rows):
            rows.append(simulate(case, options.runs))
            print(rows[-1], file=sys.stderr, flush=True)
            temporary = options.json.with_name(f".{options.json.name}.tmp")
            temporary.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            temporary.replace(options.json)
    if options.table is not None:
        write_table(options.table, "draws", coverage_table(rows))


if __name__ == "__main__":
    main()
