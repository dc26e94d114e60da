"""From the records of a ladder's runs to what it says: the best, the verdict, the one to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from thawline.compare.plan import Climb
from thawline.config import LadderConfig
from thawline.evaluation.paired_tests import against_best

SCORES = ("accuracy", "f1_macro", "f1_weighted", "loss", "calibration_error")
"""What a ladder keeps of a run's scores; the run's own record has all of them."""


def compared(
    config: LadderConfig, climbs: Sequence[Climb], records: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return ``rungs``, ``best``, ``verdict`` and ``chosen`` of a ladder, from its runs' records.

    Args:
        config: of the ladder.
        climbs: its runs.
        records: of the runs, in the same order.
    """
    by_rung: dict[str, list[tuple[Climb, Mapping[str, Any]]]] = {}
    for climb, record in zip(climbs, records, strict=True):
        by_rung.setdefault(climb.rung, []).append((climb, record))
    rungs = [_described(rung, runs) for rung, runs in by_rung.items()]
    best = max(range(len(rungs)), key=lambda index: _accuracy(rungs[index], "test"))
    wrong = [[record["mistakes"]["rows"] for _, record in runs] for runs in by_rung.values()]
    for rung, found in zip(rungs, against_best(wrong, best), strict=True):
        rung["against_best"] = found
    return {
        "rungs": rungs,
        "best": rungs[best]["rung"],
        "verdict": verdict(rungs, rungs[best], config.significance),
        "chosen": _chosen(rungs),
    }


def _described(rung: str, runs: Sequence[tuple[Climb, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return a rung over its seeds."""
    first = runs[0][1]
    return {
        "rung": rung,
        **{name: first[name] for name in ("strategy", "line", "head", "pooling", "epochs", "lr")},
        "parameters": first["parameters"],
        "test": _means([record["test"] for _, record in runs]),
        "validation": _means([record["validation"] for _, record in runs]),
        "seconds": {"total": fmean(record["seconds"]["total"] for _, record in runs)},
        "peak_memory_bytes": max(record["peak_memory_bytes"] for _, record in runs),
        "runs": [
            {
                "seed": climb.config.seed,
                "run": climb.folder.name,
                "features": record["features"],
                "test": _kept(record["test"]),
                "validation": _kept(record["validation"]),
                "history": record["history"],
                "seconds": record["seconds"],
                "peak_memory_bytes": record["peak_memory_bytes"],
                "proof": record["proof"],
            }
            for climb, record in runs
        ],
    }


def _kept(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {name: scores[name] for name in ("rows", "confidence_level", *SCORES)}


def _means(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean of scores over seeds.

    Each has its ``deviation`` over the seeds, None for one; its ends are means too: they say how
    sure the score is for the rows, not for the seeds.
    """

    def mean(name: str) -> dict[str, float | None]:
        ends = {end: fmean(scores[name][end] for scores in seeds) for end in seeds[0][name]}
        values = [scores[name]["value"] for scores in seeds]
        return {**ends, "deviation": stdev(values) if len(values) > 1 else None}

    first = seeds[0]
    kept = {name: first[name] for name in ("rows", "confidence_level")}
    return {**kept, **{name: mean(name) for name in SCORES}}


def _accuracy(rung: Mapping[str, Any], part: str) -> float:
    return float(rung[part]["accuracy"]["value"])


def verdict(
    rungs: Sequence[Mapping[str, Any]], best: Mapping[str, Any], significance: float
) -> dict[str, Any]:
    """Return the cheapest ``rung`` that cannot be told from the best on test, and ``words``.

    Rungs cannot be told apart where the corrected p-value is not below ``significance``. That is
    no proof that they are equal: on few rows almost nothing can be told apart.
    """
    alike = [
        rung
        for rung in rungs
        if rung["against_best"] is None or rung["against_best"]["p_corrected"] >= significance
    ]
    cheapest = min(alike, key=lambda rung: float(rung["seconds"]["total"]))
    rows, against = best["test"]["rows"], cheapest["against_best"]
    if against is None:
        others = (
            "the only rung" if len(rungs) == 1 else "the best, and none that is cheaper is as good"
        )
        words = f"{best['rung']} is {others}, on {rows:,} test texts"
    else:
        accuracies = [f"{100 * _accuracy(rung, 'test'):.1f} %" for rung in (cheapest, best)]
        seconds = [f"{rung['seconds']['total']:,.0f}" for rung in (cheapest, best)]
        words = (
            f"{cheapest['rung']} cannot be told from the best, {best['rung']}, on {rows:,} test "
            f"texts ({accuracies[0]} against {accuracies[1]}, corrected p "
            f"{against['p_corrected']:.2g}), and takes {seconds[0]} s in place of {seconds[1]}"
        )
    return {"rung": cheapest["rung"], "words": words}


def _chosen(rungs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the run to use: by validation the rung, then the seed; of equals the cheaper."""

    def merit(one: Mapping[str, Any]) -> tuple[float, float]:
        return _accuracy(one, "validation"), -float(one["seconds"]["total"])

    rung = max(rungs, key=merit)
    run = max(rung["runs"], key=merit)
    by = "the highest accuracy on validation"
    return {"rung": rung["rung"], "seed": run["seed"], "run": run["run"], "by": by}
