"""Decide which draws of the training rows are compared, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence

from thawline.compare.results import FinishedRun, group_by_rung
from thawline.data import Dataset
from thawline.evaluation.draws import Draws, mean_overlap
from thawline.runs.records import DrawnRows


def select_draws(
    made: Sequence[FinishedRun], draws: Sequence[Dataset]
) -> tuple[list[FinishedRun], DrawnRows | None]:
    """Return the runs on the draws that all rungs have, and describe these draws.

    Rungs without a run on draw 0 are left out.

    Args:
        made: The finished runs of a ladder, at least one of them on draw 0.
        draws: The data set of each draw.

    Returns:
        The runs, and the draws. These are None if only one draw is left, so that nothing is known
        about other training rows.
    """
    by_rung = [{one.run.draw for one in runs} for runs in group_by_rung(made).values()]
    common = sorted(set.intersection(*(own for own in by_rung if 0 in own)))
    on_first = {one.run.rung for one in made if one.run.draw == 0}
    kept = [one for one in made if one.run.draw in common and one.run.rung in on_first]
    if len(common) < 2:
        return kept, None
    rows = [
        {*draws[draw].train.rows.tolist(), *draws[draw].validation.rows.tolist()}
        if draws[draw].train.source == draws[draw].validation.source
        else {*draws[draw].train.rows.tolist()}
        for draw in common
    ]
    first = draws[0]
    return kept, DrawnRows(
        draws=common,
        rows=len(first.train) + len(first.validation),
        overlap=mean_overlap(rows),
        separate=first.separate_draws,
    )


def draws_of(rungs: Sequence[Sequence[FinishedRun]], drawn: DrawnRows | None) -> Draws | None:
    """Return the draw of each run, as the statistics need it. None if there is one draw.

    Args:
        rungs: The runs of each rung, from `select_draws`.
        drawn: The draws, from `select_draws`.
    """
    if drawn is None:
        return None
    of_runs = [[one.run.draw for one in made] for made in rungs]
    return Draws(of_runs, drawn.overlap, 0 if drawn.overlap else drawn.separate)
