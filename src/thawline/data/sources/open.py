"""Open a source of data: a path, a named data set, a hub id or an object in memory."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any

from thawline.data.labels import join_words
from thawline.data.sources.class_folders import archive_source, folder_source, is_archive
from thawline.data.sources.files import DEFAULT_LIMITS, DataFile, Limits, file_errors
from thawline.data.sources.folders import DATA_SUFFIXES, data_files, files_source
from thawline.data.sources.formats import READERS, open_table
from thawline.data.sources.hub import NAMED_SETS, HubSet, hub_source, known_sets
from thawline.data.sources.memory import memory_source
from thawline.data.sources.packaged import PACKAGED_SETS, packaged_source
from thawline.data.sources.parts import WHOLE, Part, Source
from thawline.data.texts import shorten
from thawline.errors import ThawlineError, did_you_mean
from thawline.runtime.failures import describe_system_error, first_line
from thawline.runtime.paths import expand

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def open_source(
    given: Any,
    text: str | None = None,
    label: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Source:
    """Open a source of data. A path takes precedence over a name.

    Args:
        given: A path, the name of a data set, a hub id, or an object in memory that
            `memory_source` accepts.
        text: The text column, or two columns separated by a comma. If None, the column is found by
            common names.
        label: The label column. If None, it is found by common names.
        limits: How much may be read from files.

    Raises:
        ThawlineError: If no source has that name, if a folder has no split or two files for one
            split, or if the source cannot be read.
    """
    if given is None or (isinstance(given, str) and not given.strip()):
        expected, fix = (
            "a file, a folder, the name of a data set or a hub id",
            "name one with `data.data`",
        )
        raise ThawlineError(expected, "no data", fix, setting="data.data")
    for role, column in (("text", text), ("label", label)):
        if not isinstance(column, str | NoneType):
            found = f"a value of type {type(column).__name__}"
            fix = "name one column, or two text columns as 'first,second'"
            raise ThawlineError(f"a column for {role}", found, fix, setting=f"data.{role}")
    if not isinstance(given, str | os.PathLike):
        return memory_source(given, text, label)
    path = Path(given)
    try:
        path = expand(path)
        is_folder, exists = path.is_dir(), path.exists()
    except ThawlineError:
        raise
    except (OSError, ValueError) as error:
        reason = describe_system_error(error) if isinstance(error, OSError) else first_line(error)
        found = f"{shorten(repr(str(given)))} ({reason})"
        raise ThawlineError("a valid path", found, "check the path") from error
    if is_folder:
        return _folder(path, text, label, limits)
    if exists:
        return _file(path, text, label, limits)
    name = str(given)
    if isinstance(given, str) and name in PACKAGED_SETS:
        return packaged_source(name, text, label)
    if isinstance(given, str) and (name in NAMED_SETS or _may_be_hub_id(name)):
        return hub_source(name, NAMED_SETS.get(name, HubSet(name)), text, label)
    if _URL.match(name):
        fix = "download the file first, then give its path"
        raise ThawlineError("a file on this machine", f"'{name}'", fix, setting="data.data")
    fix = f"check the path, or name a data set ({did_you_mean(name, known_sets())})"
    expected = "a file, a folder or the name of a data set"
    raise ThawlineError(expected, f"no file or folder named {name!r}", fix, setting="data.data")


def _file(path: Path, text: str | None, label: str | None, limits: Limits) -> Source:
    if is_archive(path):
        return archive_source(path, limits)
    name = Path(DataFile(path).name).stem
    opened = partial(open_table, path, limits)
    return Source(name, {WHOLE: Part(name, opened, text, label, limits=limits)})


def _folder(folder: Path, text: str | None, label: str | None, limits: Limits) -> Source:
    source = files_source(folder, text, label, limits)
    if source is None:
        source = folder_source(folder, limits)
    if source is None:
        source = _inner_source(folder, text, label, limits)
    if source is not None:
        return source
    fix = "name the files train, validation and test, or give the path of one file"
    if folder.name in NAMED_SETS:
        fix += f" (the folder {folder} takes precedence over the data set of that name)"
    expected = f"files named train, validation or test in {folder} ({', '.join(READERS)})"
    files = join_words(data_files(folder))
    found = f"the files {files}" if files else "no data files"
    expected += ", or one folder for each class"
    raise ThawlineError(expected, found, fix, setting="data.data")


def _inner_source(
    folder: Path, text: str | None, label: str | None, limits: Limits
) -> Source | None:
    """Return the splits of the only folder in a folder that holds any, or None.

    A copy of a data set from the hub has its files in ``data`` or in a folder for a configuration.
    """
    with file_errors(folder):
        inner = sorted(path for path in folder.iterdir() if path.is_dir())
    inner = [path for path in inner if not path.name.startswith(".")]
    found = {path: files_source(path, text, label, limits) for path in inner}
    sources = {path: source for path, source in found.items() if source is not None}
    if not sources:
        return None
    if len(sources) > 1:
        names = join_words([path.name for path in sources])
        fix = "give the path of one of them"
        raise ThawlineError(f"one folder with a data set in '{folder}'", names, fix)
    ((path, source),) = sources.items()
    warning = f"the files are read from '{path.name}' in '{folder}'"
    return replace(source, name=folder.resolve().name, warnings=(warning, *source.warnings))


def _may_be_hub_id(name: str) -> bool:
    return _HUB_ID.fullmatch(name) is not None and Path(name).suffix.lower() not in DATA_SUFFIXES
