"""What `--data` stands for: a file, a folder of splits, a named set or a hub id."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from thawline.config import DataConfig
from thawline.data.columns import find_label, read_labels, read_texts
from thawline.data.hub import NAMED_SETS, HubSet, read_hub
from thawline.data.labels import IntArray, Labels, shown
from thawline.data.tables import READERS, Table, open_table
from thawline.errors import ThawlineError, did_you_mean

SPLITS = ("train", "validation", "test")
WHOLE = "whole"
"""The part of a source that is one set, not yet split."""

_SPLIT_OF_STEM = {split: split for split in SPLITS} | dict.fromkeys(
    ("val", "valid", "dev"), "validation"
)
_DATA_SUFFIXES = frozenset({*READERS, ".tsv", ".json", ".arrow", ".gz", ".zip", ".xlsx"})
_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_HIDDEN = "-1"


@dataclass(frozen=True)
class Part:
    """One labelled split of a source; it is opened and read when it is first asked for.

    Attributes:
        name: what the source calls it.
        open: opens the table that holds its columns.
        text: the text column; ``None``: found by the common names.
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
    def texts(self) -> list[str]:
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
            mend = "choose another file or split"
            raise ThawlineError(f"at least one row in {self.table.where}", "none", mend)
        return labels

    @cached_property
    def codes(self) -> IntArray:
        """(rows,) class of each row, numbered from the values alone, whatever their names.

        Rows are drawn by these codes, so that a set gives the same rows under any names.
        """
        return Labels.from_raw(self.raw_labels, None).encode(self.raw_labels)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names that the source itself knows, by label from 0; empty: none."""
        column = find_label(self.table, self.label)
        return self.table.class_names.get(column, self.known_names)

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


def find_source(config: DataConfig) -> Source:
    """Find what the configuration names; a path wins over a name.

    Raises:
        ThawlineError: nothing of that name, a folder without a split, two files for one split, or
            a file or a set that cannot be read.
    """
    if config.data is None or not config.data.strip():
        mend = "name one with --data"
        raise ThawlineError("a file, a folder, a set's name or a hub id", "no data", mend)
    path = Path(config.data)
    try:
        path = path.expanduser()
        is_folder, exists = path.is_dir(), path.exists()
    except (OSError, RuntimeError) as error:
        raise ThawlineError("a path that can be looked up", str(error), "check the path") from error
    if is_folder:
        return _folder(path, config)
    if exists:
        part = Part(path.stem, partial(open_table, path), config.text, config.label)
        return Source(path.stem, {WHOLE: part})
    if config.data in NAMED_SETS or _may_be_hub_id(config.data):
        return hub_source(config.data, NAMED_SETS.get(config.data, HubSet(config.data)), config)
    mend = f"check the path, or name a set ({did_you_mean(config.data, NAMED_SETS)})"
    raise ThawlineError("a file or a folder", f"no path named {config.data!r}", mend)


def hub_source(name: str, hub_set: HubSet, config: DataConfig) -> Source:
    """Return the splits of a set that `datasets` can load.

    Args:
        name: what the user called it.
        hub_set: where it stands and what is known of it.
        config: names the columns, where the user did.

    Raises:
        ThawlineError: the set cannot be read, or has none of the splits.
    """
    tables = read_hub(name, hub_set)
    text = hub_set.text if config.text is None else config.text
    label = hub_set.label if config.label is None else config.label
    found, others = _by_split(tables, name)
    if not found:
        mend = "choose another set"
        raise ThawlineError(f"a train, validation or test split in {name}", shown(others), mend)
    return Source(
        name,
        {
            split: Part(own, partial(tables.__getitem__, own), text, label, hub_set.label_names)
            for split, own in found.items()
        },
        _left_alone(others),
    )


def _folder(folder: Path, config: DataConfig) -> Source:
    try:
        files = sorted(path.name for path in folder.iterdir() if _is_data(path))
    except OSError as error:
        mend = "check that you may read it"
        raise ThawlineError(f"a folder to read ({folder})", str(error.strerror), mend) from error
    found, others = _by_split(files, str(folder))
    if not found:
        mend = "name the files train, validation and test, or give one file by its own path"
        if config.data in NAMED_SETS:
            mend += f" (a folder {folder} stands before the set of that name)"
        expected = f"a file train, validation or test in {folder} ({', '.join(READERS)})"
        raise ThawlineError(expected, shown(others) or "no data file", mend)
    parts = {
        split: Part(Path(file).stem, partial(open_table, folder / file), config.text, config.label)
        for split, file in found.items()
    }
    return Source(folder.resolve().name, parts, _left_alone(others))


def _by_split(names: Iterable[str], where: str) -> tuple[dict[str, str], list[str]]:
    """Return which file or hub split is which split, and those that are none."""
    found: dict[str, str] = {}
    others: list[str] = []
    for name in names:
        split = _SPLIT_OF_STEM.get(name.partition(".")[0].lower())
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


def _left_alone(others: list[str]) -> tuple[str, ...]:
    if not others:
        return ()
    return (f"left alone, as no train, validation or test split: {shown(others)}",)


def _is_data(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in _DATA_SUFFIXES and path.is_file()


def _may_be_hub_id(data: str) -> bool:
    return _HUB_ID.fullmatch(data) is not None and Path(data).suffix.lower() not in _DATA_SUFFIXES
