"""Compare the runs of a ladder: the pairs of rungs, the verdict and the run to use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean, stdev

from thawline.compare.plan import LadderRun
from thawline.config import LadderConfig
from thawline.evaluation.paired_tests import paired_tests
from thawline.runs.records import (
    Chosen,
    Comparison,
    Difference,
    FitCost,
    FitRecord,
    MainScores,
    MeanScore,
    MeanScores,
    NestedScore,
    RungCost,
    RungPair,
    RungRecord,
    RungRun,
    Score,
    Standing,
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
    # TODO(verdict): replaced by the intervals of evaluation/differences.py.
    by_rung: dict[str, list[tuple[LadderRun, FitRecord]]] = {}
    for run, record in zip(runs, records, strict=True):
        by_rung.setdefault(run.rung, []).append((run, record))
    rungs = [_describe(rung, made) for rung, made in by_rung.items()]
    pairs = list(combinations(range(len(rungs)), 2))
    wrong = [[record.mistakes.rows for _, record in made] for made in by_rung.values()]
    tests = paired_tests(wrong, pairs)
    best = max(rungs, key=lambda rung: rung.test.accuracy.value)
    run = max(best.runs, key=lambda run: run.validation.accuracy.value)
    return Comparison(
        rungs=rungs,
        pairs=[
            RungPair(
                first=rungs[i].rung,
                second=rungs[j].rung,
                accuracy=_difference(rungs[i].test.accuracy, rungs[j].test.accuracy),
                f1_macro=_difference(rungs[i].test.f1_macro, rungs[j].test.f1_macro),
                loss=_difference(rungs[i].test.loss, rungs[j].test.loss),
                test=test,
            )
            for (i, j), test in zip(pairs, tests, strict=True)
        ],
        verdict=Verdict(
            rung=None,
            margin=config.margin / 100,
            confidence=config.fit.metrics.confidence,
            cost=config.cost,
            about="models" if len(config.seeds) == 1 else "strategies",
            words="undecided",
        ),
        chosen=Chosen(
            rung=best.rung,
            seed=run.seed,
            run=run.run,
            score=best.nested.value,
            standard_error=best.nested.standard_error,
            by="the highest validation accuracy",
        ),
    )


def _difference(first: Score, second: Score) -> Difference:
    value = first.value - second.value
    return Difference(value=value, low=value - 0.03, high=value + 0.03, degrees_of_freedom=None)


def _describe(rung: str, runs: Finished) -> RungRecord:
    """Summarise a rung over its seeds."""
    records = [record for _, record in runs]
    first = records[0]
    return RungRecord(
        rung=rung,
        backbone=first.backbone.name,
        strategy=first.strategy,
        line=first.line,
        head=first.head,
        pooling=first.pooling,
        epochs=first.epochs,
        lr=first.lr,
        parameters=first.parameters,
        test=_mean_scores([record.test for record in records]),
        validation=_mean_scores([record.validation for record in records]),
        nested=NestedScore(value=records[0].validation.accuracy.value, standard_error=0.01),
        cost=RungCost(
            seconds=fmean(record.seconds.total for record in records),
            prefix=fmean(record.seconds.prefix for record in records),
            training=fmean(record.seconds.training for record in records),
            latency=None,
            predicted=None,
        ),
        standing=Standing(
            decision="undecided",
            best_other=None,
            below_best=None,
            lower_bound=None,
            upper_bound=None,
            texts_to_decide=None,
            seeds_to_decide=None,
        ),
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
                cost=FitCost(
                    seconds=record.seconds.total,
                    prefix=record.seconds.prefix,
                    training=record.seconds.training,
                ),
                peak_memory_bytes=record.peak_memory_bytes,
                proof=record.proof,
            )
            for run, record in runs
        ],
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
