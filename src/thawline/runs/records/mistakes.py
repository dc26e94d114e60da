"""The mistakes of a classifier, its error rates, and sample predictions."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record
from thawline.runs.records.scores import Score

RecordedText = str | tuple[str, str]
"""A text, or the two texts of a pair."""


class Mistake(Record):
    """A text whose predicted class is not its label."""

    row: int = Field(description="The row number in the split of the source, counted from 0.")
    label: str = Field(description="The name of the true class.")
    predicted: str = Field(description="The name of the predicted class.")
    probability: float = Field(description="The probability of the predicted class, from 0 to 1.")
    tokens: int = Field(description="The number of tokens of the text before truncation.")
    truncated: bool = Field(description="Whether the classifier read only a part of the text.")
    text: RecordedText = Field(
        description="The text, on one line and shortened to report.characters characters."
    )


class ErrorRate(Record):
    """The error rate of texts of one kind. Its interval counts the copies of a text as one text."""

    rows: int = Field(description="The number of texts of this kind.")
    mistakes: int = Field(description="The number of these texts that were predicted incorrectly.")
    error_rate: Score | None = Field(
        description="The share of mistakes, from 0 to 1, with Wilson's interval; null if there are "
        "no texts."
    )


class LengthErrorRate(ErrorRate):
    """The error rate of a quarter of the texts, ordered by length."""

    shortest: int = Field(description="The number of tokens of the shortest text in the quarter.")
    longest: int = Field(description="The number of tokens of the longest text in the quarter.")


class ErrorRates(Record):
    """Error rates by truncation and by length."""

    whole: ErrorRate = Field(description="The error rate of the texts that were read completely.")
    truncated: ErrorRate = Field(description="The error rate of the texts that were truncated.")
    by_length: list[LengthErrorRate] = Field(
        description="The error rate of each quarter, from the shortest to the longest texts. Texts "
        "of equal length are in the same quarter, so there may be fewer than four quarters."
    )


class Mistakes(Record):
    """The mistakes of the classifier on the test split."""

    texts: int = Field(description="The number of test texts.")
    rows: list[int] = Field(
        description="The row numbers of all mistakes in the split of the source, counted from 0."
    )
    most_confident: list[Mistake] = Field(
        description="The mistakes with the highest probability, the most confident first."
    )
    error_rates: ErrorRates = Field(description="Error rates by truncation and by length.")


class Guess(Record):
    """The prediction of one model for a text."""

    predicted: str = Field(description="The name of the predicted class.")
    probability: float = Field(description="The probability of that class, from 0 to 1.")


class Answer(Record):
    """A text of the user (--show) with its prediction before and after training."""

    text: RecordedText = Field(
        description="The text, on one line and shortened to report.characters characters."
    )
    tokens: int = Field(description="The number of tokens of the text before truncation.")
    untrained: Guess = Field(description="The prediction before training.")
    adapted: Guess = Field(description="The prediction after training.")


class Sample(Record):
    """A test text with its prediction before and after training."""

    row: int = Field(description="The row number in the split of the source, counted from 0.")
    text: RecordedText = Field(
        description="The text, on one line and shortened to report.characters characters."
    )
    label: str = Field(description="The name of the true class.")
    tokens: int = Field(description="The number of tokens of the text before truncation.")
    untrained: Guess = Field(description="The prediction before training.")
    adapted: Guess = Field(description="The prediction after training.")
