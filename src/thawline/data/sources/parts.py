"""The parts of a source of data, one for each split, which are read when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from thawline.data.labels import IntArray, Labels, join_words
from thawline.data.sources.columns import (
    find_label,
    find_texts,
    has_label,
    read_labels,
    read_texts,
    split_joined,
    whole_numbers,
)
from thawline.data.sources.files import DEFAULT_LIMITS, Limits
from thawline.data.sources.tables import Table
from thawline.data.texts import Text, shorten
from thawline.errors import ThawlineError, as_given

SPLITS = ("train", "validation", "test")
WHOLE = "whole"
"""The key of the only part of a source that is not split yet."""

_SPLIT_OF_STEM = {split: split for split in SPLITS} | dict.fromkeys(
    ("val", "valid", "dev"), "validation"
)
_SPLIT_COLUMNS = frozenset({"split", "set", "subset", "partition", "fold", "dataset_split"})
"""Common names of columns that hold the split of each row."""
_HIDDEN = "-1"


@dataclass(frozen=True)
class Part:
    """One labelled split of a source. It is opened and read on first use.

    Attributes:
        name: The name of the split in the source.
        open: Opens the table that holds the columns.
        text: The text column, or two columns separated by a comma. If None, the column is found by
            common names.
        label: The label column. If None, it is found by common names.
        known_names: The class names of a named data set, by label from 0.
        limits: How much may be read.
    """

    name: str
    open: Callable[[], Table]
    text: str | None = None
    label: str | None = None
    known_names: tuple[str, ...] = ()
    limits: Limits = DEFAULT_LIMITS

    @cached_property
    def table(self) -> Table:
        """The table that holds the columns."""
        return self.open()

    @cached_property
    def texts(self) -> list[Text]:
        """The text of each row.

        Raises:
            ThawlineError: If a text is missing or longer than the limit.
        """
        texts = read_texts(self.table, self.text)
        for row, text in enumerate(texts):
            length = len(text) if isinstance(text, str) else sum(map(len, text))
            if length > self.limits.text_characters:
                raise ThawlineError(
                    f"texts of at most {self.limits.text_characters:,} characters in "
                    f"{self.table.where}",
                    f"a text of {length:,} characters in row {row} (counting from 0)",
                    "check that `data.text` names the right column, or raise the limit with "
                    "`data.max_text_characters=NUMBER`",
                    setting="data.max_text_characters",
                )
        return texts

    @cached_property
    def text_columns(self) -> tuple[str, ...]:
        """The column of the texts, or the two columns of pairs."""
        return find_texts(self.table, self.text)

    @cached_property
    def label_column(self) -> str:
        """The column of the labels."""
        return find_label(self.table, self.label)

    @property
    def has_labels(self) -> bool:
        """Whether there is a label column. It may be empty."""
        return not self.table.columns or has_label(self.table, self.label)

    @cached_property
    def raw_labels(self) -> list[Any]:
        """The label of each row, as written in the source. Labels such as 1.0 are read as 1.

        Raises:
            ThawlineError: If there are no rows, or if a label is missing or invalid.
        """
        labels = self._labels
        numbers = whole_numbers(labels)
        return labels if numbers is None else numbers

    @cached_property
    def _labels(self) -> list[Any]:
        labels = read_labels(self.table, self.label) if self.table.columns else []
        if not labels:
            fix = "choose another file or split"
            expected = f"at least one row in {self.table.where}"
            raise ThawlineError(expected, "none", fix, setting="data.data")
        return labels

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was assumed when the table and its labels were read, one line each."""
        lines = list(self.table.warnings)
        if self.raw_labels is not self._labels:
            lines.append(f"labels such as 1.0 were read as 1 in {self.table.where}")
        return (*lines, *_unused_splits(self.table))

    @cached_property
    def codes(self) -> IntArray:
        """The class of each row, numbered by value and not by name, ``(rows,)``.

        Random rows are selected by these codes, so that the names of classes do not change the
        selection.
        """
        return Labels.from_raw(self.raw_labels, None).encode(self.raw_labels)

    @property
    def class_names(self) -> Mapping[int, str]:
        """The class names that the source provides, by label. Empty if it provides none."""
        return self.table.class_names.get(self.label_column, dict(enumerate(self.known_names)))

    @property
    def hidden_labels(self) -> str | None:
        """Why the labels cannot be used, as a clause. None if the part has labels."""
        if not self.has_labels:
            return "it has no label column"
        if all(str(label) == _HIDDEN for label in self.raw_labels):
            return "all of its labels are -1, which marks hidden labels"
        return None

    @property
    def has_minus_one(self) -> bool:
        """Whether -1 occurs as a label."""
        return any(str(label) == _HIDDEN for label in self.raw_labels)


@dataclass(frozen=True)
class Source:
    """The labelled splits of a source.

    Attributes:
        name: A short name, without a path.
        parts: The parts by the names in `SPLITS`, or a single part under `WHOLE`.
        warnings: Messages about what was ignored, one line each.
    """

    name: str
    parts: Mapping[str, Part]
    warnings: tuple[str, ...] = ()


def _unused_splits(table: Table) -> tuple[str, ...]:
    """Return one line for each column that assigns the rows to splits, because none is used."""
    lines = []
    for column in table.columns:
        if column.strip().lower() in _SPLIT_COLUMNS:
            values = {str(cell).strip() for cell in table.read(column)}
            if len(values) > 1 and all(map(split_of, values)):
                lines.append(
                    f"the column {column!r} of {table.where} ({join_words(sorted(values))}) is not "
                    "used; to keep these splits, write the rows of each to a file of its own, "
                    "named train, validation or test, in one folder"
                )
    return tuple(lines)


def describe_columns(texts: Iterable[str], label: str | None) -> str:
    """Return a sentence that names the columns of the texts and of the labels."""
    joined = [split_joined(column) for column in texts]
    quoted = [" + ".join(shorten(repr(name)) for name in names) for names in joined]
    several = sum(map(len, joined)) > 1
    columns = f"the {'columns' if several else 'column'} {' and '.join(quoted)}"
    note = " (joined with a space)" if len(joined) < sum(map(len, joined)) else ""
    return f"the texts are read from {columns}{note}, the labels from {shorten(repr(label))}"


def different_columns(parts: Iterable[Part]) -> tuple[str, ...]:
    """Return one line for each part whose columns differ from those of the first part."""
    named = [part for part in parts if part.table.has_names]
    return tuple(
        f"{part.table.where}: {describe_columns(part.text_columns, part.label_column)}"
        for part in named[1:]
        if (part.text_columns, part.label_column) != (named[0].text_columns, named[0].label_column)
    )


def match_splits(names: Iterable[str], where: str) -> tuple[dict[str, str], list[str]]:
    """Match names of files, folders or keys to splits.

    Args:
        names: The names.
        where: The folder, archive or data set that contains the names, for the error.

    Returns:
        The name of each split that was found, by split, and the names that match no split.

    Raises:
        ThawlineError: If two names match the same split.
    """
    found: dict[str, str] = {}
    others: list[str] = []
    for name in names:
        split = split_of(name)
        if split is None:
            others.append(name)
        elif split in found:
            raise ThawlineError(
                f"one {split} split in {where}",
                f"two ({as_given(found[split])}, {as_given(name)})",
                "rename or remove one of them",
            )
        else:
            found[split] = name
    return found, others


def split_of(name: str) -> str | None:
    """Return the split that the name of a file, a folder or a hub split matches, or None."""
    return _SPLIT_OF_STEM.get(split_name(name).lower())


def split_name(name: str) -> str:
    """Return the name of a file without suffixes and without the numbers of shards.

    The result is ``train`` for ``train.csv.gz`` and for ``train-*-of-00002.parquet``.
    """
    return name.partition(".")[0].partition("-*-of-")[0]


def ignored_warning(others: list[str]) -> tuple[str, ...]:
    """Return a warning about names that match no split, if there are any."""
    if not others:
        return ()
    return (f"ignored, because it is no train, validation or test split: {join_words(others)}",)
