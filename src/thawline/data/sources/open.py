"""What the user gave as data: a path, a named set, a hub id or an object in memory."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any

from thawline.data.labels import shown
from thawline.data.sources.class_folders import archive_source, folder_source, is_archive
from thawline.data.sources.files import DataFile
from thawline.data.sources.folders import DATA_SUFFIXES, data_files, files_source
from thawline.data.sources.formats import READERS, open_table
from thawline.data.sources.hub import NAMED_SETS, HubSet, hub_source, known_sets
from thawline.data.sources.memory import memory_source
from thawline.data.sources.packaged import PACKAGED_SETS, packaged_source
from thawline.data.sources.parts import WHOLE, Part, Source
from thawline.errors import ThawlineError, did_you_mean

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def open_source(given: Any, text: str | None = None, label: str | None = None) -> Source:
    """Find what was given; a path wins over a name.

    Args:
        given: a path, a set's name, a hub id, or an object in memory as in `memory_source`.
        text: the text column, or two with a comma between them; ``None``: found by the common
            names.
        label: the label column; ``None``: found by the common names.

    Raises:
        ThawlineError: nothing of that name, a folder without a split, two files for one split, or
            a file, a set or an object that cannot be read.
    """
    if given is None or (isinstance(given, str) and not given.strip()):
        fix = "name one with --data"
        raise ThawlineError("a file, a folder, a set's name or a hub id", "no data", fix)
    if not isinstance(given, str | os.PathLike):
        return memory_source(given, text, label)
    path = Path(given)
    try:
        path = path.expanduser()
        is_folder, exists = path.is_dir(), path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise ThawlineError("a path that can be looked up", str(error), "check the path") from error
    if is_folder:
        return _folder(path, text, label)
    if exists:
        return _file(path, text, label)
    name = str(given)
    if isinstance(given, str) and name in PACKAGED_SETS:
        return packaged_source(name, text, label)
    if isinstance(given, str) and (name in NAMED_SETS or _may_be_hub_id(name)):
        return hub_source(name, NAMED_SETS.get(name, HubSet(name)), text, label)
    fix = f"check the path, or name a set ({did_you_mean(name, known_sets())})"
    raise ThawlineError("a file or a folder", f"no path named {name!r}", fix)


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
    fix = "name the files train, validation and test, or give one file by its own path"
    if folder.name in NAMED_SETS:
        fix += f" (a folder {folder} stands before the set of that name)"
    expected = f"a file train, validation or test in {folder} ({', '.join(READERS)})"
    found = shown(data_files(folder)) or "no data file"
    raise ThawlineError(f"{expected}, or a folder for each class", found, fix)


def _may_be_hub_id(name: str) -> bool:
    return _HUB_ID.fullmatch(name) is not None and Path(name).suffix.lower() not in DATA_SUFFIXES
