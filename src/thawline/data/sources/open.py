"""Open a source of data: a path, a named data set, a hub id or an object in memory."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any

from thawline.data.labels import join_words
from thawline.data.sources.class_folders import archive_source, folder_source, is_archive
from thawline.data.sources.files import DataFile
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


def open_source(given: Any, text: str | None = None, label: str | None = None) -> Source:
    """Open a source of data. A path takes precedence over a name.

    Args:
        given: A path, the name of a data set, a hub id, or an object in memory that
            `memory_source` accepts.
        text: The text column, or two columns separated by a comma. If None, the column is found by
            common names.
        label: The label column. If None, it is found by common names.

    Raises:
        ThawlineError: If no source has that name, if a folder has no split or two files for one
            split, or if the source cannot be read.
    """
    if given is None or (isinstance(given, str) and not given.strip()):
        expected, fix = (
            "a file, a folder, the name of a data set or a hub id",
            "name one with --data",
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
        return _folder(path, text, label)
    if exists:
        return _file(path, text, label)
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


def _file(path: Path, text: str | None, label: str | None) -> Source:
    if is_archive(path):
        return archive_source(path)
    name = Path(DataFile(path).name).stem
    return Source(name, {WHOLE: Part(name, partial(open_table, path), text, label)})


def _folder(folder: Path, text: str | None, label: str | None) -> Source:
    source = files_source(folder, text, label)
    if source is None:
        source = folder_source(folder)
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


def _may_be_hub_id(name: str) -> bool:
    return _HUB_ID.fullmatch(name) is not None and Path(name).suffix.lower() not in DATA_SUFFIXES
