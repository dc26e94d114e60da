"""Read data sets with one file for each text and one folder for each class, such as IMDb."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from thawline.data.sources.encodings import decode
from thawline.data.sources.files import Limits, bounded, damaged_file, file_errors
from thawline.data.sources.parts import (
    WHOLE,
    Part,
    Source,
    ignored_warning,
    match_splits,
    split_of,
)
from thawline.data.sources.tables import Table
from thawline.errors import ThawlineError, as_given
from thawline.runtime.untrusted import open_regular, read_regular

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")
UNLABELLED = "unsup"
"""The name of a folder with unlabelled texts."""

_TEXT_SUFFIX = ".txt"
_BLOCK = 1 << 20
_NUMBER = re.compile("([0-9]+)")


def folder_source(folder: Path, limits: Limits) -> Source | None:
    """Return the splits of a folder of class folders, or None if it is not such a folder.

    ``train/pos/123_8.txt`` is a text of the class ``pos``. If there are no folders named after
    splits, the class folders are one set that is not split yet. Classes, and the files of each
    class, are ordered by the numbers in their names. The folder ``unsup`` is ignored.

    Texts end in ``.txt``. In a folder without such files, files without a suffix are texts, as in
    20 Newsgroups.

    Args:
        folder: The folder.
        limits: How much may be read.

    Raises:
        ThawlineError: If a folder cannot be read, or if there are two folders for one split.
    """
    with_classes = [name for name in _folders(folder) if _classes(folder / name)]
    found, others = match_splits(with_classes, str(folder))
    folders = {split: folder / name for split, name in found.items()}
    if not folders:
        classes = _classes(folder)
        if not classes or match_splits(classes, str(folder))[0]:
            return None
        folders, others = {WHOLE: folder.resolve()}, []
    parts = {
        split: _part(path.name, partial(_open, path, limits), limits)
        for split, path in folders.items()
    }
    unlabelled = [path.name for path in folders.values() if (path / UNLABELLED).is_dir()]
    warnings = (*ignored_warning(others), *_unlabelled_warning(unlabelled))
    if not any(_has_suffix(path / name) for path in folders.values() for name in _classes(path)):
        warnings += (f"the files in '{folder}' have no suffix and were read as texts",)
    return Source(folder.resolve().name, parts, warnings)


def archive_source(path: Path, limits: Limits) -> Source:
    """Return the splits of a compressed archive of class folders, without unpacking it to disk.

    If there are no folders named after splits, the class folders are one set that is not split yet.

    Args:
        path: The path of the archive.
        limits: How much may be read.

    Raises:
        ThawlineError: If the archive cannot be read, is truncated or too large, if a text is not
            UTF-8, or if there are no class folders, or two for one split.
    """
    texts, unlabelled = _read_archive(path, limits)
    if not texts:
        raise ThawlineError(
            f"texts in class folders in {as_given(path)}, such as train/pos/1{_TEXT_SUFFIX} or "
            f"pos/1{_TEXT_SUFFIX}",
            "none",
            "unpack the archive and give the folder or the file with the data",
        )
    by_name = {PurePosixPath(place).name: place for place in texts}
    if len(by_name) < len(texts):
        found = f"{len(texts)} sets ({', '.join(map(as_given, sorted(texts)))})"
        fix = "unpack the archive and give one of its folders"
        raise ThawlineError(f"one set of class folders in {as_given(path)}", found, fix)
    splits, others = match_splits(sorted(by_name), as_given(path))
    if others and not splits:
        splits = {WHOLE: others[0]}
    parts = {}
    for split, name in splits.items():
        by_class = texts[by_name[name]]
        where = as_given(f"{name} in {path}" if name else path)
        parts[split] = _part(
            name or path.name,
            partial(_table, where, by_class, partial(_from_memory, by_class)),
            limits,
        )
    warnings = _unlabelled_warning(sorted(unlabelled))
    return Source(path.name.partition(".")[0], parts, warnings)


def is_archive(path: Path) -> bool:
    """Return whether a file has the name of a compressed archive."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def _read_archive(
    path: Path, limits: Limits
) -> tuple[dict[str, dict[str, dict[str, str]]], set[str]]:
    """Return the texts by split folder, class and file, and the splits with unlabelled texts.

    Class folders that are in no split folder are returned only if there are no split folders.
    """
    texts: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    unlabelled = set()
    for member, content in _members(path, limits):
        folder, class_name = member.parent.parent, member.parent.name
        if class_name == UNLABELLED:
            unlabelled.add(folder.name)
        else:
            texts[str(folder)][class_name][member.name] = decode(content, f"{path} ({member})")
    of_splits = {folder: texts[folder] for folder in texts if split_of(PurePosixPath(folder).name)}
    return of_splits or {folder: by for folder, by in texts.items() if len(by) > 1}, unlabelled


def _members(path: Path, limits: Limits) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the path and the content of each text file that is in a folder."""
    with file_errors(path), open_regular(path) as file, gzip.GzipFile(fileobj=file) as stream:
        unpacked = bounded(stream, str(path), file.tell, limits)
        try:
            # The streaming mode "r|" of tarfile takes three times as long.
            with tarfile.open(fileobj=unpacked, mode="r:") as archive:
                for info in archive:
                    member = PurePosixPath(info.name)
                    if info.isreg() and len(member.parts) >= 2 and _is_text(member.name):
                        content = archive.extractfile(info)
                        if content is not None:
                            yield member, content.read()
        except tarfile.TarError as error:
            raise damaged_file(str(path), "a complete archive", error) from error
        while unpacked.read(_BLOCK):
            pass  # read on to verify the checksum, because tarfile treats damaged data as the end


def _open(folder: Path, limits: Limits) -> Table:
    """Open the class folders in a folder, without reading the texts yet."""
    files = {name: _texts(folder / name) for name in _classes(folder)}

    def read(class_name: str, file: str) -> str:
        path = folder / class_name / file
        with file_errors(path):
            return decode(read_regular(path, limit=4 * limits.text_characters), str(path))

    return _table(str(folder), files, read)


def _table(
    where: str, files: Mapping[str, Iterable[str]], text: Callable[[str, str], str]
) -> Table:
    """Return a table of texts and classes. Line breaks at the end of a text are removed.

    Args:
        where: A description of the table, for errors.
        files: The names of the files of each class.
        text: Returns the text of a class and a file.
    """
    rows = [(name, file) for name in _in_order(files) for file in _in_order(files[name])]

    def read(column: str) -> list[Any]:
        if column == "label":
            return [class_name for class_name, _ in rows]
        return [text(class_name, file).rstrip("\r\n") for class_name, file in rows]

    return Table(where, ("text", "label"), read, has_names=False)


def _from_memory(texts: Mapping[str, Mapping[str, str]], class_name: str, file: str) -> str:
    return texts[class_name][file]


def _part(name: str, opened: Callable[[], Table], limits: Limits) -> Part:
    return Part(name, opened, "text", "label", limits=limits)


def _classes(folder: Path) -> list[str]:
    """Return the names of the folders that hold the texts of a class."""
    names = [name for name in _folders(folder) if name != UNLABELLED]
    return [name for name in names if _texts(folder / name)]


def _folders(folder: Path) -> list[str]:
    with file_errors(folder), os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def _texts(folder: Path) -> list[str]:
    with file_errors(folder), os.scandir(folder) as entries:
        files = [entry.name for entry in entries if entry.is_file()]
    texts = [name for name in files if _is_text(name)]
    if not texts and all("." not in name.strip(".") for name in files):
        texts = [name for name in files if not name.startswith(".")]
    return texts


def _has_suffix(folder: Path) -> bool:
    return any(_is_text(name) for name in _texts(folder))


def _is_text(name: str) -> bool:
    return name.lower().endswith(_TEXT_SUFFIX) and not name.startswith(".")


def _in_order(names: Iterable[str]) -> list[str]:
    """Return the names sorted, with "10" after "9"."""

    def key(name: str) -> tuple[list[tuple[int, str] | str], str]:
        # Names in archives can have more digits than `int` accepts. The longer number is larger.
        parts = enumerate(_NUMBER.split(name))
        return [_magnitude(part) if index % 2 else part for index, part in parts], name

    return sorted(names, key=key)


def _magnitude(digits: str) -> tuple[int, str]:
    significant = digits.lstrip("0")
    return len(significant), significant


def _unlabelled_warning(folders: Iterable[str]) -> tuple[str, ...]:
    names = ", ".join(f"{folder}/{UNLABELLED}" for folder in folders)
    return (f"ignored, because the texts have no labels: {names}",) if names else ()
