"""Folders with a file for each split, or with several where a split is stored in shards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from thawline.data.sources.files import PACKINGS, file_errors
from thawline.data.sources.formats import READERS, open_table
from thawline.data.sources.parts import Part, Source, by_split, left_alone, split_name
from thawline.data.sources.tables import Table, join_tables
from thawline.errors import ThawlineError

DATA_SUFFIXES = frozenset({*READERS, *PACKINGS, ".tgz", ".arrow", ".xlsx"})
"""Suffixes of files that look like data, read or not."""

_SHARD = re.compile(r"(?P<stem>.+)-[0-9]{5}-of-(?P<count>[0-9]{5})(?P<suffix>\..+)")


def data_files(folder: Path) -> list[str]:
    """Return the names of the files in a folder that look like data, sorted.

    Raises:
        ThawlineError: the folder cannot be read.
    """
    with file_errors(folder):
        return sorted(path.name for path in folder.iterdir() if _is_data(path))


def files_source(folder: Path, text: str | None, label: str | None) -> Source | None:
    """Return the splits that a folder has files of; ``None``: it has no such file.

    Files are named after their splits. Where a split is stored as hubs do, in
    ``train-00000-of-00002.parquet`` and so on, its files are read as one, in their order.

    Args:
        folder: where the files are.
        text: the text column; ``None``: found by the common names.
        label: the label column; ``None``: found by the common names.

    Raises:
        ThawlineError: a folder that cannot be read, two files for one split, or a missing shard.
    """
    groups = _grouped(data_files(folder))
    found, others = by_split(groups, str(folder))
    parts = {
        split: Part(split_name(group), partial(_open, folder, group, groups[group]), text, label)
        for split, group in found.items()
    }
    return Source(folder.resolve().name, parts, left_alone(others)) if parts else None


def _grouped(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the sorted names by what they are together: themselves, or the shards of one split."""
    groups: dict[str, list[str]] = {}
    for name in names:
        shard = _SHARD.fullmatch(name)
        group = name if shard is None else "{stem}-*-of-{count}{suffix}".format(**shard.groupdict())
        groups.setdefault(group, []).append(name)
    return groups


def _open(folder: Path, group: str, names: Sequence[str]) -> Table:
    if group == names[0]:
        return open_table(folder / group)
    wanted = int(group.partition("-*-of-")[2][:5])
    numbered = {group.replace("*", f"{number:05}", 1) for number in range(wanted)}
    missing = sorted(numbered - set(names))
    if missing:
        raise ThawlineError(
            f"all {wanted} files of {folder / group}",
            f"{len(names)}, {missing[0]} missing",
            "fetch the others too, or give one file by its own path",
        )
    return join_tables([open_table(folder / name) for name in names], str(folder / group))


def _is_data(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in DATA_SUFFIXES and path.is_file()
