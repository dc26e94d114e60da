"""The parts of a source of data, one for each split, which are read when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from thawline.data.labels import IntArray, Labels, join_words
from thawline.data.sources.columns import find_label, read_labels, read_texts
from thawline.data.sources.tables import Table
from thawline.data.texts import Text
from thawline.errors import ThawlineError

SPLITS = ("train", "validation", "test")
WHOLE = "whole"
"""The key of the only part of a source that is not split yet."""

_SPLIT_OF_STEM = {split: split for split in SPLITS} | dict.fromkeys(
    ("val", "valid", "dev"), "validation"
)
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
    """

    name: str
    open: Callable[[], Table]
    text: str | None = None
    label: str | None = None
    known_names: tuple[str, ...] = ()

    @cached_property
    def table(self) -> Table:
        """The table that holds the columns."""
        return self.open()

    @cached_property
    def texts(self) -> list[Text]:
        """The text of each row."""
        return read_texts(self.table, self.text)

    @cached_property
    def raw_labels(self) -> list[Any]:
        """The label of each row, as written in the source.

        Raises:
            ThawlineError: If there are no rows, or if a label is missing or invalid.
        """
        labels = read_labels(self.table, self.label) if self.table.columns else []
        if not labels:
            fix = "choose another file or split"
            expected = f"at least one row in {self.table.where}"
            raise ThawlineError(expected, "none", fix, setting="data.data")
        return labels

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
        column = find_label(self.table, self.label)
        return self.table.class_names.get(column, dict(enumerate(self.known_names)))

    @property
    def hides_labels(self) -> bool:
        """Whether every label is -1, which benchmarks use for hidden labels."""
        return all(str(label) == _HIDDEN for label in self.raw_labels)

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
                f"two ({found[split]}, {name})",
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
