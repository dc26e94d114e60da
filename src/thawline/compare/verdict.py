"""Compare the runs of a ladder: the pairs of rungs, the verdict and the run to use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from thawline.compare.choice import choose_run, score_nested
from thawline.compare.copies import Copies, copied_texts
from thawline.compare.draws import draws_of
from thawline.compare.results import (
    FinishedRun,
    MeasuredCosts,
    declared_cost,
    describe_rung,
    group_by_rung,
)
from thawline.compare.words import verdict_words
from thawline.config import LadderConfig, MetricsConfig
from thawline.data.labels import IntArray
from thawline.evaluation import standings
from thawline.evaluation.contrasts import Contrast, DifferenceInterval
from thawline.evaluation.differences import Effects, measure_effects
from thawline.evaluation.draws import Draws
from thawline.evaluation.f1_differences import measure_f1_effects
from thawline.evaluation.paired_tests import paired_tests
from thawline.runs.records import (
    Comparison,
    Difference,
    DrawnRows,
    PairedTest,
    RungPair,
    RungRecord,
    Standing,
    Verdict,
)


def compare_runs(
    config: LadderConfig,
    made: Sequence[FinishedRun],
    copies: Copies,
    costs: MeasuredCosts | None = None,
    drawn: DrawnRows | None = None,
) -> Comparison:
    """Compare the finished runs of a ladder.

    Test serves only to report differences. The run to use is chosen on validation.

    Args:
        config: The settings of the ladder.
        made: Its finished runs, ordered by rung, then by draw and by seed. The rungs may have
            different numbers of seeds.
        copies: The copies among the validation and test rows.
        costs: The costs that the records of the runs do not contain. If None, there are none.
        drawn: The draws of the training rows. If None, there is one.
    """
    costs = MeasuredCosts() if costs is None else costs
    rungs = list(group_by_rung(made).values())
    draws = draws_of(rungs, drawn)
    correct = [correct_predictions(one) for one in rungs]
    accuracy = measure_effects(correct, draws, copies.test)
    metrics, margin = config.fit.metrics, config.margin / 100
    names = [one[0].run.rung for one in rungs]
    nested = score_nested(rungs, copies.validation)
    found = standings.decide_standings(accuracy, margin, metrics.confidence)
    described = [
        describe_rung(one, costs, _standing(standing, names), nested.score(position))
        for position, (one, standing) in enumerate(zip(rungs, found, strict=True))
    ]
    by_cost = [declared_cost(rung, config) for rung in described]
    return Comparison(
        rungs=described,
        pairs=_compare_pairs(rungs, correct, accuracy, metrics, draws, copies.test),
        verdict=decide(described, by_cost, config, copies, drawn),
        chosen=choose_run(described, rungs, nested, by_cost),
        drawn=drawn,
    )


def decide(
    rungs: Sequence[RungRecord],
    costs: Sequence[float],
    config: LadderConfig,
    copies: Copies,
    drawn: DrawnRows | None = None,
) -> Verdict:
    """Return the cheapest rung that is within the margin of the best one, if one is.

    Args:
        rungs: The rungs.
        costs: The costs of the rungs. Of equally cheap rungs, the more accurate one is named.
        config: The settings of the ladder.
        copies: The copies among the validation and test rows.
        drawn: The draws of the training rows. If None, there is one.
    """
    about: Literal["models", "strategies", "new_rows"] = "models"
    if drawn is not None:
        about = "new_rows"
    elif all(len(rung.runs) > 1 for rung in rungs):
        about = "strategies"
    within = [
        (cost, -rung.test.accuracy.value, rung.rung)
        for rung, cost in zip(rungs, costs, strict=True)
        if rung.standing.decision == "within"
    ]
    verdict = Verdict(
        rung=min(within)[2] if within else None,
        margin=config.margin / 100,
        confidence=config.fit.metrics.confidence,
        cost=config.cost,
        about=about,
        words="",
    )
    texts = copied_texts(copies)
    return verdict.model_copy(update={"words": verdict_words(rungs, verdict, texts, drawn)})


def correct_predictions(made: Sequence[FinishedRun]) -> NDArray[np.bool_]:
    """Return whether each test text is predicted correctly, ``(seeds, texts)``."""
    return np.stack([_predicted(one) == one.logits.test_labels for one in made])


def _predicted(one: FinishedRun) -> NDArray[np.int64]:
    predicted: NDArray[np.int64] = one.logits.test.argmax(axis=1)
    return predicted


def _losses(made: Sequence[FinishedRun]) -> NDArray[np.float64]:
    """Return the cross-entropy of each test text in nats, ``(seeds, texts)``."""
    labels = made[0].logits.test_labels[:, None]
    logarithms = [log_softmax(one.logits.test.astype(np.float64), axis=1) for one in made]
    return np.stack([-np.take_along_axis(one, labels, axis=1)[:, 0] for one in logarithms])


def _compare_pairs(
    rungs: Sequence[Sequence[FinishedRun]],
    correct: Sequence[NDArray[np.bool_]],
    accuracy: Effects,
    metrics: MetricsConfig,
    draws: Draws | None,
    copies: IntArray,
) -> list[RungPair]:
    """Return the differences between the first and the second rung of every pair."""
    pairs = list(combinations(range(len(rungs)), 2))
    if not pairs:
        return []
    first = rungs[0][0]
    f1_macro = measure_f1_effects(
        first.logits.test_labels,
        [np.stack([_predicted(one) for one in made]) for made in rungs],
        first.logits.test.shape[1],
        metrics.resamples,
        metrics.seed,
        draws,
        copies,
    )
    loss = measure_effects([_losses(made) for made in rungs], draws, copies)
    tests = _test_pairs(correct, pairs, copies)
    found = []
    for i, j in pairs:
        intervals = [
            _difference(effects.contrast(i, j), metrics.confidence)
            for effects in (accuracy, f1_macro, loss)
        ]
        found.append(
            RungPair(
                first=rungs[i][0].run.rung,
                second=rungs[j][0].run.rung,
                accuracy=intervals[0],
                f1_macro=intervals[1],
                loss=intervals[2],
                test=tests.get((i, j)),
            )
        )
    return found


def _test_pairs(
    correct: Sequence[NDArray[np.bool_]], pairs: Sequence[tuple[int, int]], copies: IntArray
) -> dict[tuple[int, int], PairedTest]:
    """Return McNemar's test of each pair of rungs with the same number of seeds."""
    equal = [(i, j) for i, j in pairs if len(correct[i]) == len(correct[j])]
    return dict(zip(equal, paired_tests(correct, equal, copies), strict=True))


def _difference(contrast: Contrast, confidence: float) -> Difference:
    return _record(contrast.interval(confidence), sign=1)


def _record(interval: DifferenceInterval, sign: int) -> Difference:
    """Return an interval for the record, with its sign changed if ``sign`` is -1."""
    freedom = interval.degrees_of_freedom
    low, high = sorted((sign * interval.low, sign * interval.high))
    return Difference(
        value=sign * interval.value + 0.0,  # no negative zero
        low=low + 0.0,
        high=high + 0.0,
        degrees_of_freedom=None if freedom is None or math.isinf(freedom) else freedom,
    )


def _standing(found: standings.Standing, names: Sequence[str]) -> Standing:
    """Return a standing for the record."""
    is_alone = found.best_other is None
    return Standing(
        decision=found.decision,
        best_other=None if found.best_other is None else names[found.best_other],
        below_best=None if found.below_best is None else _record(found.below_best, sign=-1),
        lower_bound=None if is_alone else found.lower_bound,
        upper_bound=None if is_alone else found.upper_bound,
        better=[names[other] for other in found.better],
        texts_to_decide=found.texts_to_decide,
        seeds_to_decide=found.seeds_to_decide,
        draws_to_decide=found.draws_to_decide,
    )
