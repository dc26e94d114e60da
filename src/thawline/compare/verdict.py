"""Compare the runs of a ladder: find the best rung, the verdict and the run to use."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from thawline.compare.plan import LadderRun
from thawline.config import LadderConfig
from thawline.evaluation.paired_tests import against_best
from thawline.runs.records import (
    Chosen,
    Comparison,
    FitRecord,
    MainScores,
    MeanScore,
    MeanScores,
    RungRecord,
    RungRun,
    Score,
    TotalSeconds,
    Verdict,
)

Finished = Sequence[tuple[LadderRun, FitRecord]]
"""The runs of one rung with their records."""


def compare_runs(
    config: LadderConfig, runs: Sequence[LadderRun], records: Sequence[FitRecord]
) -> Comparison:
    """Compare the finished runs of a ladder.

    Args:
        config: The settings of the ladder.
        runs: Its runs.
        records: The records of the runs, in the same order.
    """
    by_rung: dict[str, list[tuple[LadderRun, FitRecord]]] = {}
    for run, record in zip(runs, records, strict=True):
        by_rung.setdefault(run.rung, []).append((run, record))
    rungs = _compare_with_best([_describe(rung, made) for rung, made in by_rung.items()], by_rung)
    best = next(rung for rung in rungs if rung.against_best is None)
    return Comparison(
        rungs=rungs,
        best=best.rung,
        verdict=verdict(rungs, best, 0.05),
        chosen=_choose(rungs),
    )


def _compare_with_best(
    rungs: Sequence[RungRecord], by_rung: dict[str, list[tuple[LadderRun, FitRecord]]]
) -> list[RungRecord]:
    """Compare each rung row by row with the rung that has the highest accuracy on test."""
    best = max(range(len(rungs)), key=lambda index: rungs[index].test.accuracy.value)
    wrong = [[record.mistakes.rows for _, record in runs] for runs in by_rung.values()]
    return [
        rung.model_copy(update={"against_best": comparison})
        for rung, comparison in zip(rungs, against_best(wrong, best), strict=True)
    ]


def _describe(rung: str, runs: Finished) -> RungRecord:
    """Summarise a rung over its seeds, without the comparison with the best rung."""
    records = [record for _, record in runs]
    first = records[0]
    return RungRecord(
        rung=rung,
        strategy=first.strategy,
        line=first.line,
        head=first.head,
        pooling=first.pooling,
        epochs=first.epochs,
        lr=first.lr,
        parameters=first.parameters,
        test=_mean_scores([record.test for record in records]),
        validation=_mean_scores([record.validation for record in records]),
        seconds=TotalSeconds(total=fmean(record.seconds.total for record in records)),
        peak_memory_bytes=max(record.peak_memory_bytes for record in records),
        runs=[
            RungRun(
                seed=run.config.seed,
                run=run.folder.name,
                features=record.features,
                test=record.test.main_scores(),
                validation=record.validation.main_scores(),
                history=record.history,
                seconds=record.seconds,
                peak_memory_bytes=record.peak_memory_bytes,
                proof=record.proof,
            )
            for run, record in runs
        ],
        against_best=None,
    )


def _mean_scores(seeds: Sequence[MainScores]) -> MeanScores:
    """Return the mean and the standard deviation of each score over the seeds."""
    return MeanScores(
        rows=seeds[0].rows,
        confidence_level=seeds[0].confidence_level,
        accuracy=_mean([scores.accuracy for scores in seeds]),
        f1_macro=_mean([scores.f1_macro for scores in seeds]),
        f1_weighted=_mean([scores.f1_weighted for scores in seeds]),
        loss=_mean([scores.loss for scores in seeds]),
        calibration_error=_mean([scores.calibration_error for scores in seeds]),
    )


def _mean(scores: Sequence[Score]) -> MeanScore:
    values = [score.value for score in scores]
    return MeanScore(
        value=fmean(values),
        low=fmean(score.low for score in scores),
        high=fmean(score.high for score in scores),
        deviation=stdev(values) if len(values) > 1 else None,
    )


def verdict(rungs: Sequence[RungRecord], best: RungRecord, significance: float) -> Verdict:
    """Return the cheapest rung that is not significantly worse than the best rung on test.

    A rung is not significantly worse if its corrected p-value is at least ``significance``. That
    does not prove that it is as good: with few rows, few differences are significant.

    Args:
        rungs: All rungs.
        best: The rung with the highest accuracy on test.
        significance: The significance level, between 0 and 1.
    """
    candidates = [
        rung
        for rung in rungs
        if rung.against_best is None or rung.against_best.p_corrected >= significance
    ]
    cheapest = min(candidates, key=lambda rung: rung.seconds.total)
    texts, against = f"{best.test.rows:,} test texts", cheapest.against_best
    if len(rungs) == 1:
        words = f"{best.rung} is the only strategy, scored on {texts}"
    elif against is None:
        is_cheapest = all(best.seconds.total <= rung.seconds.total for rung in rungs)
        cost = "is also the cheapest strategy"
        if not is_cheapest:
            cost = "every cheaper strategy is significantly worse"
        words = f"{best.rung} has the highest accuracy on {texts}, and {cost}"
    else:
        accuracies = [f"{100 * rung.test.accuracy.value:.1f} %" for rung in (cheapest, best)]
        words = (
            f"{cheapest.rung} is not significantly worse than {best.rung}, which has the highest "
            f"accuracy on {texts} ({accuracies[0]} against {accuracies[1]}, corrected p "
            f"{against.p_corrected:.2g}), and takes {cheapest.seconds.total:,.0f} s instead of "
            f"{best.seconds.total:,.0f} s"
        )
    return Verdict(rung=cheapest.rung, words=words)


def _choose(rungs: Sequence[RungRecord]) -> Chosen:
    """Choose the run to use: first the rung, then the seed, both by their validation accuracy.

    Of runs with the same accuracy, the cheaper one is chosen.
    """

    def merit(one: RungRecord | RungRun) -> tuple[float, float]:
        return one.validation.accuracy.value, -one.seconds.total

    rung = max(rungs, key=merit)
    run = max(rung.runs, key=merit)
    by = "the highest validation accuracy"
    return Chosen(rung=rung.rung, seed=run.seed, run=run.run, by=by)
