"""Choose the run to use on validation alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from thawline.compare.results import FinishedRun
from thawline.evaluation.choosing import Keep, cheapest_within_one_error, nested_values
from thawline.evaluation.confusion import Floats
from thawline.evaluation.differences import Effects, measure_effects
from thawline.runs.records import Chosen, FitRecord, NestedScore, RungRecord

RULE = (
    "the nested accuracy on validation: the cheapest strategy within one standard error of the "
    "highest"
)
"""The rule by which the run to use is chosen."""


class NestedRungs(NamedTuple):
    """The validation scores of all rungs, with every choice made on other validation texts.

    Attributes:
        values: The correct predictions of each rung, ``(seeds, texts)``.
        effects: The scores of the rungs and their variances.
    """

    values: list[Floats]
    effects: Effects

    def score(self, rung: int) -> NestedScore:
        """Return the score of a rung, given by its position."""
        return NestedScore(
            value=float(self.effects.scores[rung]),
            standard_error=self.effects.standard_error(rung),
        )


def score_nested(rungs: Sequence[Sequence[FinishedRun]], copies: NDArray[np.int64]) -> NestedRungs:
    """Score each rung on validation by the nested choice, on draw 0.

    Args:
        rungs: The runs of each rung. Those on other draws have other validation texts, and are
            not used.
        copies: The number of the text of each validation row, which is the same for copies.
    """
    values = [
        np.stack([_nested_correct(one, copies) for one in made if one.run.draw == 0])
        for made in rungs
    ]
    return NestedRungs(values, measure_effects(values, copies=copies))


def _nested_correct(one: FinishedRun, copies: NDArray[np.int64]) -> Floats:
    """Return how often each validation text is predicted correctly, from 0 to 1."""
    record, logits = one.record, one.logits
    # With too many classes, no candidates are kept. The score is then that of the final classifier.
    candidates = logits.candidates if len(logits.candidates) else logits.validation[None]
    keep = "loss" if record.kept is None else cast(Keep, record.kept.by)
    return nested_values(candidates, logits.validation_labels, copies, keep).correct


def choose_run(
    rungs: Sequence[RungRecord],
    made: Sequence[Sequence[FinishedRun]],
    nested: NestedRungs,
    costs: Sequence[float],
) -> Chosen:
    """Choose the cheapest rung within one standard error of the best, and then its best seed.

    Only runs on draw 0 are chosen, whose training rows are those of a comparison without draws. A
    run that kept its untrained weights is chosen only if all runs did.

    Args:
        rungs: The rungs.
        made: The runs of each rung.
        nested: Their validation scores.
        costs: Their costs, in any unit.
    """
    trained = [
        np.array([not _is_untrained(one.record) for one in ones if one.run.draw == 0])
        for ones in made
    ]
    among = [position for position, ones in enumerate(trained) if ones.any()]
    position = cheapest_within_one_error(nested.effects, costs, among or None)
    rung = rungs[position]
    on_first = [run for run in rung.runs if run.draw == 0]
    scores = nested.values[position].mean(axis=1)
    run = on_first[int(np.where(trained[position], scores, scores - 1).argmax())]
    best = max(among or range(len(rungs)), key=lambda one: nested.effects.scores[one])
    return Chosen(
        rung=rung.rung,
        seed=run.seed,
        run=run.run,
        score=rung.nested.value,
        standard_error=nested.effects.standard_error(best),
        by=RULE,
    )


def _is_untrained(record: FitRecord) -> bool:
    """Return whether the weights before training are kept, with a random head."""
    return record.kept is not None and record.kept.step == 0 and record.head_first is None
