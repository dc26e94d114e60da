"""The data set of a run, and the report of its inspection."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record, SplitName, is_none


class LabelNames(Record):
    """The classes of a data set."""

    names: list[str] = Field(description="The name of each class, in the order of the ids.")
    values: list[int | str] = Field(
        description="The value of each class in the label column, in the order of the ids."
    )


class SplitOrigin(Record):
    """The origin of a split."""

    source: str = Field(description="The split of the source that the rows come from.")
    rows: int = Field(description="The number of rows.")
    how: str = Field(description="A description of how the rows were chosen.")


class Protocol(Record):
    """The way in which a data set was split."""

    splits: dict[SplitName, SplitOrigin] = Field(description="The origin of each split.")
    row_seed: int = Field(description="The random seed for the choice of rows.")
    limit: tuple[int, int] | None = Field(
        description="The limits (train and validation rows, test rows); null without limits."
    )
    draw: int | None = Field(
        default=None,
        exclude_if=is_none,
        description="The number of the sample of train and validation rows; missing for 0.",
    )


class DataReference(Record):
    """A data set."""

    name: str = Field(description="A short name of the data set.")
    sha256: str = Field(description="A SHA-256 over the texts and labels of all three splits.")
    protocol: Protocol = Field(description="How the data set was split.")
    text_columns: list[str] = Field(
        default=[],
        description="The column of the texts, or the two columns of pairs; joined columns have one "
        "name, such as title+content; empty if the source has no named columns.",
    )
    label_column: str | None = Field(
        default=None,
        description="The column of the labels; null if the source has no named columns.",
    )
    notes: list[str] = Field(
        default=[],
        description="Sentences on what was assumed or ignored when the data was read, and on how "
        "the splits were made.",
    )


class LadderData(DataReference):
    """The data set of a ladder, with its classes."""

    labels: LabelNames = Field(description="The classes.")


class FitData(DataReference):
    """The data set of a fit, with the rows of each split."""

    rows: dict[SplitName, list[int]] = Field(
        description="The row numbers of each split in its source, counted from 0."
    )


class SurveyedRows(Record):
    """Statistics of labelled texts."""

    rows: int = Field(description="The number of texts.")
    classes: dict[str, int] = Field(description="The number of rows of each class.")
    imbalance: float | None = Field(
        description="The rows of the largest class divided by those of the smallest class that "
        "has rows; null if there are no rows."
    )
    empty: int = Field(description="The number of texts without visible characters.")
    tokens: dict[str, int | None] = Field(
        description="Quantiles of the lengths of the texts in tokens: min, 10 %, median, 90 %, "
        "99 % and max; null if there are no texts."
    )
    truncated: float | None = Field(
        description="The share of texts, from 0 to 1, that are longer than max_length; null if "
        "there are no texts."
    )
    lengths_of: int = Field(description="The number of texts whose tokens were counted.")


class ShownRow(Record):
    """A randomly chosen row."""

    row: int = Field(description="The row number in the split of the source, counted from 0.")
    label: str = Field(description="The name of the class.")
    text: str = Field(description="The text, on one line and shortened.")


class SurveyedSplit(SurveyedRows):
    """Statistics of one split."""

    source: str = Field(description="The split of the source that the rows come from.")
    shown: list[ShownRow] = Field(description="Some randomly chosen rows.")


class CopyPlace(Record):
    """The rows of a split that have the same text."""

    split: SplitName = Field(description="The split.")
    copies: int = Field(description="The number of rows with this text.")
    rows: list[int] = Field(description="The first of these row numbers, counted from 0.")
    labels: list[str] = Field(description="The names of the classes of these rows.")
    text: str = Field(description="The text, on one line and shortened.")


class CopyExample(Record):
    """A text and its duplicate or near duplicate."""

    similarity: float = Field(
        description="The Jaccard similarity of the two texts, from 0 to 1; 1 for equal texts."
    )
    copies: list[CopyPlace] = Field(description="The places of the two texts.")


class Copies(Record):
    """The texts of a split that occur more than once, or that also occur in another split."""

    texts: int = Field(description="The number of distinct texts.")
    conflicting: int = Field(description="The number of these texts that have several labels.")
    examples: list[CopyExample] = Field(
        description="Examples of these texts, those with several labels first."
    )


class CopiesAcross(Copies):
    """The texts of one split that also occur in an earlier one."""

    splits: tuple[SplitName, SplitName] = Field(
        description="The earlier split, and the split whose texts are counted."
    )


class CopiesFound(Record):
    """Duplicates of one kind, within splits and between them."""

    within: dict[SplitName, Copies] = Field(description="The duplicates within each split.")
    across: list[CopiesAcross] = Field(description="The duplicates between two splits.")


class DuplicatesFound(Record):
    """All duplicates of a data set."""

    exact: CopiesFound = Field(description="Equal texts.")
    near: CopiesFound | None = Field(
        description="Near duplicates; null if they were not searched for."
    )
    conflicting: int = Field(
        description="The number of distinct texts that occur with more than one label. Texts that "
        "differ only in case or white space count as one."
    )


class SharedTexts(Record):
    """The texts of a split that have copies in earlier splits.

    Copies differ at most in case, in white space or in the composition of characters.
    """

    split: SplitName = Field(description="The split whose texts are counted.")
    others: list[SplitName] = Field(description="The earlier splits that hold the copies.")
    texts: int = Field(description="The number of distinct texts with a copy.")
    exact: int = Field(description="The number of these texts with an equal copy.")
    conflicting: int = Field(
        description="The number of these texts that have several labels, with their copies."
    )
    swapped: int = Field(
        description="The number of other pairs whose two texts occur there in the opposite order."
    )


class Leakage(Record):
    """Validation and test texts that also occur in earlier splits."""

    exact: Copies = Field(description="Test texts with an equal text in train or validation.")
    near: Copies | None = Field(
        description="Near duplicates of other test texts; null if they were not searched for."
    )
    copies: list[SharedTexts] = Field(
        default_factory=list,
        description="Validation texts with copies in train, and test texts with copies in train "
        "or validation.",
    )


class AgainstFile(Record):
    """The texts of another file that the data set contains."""

    texts: int = Field(description="The number of texts in the file.")
    distinct: int = Field(description="The number of distinct texts in the file.")
    found_in: dict[SplitName, int] = Field(
        alias="in", description="The number of these distinct texts in each split."
    )


class SurveySeconds(Record):
    """The duration of an inspection, in seconds."""

    tokens: float = Field(description="Seconds spent on counting tokens.")
    duplicates: float = Field(description="Seconds spent on the search for duplicates.")
    total: float = Field(description="Seconds of the complete inspection.")


class Survey(Record):
    """The report on the inspection of a data set.

    `fit` inspects quickly: it does not search for near duplicates, and it counts the tokens of a
    sample of the rows.
    """

    data: str = Field(description="A short name of the data set.")
    max_length: int | None = Field(
        description="The maximum number of tokens per text; null for the strategy tfidf, which "
        "truncates no text. Its lengths are counted in words."
    )
    truncation_side: str | None = Field(
        description="The side on which a long text is truncated: left or right; null for tfidf."
    )
    splits: dict[SplitName, SurveyedSplit] = Field(description="Statistics of each split.")
    similar_labels: list[list[str]] = Field(
        default_factory=list,
        description="Groups of class names that are probably spellings of the same class.",
    )
    all: SurveyedRows = Field(description="Statistics of all splits together.")
    duplicates: DuplicatesFound = Field(description="Texts that occur more than once.")
    leakage: Leakage = Field(
        description="Validation and test texts that also occur in earlier splits."
    )
    against: AgainstFile | None = Field(
        description="The comparison with another file; null without one."
    )
    findings: list[str] = Field(
        description="Problems that a user should know before training, one sentence each."
    )
    seconds: SurveySeconds = Field(description="The duration of the inspection.")


class PreflightReport(Survey):
    """The output of ``thawline preflight --json``."""

    backbone: str = Field(description="The backbone whose tokenizer counted the tokens.")
    file: str | None = Field(description="The file that was compared; null without one.")
    notes: list[str] = Field(description="Sentences on how the splits were made.")
