"""Describe the rungs of a ladder over their draws and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

from thawline.compare.plan import LadderRun
from thawline.config import LadderConfig
from thawline.report.tradeoff import rung_cost
from thawline.runs.logits import RunLogits, read_logits
from thawline.runs.records import (
    FitCost,
    FitRecord,
    MainScores,
    MeanScore,
    MeanScores,
    NestedScore,
    RungCost,
    RungRecord,
    RungRun,
    Score,
    Standing,
)


@dataclass(frozen=True)
class FinishedRun:
    """A finished run of a ladder.

    Attributes:
        run: The rung, the settings and the folder.
        record: The record.
        logits: The logits on validation and test.
    """

    run: LadderRun
    record: FitRecord
    logits: RunLogits

    @classmethod
    def read(cls, run: LadderRun, record: FitRecord) -> FinishedRun:
        """Read the logits of a run.

        Raises:
            ThawlineError: If they are missing or damaged.
        """
        return cls(run, record, read_logits(run.folder, record))


@dataclass(frozen=True)
class MeasuredCosts:
    """Costs that the records of the runs do not contain, by the name of the rung.

    Attributes:
        latency: Seconds for the prediction of one text.
        predicted: Seconds of a run that were predicted before it was made.
    """

    latency: Mapping[str, float] = field(default_factory=dict)
    predicted: Mapping[str, float] = field(default_factory=dict)


def group_by_rung(made: Sequence[FinishedRun]) -> dict[str, list[FinishedRun]]:
    """Return the runs of each rung, in the given order."""
    by_rung: dict[str, list[FinishedRun]] = {}
    for one in made:
        by_rung.setdefault(one.run.rung, []).append(one)
    return by_rung


def describe_rung(
    made: Sequence[FinishedRun], costs: MeasuredCosts, standing: Standing, nested: NestedScore
) -> RungRecord:
    """Summarise a rung over its draws and seeds.

    Args:
        made: The runs of the rung.
        costs: The costs that were measured apart from the runs.
        standing: The position relative to the best of the other rungs.
        nested: The accuracy on validation by the nested choice.
    """
    records = [one.record for one in made]
    first, name = records[0], made[0].run.rung
    run_costs = [_cost_of(record) for record in records]
    draws = [one.run.draw for one in made]
    return RungRecord(
        rung=name,
        backbone=None if first.backbone is None else first.backbone.name,
        strategy=first.strategy,
        line=first.line,
        head=first.head,
        pooling=first.pooling,
        epochs=first.epochs,
        lr=first.lr,
        parameters=first.parameters,
        test=_mean_scores([record.test for record in records], draws),
        validation=_mean_scores([record.validation for record in records], draws),
        nested=nested,
        cost=RungCost(
            seconds=fmean(cost.seconds for cost in run_costs),
            prefix=fmean(cost.prefix for cost in run_costs),
            training=fmean(cost.training for cost in run_costs),
            latency=costs.latency.get(name),
            predicted=costs.predicted.get(name),
        ),
        standing=standing,
        peak_memory_bytes=max(record.peak_memory_bytes for record in records),
        runs=[
            RungRun(
                seed=one.run.seed,
                draw=one.run.draw,
                run=one.run.name,
                features=one.record.features,
                test=one.record.test.main_scores(),
                validation=one.record.validation.main_scores(),
                history=one.record.history,
                seconds=one.record.seconds,
                cost=cost,
                peak_memory_bytes=one.record.peak_memory_bytes,
                proof=one.record.proof,
            )
            for one, cost in zip(made, run_costs, strict=True)
        ],
    )


def _cost_of(record: FitRecord) -> FitCost:
    assert record.cost is not None, "a run that has logits has its cost too"
    return record.cost


def declared_cost(rung: RungRecord, config: LadderConfig) -> float:
    """Return the cost of a rung by which the rungs of a ladder are compared.

    It is infinite if it was not measured.
    """
    cost = rung_cost(rung, config.cost)
    return float("inf") if cost is None else cost


def _mean_scores(runs: Sequence[MainScores], draws: Sequence[int]) -> MeanScores:
    """Return the mean and the standard deviation of each score over the seeds, or the draws.

    Args:
        runs: The scores of each run.
        draws: The draw of each run.
    """
    return MeanScores(
        rows=runs[0].rows,
        confidence_level=runs[0].confidence_level,
        accuracy=_mean([scores.accuracy for scores in runs], draws),
        f1_macro=_mean([scores.f1_macro for scores in runs], draws),
        f1_weighted=_mean([scores.f1_weighted for scores in runs], draws),
        loss=_mean([scores.loss for scores in runs], draws),
        calibration_error=_mean([scores.calibration_error for scores in runs], draws),
    )


def _mean(scores: Sequence[Score], draws: Sequence[int]) -> MeanScore:
    values = _average_draws((score.value for score in scores), draws)
    return MeanScore(
        value=fmean(values),
        low=fmean(_average_draws((score.low for score in scores), draws)),
        high=fmean(_average_draws((score.high for score in scores), draws)),
        deviation=stdev(values) if len(values) > 1 else None,
    )


def _average_draws(values: Iterable[float], draws: Sequence[int]) -> list[float]:
    """Average the values of the runs on each draw. With one draw, return them as they are."""
    if len(set(draws)) == 1:
        return list(values)
    by_draw: dict[int, list[float]] = {}
    for value, draw in zip(values, draws, strict=True):
        by_draw.setdefault(draw, []).append(value)
    return [fmean(own) for own in by_draw.values()]
