"""What every source of data comes down to: labelled parts, by the split that each of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from thawline.data.labels import IntArray, Labels, shown
from thawline.data.sources.columns import find_label, read_labels, read_texts
from thawline.data.sources.tables import Table
from thawline.data.texts import Text
from thawline.errors import ThawlineError

SPLITS = ("train", "validation", "test")
WHOLE = "whole"
"""The part of a source that is one set, not yet split."""

_SPLIT_OF_STEM = {split: split for split in SPLITS} | dict.fromkeys(
    ("val", "valid", "dev"), "validation"
)
_HIDDEN = "-1"


@dataclass(frozen=True)
class Part:
    """One labelled split of a source; it is opened and read when it is first asked for.

    Attributes:
        name: what the source calls it.
        open: opens the table that holds its columns.
        text: the text column, or two with a comma between; ``None``: found by the common names.
        label: the label column; ``None``: found by the common names.
        known_names: class names that come with a named set, by label from 0.
    """

    name: str
    open: Callable[[], Table]
    text: str | None = None
    label: str | None = None
    known_names: tuple[str, ...] = ()

    @cached_property
    def table(self) -> Table:
        """Where its columns are."""
        return self.open()

    @cached_property
    def texts(self) -> list[Text]:
        """The text of each row."""
        return read_texts(self.table, self.text)

    @cached_property
    def raw_labels(self) -> list[Any]:
        """The label of each row as the source writes it; at least one row.

        Raises:
            ThawlineError: zero rows, or a label that is missing or cannot be one.
        """
        labels = read_labels(self.table, self.label) if self.table.columns else []
        if not labels:
            fix = "choose another file or split"
            raise ThawlineError(f"at least one row in {self.table.where}", "none", fix)
        return labels

    @cached_property
    def codes(self) -> IntArray:
        """(rows,) class of each row, numbered from the values alone, whatever their names.

        Rows are drawn by these codes, so that a set gives the same rows under any names.
        """
        return Labels.from_raw(self.raw_labels, None).encode(self.raw_labels)

    @property
    def class_names(self) -> Mapping[int, str]:
        """The class names that the source itself knows, by label; empty: none."""
        column = find_label(self.table, self.label)
        return self.table.class_names.get(column, dict(enumerate(self.known_names)))

    @property
    def hides_labels(self) -> bool:
        """Whether every label is -1, as benchmarks write labels that they keep to themselves."""
        return all(str(label) == _HIDDEN for label in self.raw_labels)

    @property
    def has_minus_one(self) -> bool:
        """Whether -1 is a label like any other here."""
        return any(str(label) == _HIDDEN for label in self.raw_labels)


@dataclass(frozen=True)
class Source:
    """The labelled splits that a source has.

    Attributes:
        name: a short name, without a path.
        parts: by `SPLITS`, or one part under `WHOLE`.
        notes: what was left alone, a line each.
    """

    name: str
    parts: Mapping[str, Part]
    notes: tuple[str, ...] = ()


def by_split(names: Iterable[str], where: str) -> tuple[dict[str, str], list[str]]:
    """Return which name stands for which split, and the names that stand for none.

    Raises:
        ThawlineError: two names for one split.
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
                "move one of them away",
            )
        else:
            found[split] = name
    return found, others


def split_of(name: str) -> str | None:
    """Return which of `SPLITS` a file, a folder or a hub split is by its name; ``None``: none."""
    return _SPLIT_OF_STEM.get(split_name(name).lower())


def split_name(name: str) -> str:
    """Return a file's name without suffixes, and without the numbers of shards.

    It is ``train`` for ``train.csv.gz`` and for ``train-*-of-00002.parquet``.
    """
    return name.partition(".")[0].partition("-*-of-")[0]


def left_alone(others: list[str]) -> tuple[str, ...]:
    """Return the note on what is no split, if there is any."""
    if not others:
        return ()
    return (f"left alone, as no train, validation or test split: {shown(others)}",)
