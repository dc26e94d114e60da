"""The text format of word vectors, line by line: a word and its numbers, a space between them.

GloVe writes it so; word2vec and fastText put a line before it, with the number of words and the
width. Some of GloVe's own files hold words with a space in them: a line is read from its end.
"""

from __future__ import annotations

import zipfile
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from thawline.data.sources.files import DataFile, members_of
from thawline.errors import ThawlineError, did_you_mean
from thawline.runtime.progress import Reporter

SUFFIXES = (".txt", ".vec")
"""Of files of vectors in a zip file."""

LINES_PER_BLOCK = 8_192
"""Lines that are turned into numbers at once."""

_MB = 1_000_000

Block = tuple[list[str], NDArray[np.float32]]
"""Words, and their vectors ``(words, width)``."""


def find_file(path: Path) -> DataFile | None:
    """Return the file of vectors at a path, plain, ``.gz`` or in a ``.zip``; None: there is none.

    One of several files in a zip file is named as if that were a folder:
    ``glove.6B.zip/glove.6B.100d.txt``.

    Raises:
        ThawlineError: a folder, a zip file that cannot be read, or none or several files in it.
    """
    if path.is_dir():
        raise ThawlineError("a file of vectors", f"the folder '{path}'", "give a file in it")
    if path.is_file():
        return _in_zip(path, None) if path.suffix.lower() == ".zip" else DataFile(path)
    for archive in path.parents:
        if archive.suffix.lower() == ".zip" and archive.is_file():
            return _in_zip(archive, path.relative_to(archive).as_posix())
    return None


def _in_zip(archive: Path, wanted: str | None) -> DataFile:
    names = members_of(archive, SUFFIXES)
    if wanted is None and len(names) == 1:
        return DataFile(archive, names[0])
    if wanted in names:
        return DataFile(archive, wanted)
    shown = ", ".join(names[:6])
    if wanted is not None:
        expected = f"a file of vectors in {archive} ({shown or 'it holds none'})"
        raise ThawlineError(expected, f"'{wanted}'", did_you_mean(wanted, names))
    fix = f"name one: {archive / names[0]}" if names else "give another file"
    found = f"{len(names)} ({shown})" if names else "none"
    raise ThawlineError(f"one file of vectors ({', '.join(SUFFIXES)}) in {archive}", found, fix)


def read_blocks(file: DataFile, reporter: Reporter) -> Iterator[Block]:
    """Yield the vectors of a file, some thousand words at a time, all of one width.

    Args:
        file: plain or packed.
        reporter: told of the bytes read, in MB.

    Raises:
        ThawlineError: the file cannot be read, holds no vector or ends too early, or a line of it
            is broken.
    """
    with file.open() as stream, reporter.task(f"reading {file.name}, MB", _size(file)) as advance:
        place, done = _place_of(stream, file), 0
        for block in _parse(stream, file.where):
            yield block
            now = place() // _MB
            advance(now - done)
            done = now
        advance(_size(file) - done)


def _size(file: DataFile) -> int:
    """Return what there is to read, in MB: of a zip file the unpacked member."""
    if file.member is None:
        return file.path.stat().st_size // _MB
    with zipfile.ZipFile(file.path) as archive:
        return archive.getinfo(file.member).file_size // _MB


def _place_of(stream: IO[bytes], file: DataFile) -> Callable[[], int]:
    """Return what tells how many of the bytes that `_size` counts have been read."""
    packed: Any = getattr(stream, "fileobj", None)
    return stream.tell if packed is None or file.member is not None else packed.tell


def _parse(stream: Iterable[bytes], where: str) -> Iterator[Block]:
    lines = enumerate(_without_mark(stream), start=1)
    opening = list(islice(lines, 2))
    declared = _header(opening)
    if declared is not None:
        opening = opening[1:]
    if not opening:
        raise ThawlineError(f"word vectors in {where}", "none", "choose another file")
    width = declared[1] if declared is not None else _width(_fields(opening[0][1], where, 1))
    if width < 1:
        found = "tabs between them" if b"\t" in opening[0][1] else "no numbers"
        raise _broken(where, 1, "a word and its numbers", found)
    total, following = 0, chain(opening, lines)
    while numbered := list(islice(following, LINES_PER_BLOCK)):
        block = _block(numbered, width, where)
        total += len(block[0])
        yield block
    if declared is not None and declared[0] != total:
        expected = f"{declared[0]:,} words in {where}, as its first line says"
        raise ThawlineError(expected, f"{total:,}", "fetch the file again")


def _header(opening: list[tuple[int, bytes]]) -> tuple[int, int] | None:
    """Return words and width where the first line tells them, as word2vec's does."""
    if not opening:
        return None
    fields = opening[0][1].split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        return None
    words, width = map(int, fields)
    # A word that is a number, in vectors of one number, looks the same.
    alike = len(opening) > 1 and len(opening[1][1].split()) == 2 and width != 1
    return None if alike else (words, width)


def _without_mark(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines without the byte order mark that some editors put first."""
    for number, line in enumerate(stream):
        yield line if number else line.removeprefix(BOM_UTF8)


def _width(fields: list[str]) -> int:
    """Return how many numbers a line ends in, whose word may hold spaces but no numbers."""
    numbers = next((n for n, field in enumerate(reversed(fields)) if not _is_number(field)), None)
    most = len(fields) - 1
    if numbers is None or any(map(_is_number, fields[1 : most - numbers])):
        return most  # the word is a number, or what is none stands among the numbers
    return numbers


def _fields(line: bytes, where: str, number: int) -> list[str]:
    try:
        return line.decode("utf-8").rstrip(" \r\n").split(" ")
    except UnicodeDecodeError as error:
        raise _broken(
            where, number, "UTF-8 text", f"a byte that is none ({error.reason})"
        ) from error


def _block(numbered: list[tuple[int, bytes]], width: int, where: str) -> Block:
    words: list[str] = []
    rows: list[list[float]] = []
    for number, line in numbered:
        fields = _fields(line, where, number)
        word, numbers = " ".join(fields[:-width]), fields[-width:]
        try:
            if not word:
                raise ValueError
            rows.append(list(map(float, numbers)))
        except ValueError:
            raise _misread(where, number, fields, width) from None
        if len(fields) > width + 1 and _is_number(fields[-width - 1]):
            raise _misread(where, number, fields, width)
        words.append(word)
    with np.errstate(over="ignore"):
        matrix = np.array(rows, dtype=np.float32)
    finite = np.isfinite(matrix).all(1)
    if not finite.all():
        row = int(finite.argmin())
        value = next(n for n, v in zip(rows[row], matrix[row], strict=True) if not np.isfinite(v))
        raise _broken(where, numbered[row][0], "finite numbers", f"{value} after '{words[row]}'")
    return words, matrix


def _misread(where: str, number: int, fields: list[str], width: int) -> ThawlineError:
    """Say what is wrong with a line that is no word with its numbers."""
    last = [not _is_number(field) for field in reversed(fields)]
    numbers = last.index(True) if True in last else len(fields) - 1
    odd = fields[-numbers - 1] if numbers < min(width, len(fields) - 1) else None
    if odd is not None and len(fields) == width + 1:
        return _broken(where, number, f"{width} numbers after '{fields[0]}'", f"'{odd}' among them")
    if not fields[0] and numbers == width:
        return _broken(where, number, f"a word before its {width} numbers", "none")
    shown = f"'{fields[0]}'" if fields[0] else "its word"
    return _broken(where, number, f"{width} numbers after {shown}", f"{numbers}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _broken(where: str, number: int, expected: str, found: str) -> ThawlineError:
    return ThawlineError(
        f"{expected} in line {number} of {where}", found, "fix the line or fetch the file again"
    )
