"""Read folders in which each split is one file, or several files (shards)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from thawline.data.sources.files import PACKINGS, Limits, file_errors
from thawline.data.sources.formats import READERS, TEXT_READERS, open_table
from thawline.data.sources.parts import (
    Part,
    Source,
    ignored_warning,
    match_splits,
    split_name,
    split_of,
)
from thawline.data.sources.tables import Table, join_tables
from thawline.errors import ThawlineError, as_given

DATA_SUFFIXES = frozenset({*READERS, *PACKINGS, ".tgz", ".arrow", ".xlsx"})
"""Suffixes of files that look like data, including formats that cannot be read."""

_SHARD = re.compile(r"(?P<stem>.+)-[0-9]{5}-of-(?P<count>[0-9]{5})(?P<suffix>\..+)")


def data_files(folder: Path) -> list[str]:
    """Return the names of the files in a folder that look like data, sorted.

    Raises:
        ThawlineError: If the folder cannot be read.
    """
    with file_errors(folder):
        return sorted(path.name for path in folder.iterdir() if _is_data(path))


def files_source(
    folder: Path, text: str | None, label: str | None, limits: Limits
) -> Source | None:
    """Return the splits of a folder of files named after splits, or None if it has no such file.

    If a split is stored in shards, such as ``train-00000-of-00002.parquet``, the shards are read
    in order, as one table.

    Args:
        folder: The folder.
        text: The text column. If None, it is found by common names.
        label: The label column. If None, it is found by common names.
        limits: How much may be read from a file.

    Raises:
        ThawlineError: If the folder cannot be read, if there are two files for one split, or if a
            shard is missing.
    """
    groups = _group_shards(data_files(folder))
    found, others = match_splits(groups, str(folder))
    parts = {
        split: Part(
            split_name(group),
            partial(_open, folder, group, groups[group], limits),
            text,
            label,
            limits=limits,
        )
        for split, group in found.items()
    }
    return Source(folder.resolve().name, parts, ignored_warning(others)) if parts else None


def _group_shards(names: Iterable[str]) -> dict[str, list[str]]:
    """Group sorted file names: the shards of one split together, every other file alone."""
    groups: dict[str, list[str]] = {}
    for name in names:
        shard = _SHARD.fullmatch(name)
        group = name if shard is None else "{stem}-*-of-{count}{suffix}".format(**shard.groupdict())
        groups.setdefault(group, []).append(name)
    return groups


def _open(folder: Path, group: str, names: Sequence[str], limits: Limits) -> Table:
    if group == names[0]:
        return open_table(folder / group, limits)
    wanted = int(group.partition("-*-of-")[2][:5])
    numbered = {group.replace("*", f"{number:05}", 1) for number in range(wanted)}
    missing = sorted(numbered - set(names))
    if missing:
        raise ThawlineError(
            f"all {wanted} files of {as_given(folder / group)}",
            f"{len(names)} of them, without {as_given(missing[0])}",
            "download the missing files, or give the path of one file",
        )
    tables = [open_table(folder / name, limits) for name in names]
    return join_tables(tables, as_given(folder / group))


def _is_data(path: Path) -> bool:
    suffix = path.suffix.lower()
    is_named = suffix in DATA_SUFFIXES or (suffix in TEXT_READERS and split_of(path.name))
    return bool(is_named) and not path.name.startswith(".") and path.is_file()
