"""A text in each file and a folder for each class, as the published IMDb archive is laid out."""

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

from thawline.data.sources.files import broken, decode, file_errors
from thawline.data.sources.parts import WHOLE, Part, Source, by_split, left_alone, split_of
from thawline.data.sources.tables import Table
from thawline.errors import ThawlineError

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")
UNLABELLED = "unsup"
"""In place of a class: texts that are of none."""

_TEXT_SUFFIX = ".txt"
_BLOCK = 1 << 20
_NUMBER = re.compile("([0-9]+)")


def folder_source(folder: Path) -> Source | None:
    """Return the splits of a folder of class folders; ``None``: it is none.

    ``train/pos/123_8.txt`` is a text of the class ``pos``. Without folders named after splits, the
    class folders are one set that is not yet split. Classes, and the files of each, come in the
    order of the numbers in their names. What ``unsup`` holds is left alone.

    Raises:
        ThawlineError: a folder that cannot be read, or two folders for one split.
    """
    inner = _folders(folder)
    found, others = by_split([name for name in inner if _classes(folder / name)], str(folder))
    places = {split: folder / own for split, own in found.items()}
    if not places:
        kinds = _classes(folder)
        if not kinds or by_split(kinds, str(folder))[0]:
            return None
        places, others = {WHOLE: folder.resolve()}, []
    parts = {split: _part(place.name, partial(_open, place)) for split, place in places.items()}
    unlabelled = [place.name for place in places.values() if (place / UNLABELLED).is_dir()]
    notes = (*left_alone(others), *_unlabelled_notes(unlabelled))
    return Source(folder.resolve().name, parts, notes)


def archive_source(path: Path) -> Source:
    """Return the splits of a packed archive of class folders, read without unpacking it to disk.

    Raises:
        ThawlineError: an archive that cannot be read or is cut short, a text that is not UTF-8, no
            class folders of a split, or two for one split.
    """
    texts, unlabelled = _read_archive(path)
    if not texts:
        raise ThawlineError(
            f"texts of a train, validation or test split in {path}, as train/pos/1{_TEXT_SUFFIX}",
            "none",
            "unpack it and give the folder or the file with the data",
        )
    by_name = {PurePosixPath(place).name: place for place in texts}
    if len(by_name) < len(texts):
        found = ", ".join(sorted(texts))
        fix = "unpack it and give one of its folders"
        raise ThawlineError(f"one set of class folders in {path}", found, fix)
    splits, _ = by_split(sorted(by_name), str(path))
    parts = {}
    for split, own in splits.items():
        kinds = texts[by_name[own]]
        where = f"{own} in {path}"
        parts[split] = _part(own, partial(_table, where, kinds, partial(_kept, kinds)))
    notes = _unlabelled_notes(sorted(unlabelled))
    return Source(path.name.partition(".")[0], parts, notes)


def is_archive(path: Path) -> bool:
    """Say whether a file has the name of a packed archive."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def _read_archive(path: Path) -> tuple[dict[str, dict[str, dict[str, str]]], set[str]]:
    """Return the texts by split folder, class and file, and the splits with unlabelled texts."""
    texts: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    unlabelled = set()
    for member, content in _members(path):
        split, kind, file = member.parts[-3:]
        if kind == UNLABELLED:
            unlabelled.add(split)
        else:
            folder = str(member.parent.parent)
            texts[folder][kind][file] = decode(content, f"{path} ({member})")
    return texts, unlabelled


def _members(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the text files in class folders of splits, with what is in them."""
    with file_errors(path), gzip.open(path) as unpacked:
        try:
            # Not as a stream, "r|": tarfile takes three times as long over it.
            with tarfile.open(fileobj=unpacked, mode="r:") as archive:
                for info in archive:
                    member = PurePosixPath(info.name)
                    if info.isreg() and _is_of_split(member):
                        stream = archive.extractfile(info)
                        if stream is not None:
                            yield member, stream.read()
        except tarfile.TarError as error:
            raise broken(str(path), "a whole archive", error) from error
        while unpacked.read(_BLOCK):
            pass  # to the checksum at the end: tarfile takes what it cannot read for the end


def _is_of_split(member: PurePosixPath) -> bool:
    parts = member.parts
    return len(parts) >= 3 and split_of(parts[-3]) is not None and _is_text(parts[-1])


def _open(folder: Path) -> Table:
    """Open the class folders in a folder; the texts are read when they are asked for."""
    files = {kind: _texts(folder / kind) for kind in _classes(folder)}

    def read(kind: str, file: str) -> str:
        path = folder / kind / file
        with file_errors(path):
            return decode(path.read_bytes(), str(path))

    return _table(str(folder), files, read)


def _table(
    where: str, files: Mapping[str, Iterable[str]], text: Callable[[str, str], str]
) -> Table:
    """Return the texts and classes of files; a text does not keep the line ends after it."""
    rows = [(kind, file) for kind in _in_order(files) for file in _in_order(files[kind])]

    def read(name: str) -> list[Any]:
        if name == "label":
            return [kind for kind, _ in rows]
        return [text(kind, file).rstrip("\r\n") for kind, file in rows]

    return Table(where, ("text", "label"), read)


def _kept(texts: Mapping[str, Mapping[str, str]], kind: str, file: str) -> str:
    return texts[kind][file]


def _part(name: str, opened: Callable[[], Table]) -> Part:
    return Part(name, opened, "text", "label")


def _classes(folder: Path) -> list[str]:
    """Return the folders that hold texts of a class."""
    names = [name for name in _folders(folder) if name != UNLABELLED]
    return [name for name in names if _texts(folder / name)]


def _folders(folder: Path) -> list[str]:
    with file_errors(folder), os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def _texts(folder: Path) -> list[str]:
    with file_errors(folder), os.scandir(folder) as entries:
        return [entry.name for entry in entries if _is_text(entry.name) and entry.is_file()]


def _is_text(name: str) -> bool:
    return name.lower().endswith(_TEXT_SUFFIX) and not name.startswith(".")


def _in_order(names: Iterable[str]) -> list[str]:
    """Return the names sorted, "10" after "9"."""

    def key(name: str) -> tuple[list[int | str], str]:
        return [int(p) if i % 2 else p for i, p in enumerate(_NUMBER.split(name))], name

    return sorted(names, key=key)


def _unlabelled_notes(folders: Iterable[str]) -> tuple[str, ...]:
    named = ", ".join(f"{folder}/{UNLABELLED}" for folder in folders)
    return (f"left alone, as its texts have no label: {named}",) if named else ()
