"""The data that a run was made from, and what a survey found in it."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record, SplitName


class LabelNames(Record):
    """The classes of a data set."""

    names: list[str] = Field(description="The name of each class, in the order of the ids.")
    values: list[int | str] = Field(
        description="The value that stands for each class in the label column."
    )


class SplitOrigin(Record):
    """How a split came about."""

    source: str = Field(description="The split of the source that its rows come from.")
    rows: int = Field(description="The number of its rows.")
    how: str = Field(description="How its rows were chosen, in words.")


class Protocol(Record):
    """How a data set was split."""

    splits: dict[SplitName, SplitOrigin] = Field(description="The origin of each split.")
    row_seed: int = Field(description="The seed of all random choices of rows.")
    limit: tuple[int, int] | None = Field(
        description="The limits (train and validation rows, test rows); null without limits."
    )


class DataReference(Record):
    """The data set that a ladder was made from."""

    name: str = Field(description="A short name of the data set.")
    sha256: str = Field(description="A SHA-256 over the texts and labels of all three splits.")
    protocol: Protocol = Field(description="How the data set was split.")


class LadderData(DataReference):
    """The data set of a ladder, with its classes."""

    labels: LabelNames = Field(description="The classes.")


class FitData(DataReference):
    """The data set of a fit, with the rows of each split."""

    rows: dict[SplitName, list[int]] = Field(
        description="The row numbers of each split in its source, counted from 0."
    )


class SurveyedRows(Record):
    """What is known of some labelled texts."""

    rows: int = Field(description="The number of texts.")
    classes: dict[str, int] = Field(description="The number of rows of each class.")
    imbalance: float | None = Field(
        description="Rows of the largest class for each row of the smallest class that has any; "
        "null without rows."
    )
    empty: int = Field(description="The number of texts without any visible character.")
    tokens: dict[str, int | None] = Field(
        description="Quantiles of the texts' lengths in tokens: min, 10 %, median, 90 %, 99 % and "
        "max; null without texts."
    )
    truncated: float | None = Field(
        description="The share of texts, from 0 to 1, that are longer than max_length; null "
        "without texts."
    )
    lengths_of: int = Field(description="The number of texts whose tokens were counted.")


class ShownRow(Record):
    """A row that was drawn at random to be shown."""

    row: int = Field(description="The row number in the split of the source, counted from 0.")
    label: str = Field(description="The name of its class.")
    text: str = Field(description="Its text, on one line and shortened.")


class SurveyedSplit(SurveyedRows):
    """What is known of one split."""

    source: str = Field(description="The split of the source that its rows come from.")
    shown: list[ShownRow] = Field(description="Some rows, drawn at random.")


class CopyPlace(Record):
    """The place of a text that occurs more than once."""

    split: SplitName = Field(description="The split.")
    copies: int = Field(description="How many rows of the split have this text.")
    rows: list[int] = Field(description="The numbers of the first of these rows, counted from 0.")
    labels: list[str] = Field(description="The names of their classes.")
    text: str = Field(description="The text, on one line and shortened.")


class CopyExample(Record):
    """A text and its copy or near duplicate."""

    similarity: float = Field(
        description="The Jaccard similarity of the two texts, from 0 to 1; 1 for equal texts."
    )
    copies: list[CopyPlace] = Field(description="Where the two texts occur.")


class Copies(Record):
    """The texts of a split that also occur elsewhere."""

    texts: int = Field(description="The number of distinct texts.")
    conflicting: int = Field(description="How many of them occur with different labels.")
    examples: list[CopyExample] = Field(description="Some of them, those with conflicts first.")


class CopiesAcross(Copies):
    """The texts of one split that also occur in an earlier one."""

    splits: tuple[SplitName, SplitName] = Field(
        description="The earlier split and the split whose texts are counted."
    )


class CopiesFound(Record):
    """Duplicates of one kind, within splits and between them."""

    within: dict[SplitName, Copies] = Field(description="The duplicates within each split.")
    across: list[CopiesAcross] = Field(description="The duplicates between two splits.")


class DuplicatesFound(Record):
    """All duplicates of a data set."""

    exact: CopiesFound = Field(description="Equal texts.")
    near: CopiesFound | None = Field(
        description="Near duplicates; null if they were not looked for."
    )
    conflicting: int = Field(description="Distinct texts that occur with more than one label.")


class Leakage(Record):
    """Test texts that also occur in train or validation."""

    exact: Copies = Field(description="Equal texts.")
    near: Copies | None = Field(
        description="Near duplicates of further test texts; null if they were not looked for."
    )


class AgainstFile(Record):
    """Which texts of another file the data set contains."""

    texts: int = Field(description="The number of texts in the file.")
    distinct: int = Field(description="The number of distinct texts in the file.")
    found_in: dict[SplitName, int] = Field(
        alias="in", description="How many of the distinct texts each split contains."
    )


class SurveySeconds(Record):
    """How long a survey took, in seconds."""

    tokens: float = Field(description="Seconds spent on counting tokens.")
    duplicates: float = Field(description="Seconds spent on looking for duplicates.")
    total: float = Field(description="Seconds of the whole survey.")


class Survey(Record):
    """What a survey found in a data set.

    A fit takes a quick survey: it looks for no near duplicates and counts the tokens of some rows.
    """

    data: str = Field(description="A short name of the data set.")
    max_length: int = Field(description="The number of tokens that are kept of a text.")
    truncation_side: str = Field(
        description="The side on which a long text is truncated: left or right."
    )
    splits: dict[SplitName, SurveyedSplit] = Field(description="What is known of each split.")
    all: SurveyedRows = Field(description="What is known of all splits together.")
    duplicates: DuplicatesFound = Field(description="Texts that occur more than once.")
    leakage: Leakage = Field(description="Test texts that also occur in train or validation.")
    against: AgainstFile | None = Field(
        description="The comparison with another file (--against); null without one."
    )
    findings: list[str] = Field(description="What a user should know before training, in words.")
    seconds: SurveySeconds = Field(description="How long the survey took.")


class PreflightReport(Survey):
    """What ``thawline preflight --json`` prints."""

    backbone: str = Field(description="The backbone whose tokenizer counted the tokens.")
    file: str | None = Field(
        description="The file that was compared (--against); null without one."
    )
    notes: list[str] = Field(description="How the splits came about, in words.")
