"""The learning curves of a ladder: the scores of its rungs by the number of rows."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record
from thawline.runs.records.scores import MeanScore


class CurvePoint(Record):
    """The scores of a rung that was fitted on a part of the rows, averaged over its seeds."""

    rung: str = Field(description="The name of the rung.")
    rows: int = Field(description="The number of rows of train and validation together.")
    accuracy: MeanScore = Field(description="The accuracy on test.")
    f1_macro: MeanScore = Field(description="Macro F1 on test.")
    seconds: float = Field(description="The cost of a run, in seconds, as in `cost.seconds`.")


class EnoughRows(Record):
    """How many rows a rung needs for nearly the accuracy that it has with all rows."""

    rung: str = Field(description="The name of the rung.")
    rows: int | None = Field(
        description="The smallest number of rows with which the rung is shown to be within the "
        "margin of its best accuracy over all numbers of rows; null if none is shown to be."
    )


class Crossing(Record):
    """A number of rows at which one rung overtakes another.

    Both differences exclude 0, at the confidence level of a single difference.
    """

    fewer: str = Field(description="The rung that is better with few rows.")
    more: str = Field(description="The rung that is better with many rows.")
    above: int = Field(description="The largest number of rows with which `fewer` is better.")
    below: int = Field(description="The smallest number of rows with which `more` is better.")
    rows: int = Field(
        description="The number of rows in between at which the difference is 0, if it changes in "
        "proportion to the logarithm of the number of rows."
    )


class LearningCurves(Record):
    """The scores of all rungs by the number of rows, on nested parts of the data."""

    sizes: list[int] = Field(
        description="The numbers of rows of train and validation together, in ascending order. The "
        "last one is that of all rows."
    )
    points: list[CurvePoint] = Field(description="One point for each rung and number of rows.")
    enough: list[EnoughRows] = Field(description="One entry for each rung.")
    crossings: list[Crossing] = Field(description="Where one rung overtakes another.")
    over_draws: bool = Field(
        default=False,
        description="Whether the means and deviations are those over draws of the training rows.",
    )
    left_out: list[int] = Field(
        description="The numbers of rows that did not fit into the budget, that exceed the data, "
        "or whose runs failed."
    )
    words: str = Field(description="The answer in sentences.")
