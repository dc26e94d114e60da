"""Read the text format of word vectors: one word and its numbers per line, separated by spaces.

GloVe writes this format. word2vec and fastText add a first line with the number of words and the
width. Some files of GloVe have words with spaces in them, so a line is parsed from its end.
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

from thawline.data.sources.files import BoundedStream, DataFile, Limits, members_of
from thawline.errors import ThawlineError, as_given, did_you_mean
from thawline.runtime.progress import Reporter

SUFFIXES = (".txt", ".vec")
"""Suffixes of files of vectors within a zip file."""

LINES_PER_BLOCK = 8_192
"""Number of lines that are parsed at once."""

_MB = 1_000_000

Block = tuple[list[str], NDArray[np.float32]]
"""Words and their vectors, ``(words, width)``."""

_LIMITS = Limits(file_bytes=64 * 2**30)
"""The largest published vectors have 6 GB. They are read line by line."""


def find_file(path: Path) -> DataFile | None:
    """Find a file of vectors: plain, ``.gz`` or in a ``.zip``.

    A zip file with several files is addressed like a folder: ``glove.6B.zip/glove.6B.100d.txt``.

    Args:
        path: The path of the file, or of a member of a zip file.

    Returns:
        The file. None if the path does not exist.

    Raises:
        ThawlineError: If the path is a folder, if a zip file cannot be read, or if it does not
            hold exactly one file of vectors and the path does not name one.
    """
    if path.is_dir():
        raise ThawlineError(
            "a file of vectors", f"the folder '{path}'", "give a file in that folder"
        )
    if path.is_file():
        return (
            _in_zip(path, None) if path.suffix.lower() == ".zip" else DataFile(path, limits=_LIMITS)
        )
    for archive in path.parents:
        if archive.suffix.lower() == ".zip" and archive.is_file():
            return _in_zip(archive, path.relative_to(archive).as_posix())
    return None


def _in_zip(archive: Path, wanted: str | None) -> DataFile:
    names = members_of(archive, SUFFIXES)
    if wanted is None and len(names) == 1:
        return DataFile(archive, names[0], _LIMITS)
    if wanted in names:
        return DataFile(archive, wanted, _LIMITS)
    shown = as_given(", ".join(names[:6]))
    if wanted is not None:
        expected = f"a file of vectors in {as_given(archive)} ({shown or 'it has none'})"
        fix = did_you_mean(wanted, names) if names else "give another file"
        raise ThawlineError(expected, f"'{wanted}'", fix)
    example = as_given(archive / names[0]) if names else ""
    fix = f"choose one, for example {example}" if names else "give another file"
    found = f"{len(names)} files ({shown})" if names else "no such file"
    expected = f"one file of vectors ({', '.join(SUFFIXES)}) in {as_given(archive)}"
    raise ThawlineError(expected, found, fix)


def read_blocks(file: DataFile, reporter: Reporter) -> Iterator[Block]:
    """Yield the vectors of a file in blocks of up to `LINES_PER_BLOCK` words.

    Args:
        file: The file, plain or compressed.
        reporter: Receives the progress in MB.

    Yields:
        The words and vectors of each block. All vectors have the same width.

    Raises:
        ThawlineError: If the file cannot be read, has no vectors, ends too early or has an
            invalid line.
    """
    with file.open() as stream, reporter.task(f"reading {file.name}, MB", _size(file)) as advance:
        bytes_read, done = _byte_counter(stream, file), 0
        for block in _parse(stream, file.where):
            yield block
            now = bytes_read() // _MB
            advance(now - done)
            done = now
        advance(_size(file) - done)


def _size(file: DataFile) -> int:
    """Return the number of MB to read, after decompression for a member of a zip file."""
    if file.member is None:
        return file.path.stat().st_size // _MB
    with zipfile.ZipFile(file.path) as archive:
        return archive.getinfo(file.member).file_size // _MB


def _byte_counter(stream: IO[bytes], file: DataFile) -> Callable[[], int]:
    """Return a function that returns the number of bytes read so far, counted as in `_size`."""
    raw: Any = getattr(stream, "raw", None)
    if file.member is None and isinstance(raw, BoundedStream):
        packed: IO[bytes] = raw.stream.fileobj
        return packed.tell
    return stream.tell


def _parse(stream: Iterable[bytes], where: str) -> Iterator[Block]:
    lines = enumerate(_without_bom(stream), start=1)
    opening = list(islice(lines, 2))
    declared = _parse_header(opening)
    if declared is not None:
        opening = opening[1:]
    if not opening:
        raise ThawlineError(f"word vectors in {where}", "none", "use another file")
    width = (
        declared[1]
        if declared is not None
        else _count_numbers(_split_line(opening[0][1], where, 1))
    )
    if width < 1:
        found = "tabs instead of spaces" if b"\t" in opening[0][1] else "no numbers"
        raise _line_error(where, 1, "a word and its numbers, separated by spaces,", found)
    total, following = 0, chain(opening, lines)
    while numbered := list(islice(following, LINES_PER_BLOCK)):
        block = _parse_block(numbered, width, where)
        total += len(block[0])
        yield block
    if declared is not None and declared[0] != total:
        expected = f"{declared[0]:,} words in {where}, as its first line states"
        raise ThawlineError(expected, f"{total:,} words", "download the file again")


def _parse_header(opening: list[tuple[int, bytes]]) -> tuple[int, int] | None:
    """Return the number of words and the width if the first line is a header like word2vec's."""
    if not opening:
        return None
    fields = opening[0][1].split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        return None
    words, width = map(int, fields)
    # In vectors of width 1, a line whose word is a number looks like a header.
    is_word = len(opening) > 1 and len(opening[1][1].split()) == 2 and width != 1
    return None if is_word else (words, width)


def _without_bom(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file without the byte order mark with which some files start."""
    for number, line in enumerate(stream):
        yield line if number else line.removeprefix(BOM_UTF8)


def _count_numbers(fields: list[str]) -> int:
    """Return the number of numbers at the end of a line whose word may contain spaces."""
    numbers = next((n for n, field in enumerate(reversed(fields)) if not _is_number(field)), None)
    most = len(fields) - 1
    if numbers is None or any(map(_is_number, fields[1 : most - numbers])):
        return most  # the word is a number, or one of the numbers is invalid
    return numbers


def _split_line(line: bytes, where: str, number: int) -> list[str]:
    try:
        return line.decode("utf-8").rstrip(" \r\n").split(" ")
    except UnicodeDecodeError as error:
        found = f"an invalid byte ({error.reason})"
        raise _line_error(where, number, "UTF-8 text", found) from error


def _parse_block(numbered: list[tuple[int, bytes]], width: int, where: str) -> Block:
    words: list[str] = []
    rows: list[list[float]] = []
    for number, line in numbered:
        fields = _split_line(line, where, number)
        word, numbers = " ".join(fields[:-width]), fields[-width:]
        try:
            if not word:
                raise ValueError
            rows.append(list(map(float, numbers)))
        except ValueError:
            raise _explain_line(where, number, fields, width) from None
        if len(fields) > width + 1 and _is_number(fields[-width - 1]):
            raise _explain_line(where, number, fields, width)
        words.append(word)
    with np.errstate(over="ignore"):
        matrix = np.array(rows, dtype=np.float32)
    finite = np.isfinite(matrix).all(1)
    if not finite.all():
        row = int(finite.argmin())
        value = next(n for n, v in zip(rows[row], matrix[row], strict=True) if not np.isfinite(v))
        found = f"{value} after '{words[row]}'"
        raise _line_error(where, numbered[row][0], "finite numbers", found)
    return words, matrix


def _explain_line(where: str, number: int, fields: list[str], width: int) -> ThawlineError:
    """Return the error for a line that is not a word and its numbers."""
    non_numbers = [not _is_number(field) for field in reversed(fields)]
    numbers = non_numbers.index(True) if True in non_numbers else len(fields) - 1
    invalid = fields[-numbers - 1] if numbers < min(width, len(fields) - 1) else None
    if invalid is not None and len(fields) == width + 1:
        expected = f"{width} numbers after '{fields[0]}'"
        return _line_error(where, number, expected, f"'{invalid}', which is not a number")
    if not fields[0] and numbers == width:
        return _line_error(where, number, f"a word before its {width} numbers", "no word")
    shown = f"'{fields[0]}'" if fields[0] else "the word"
    return _line_error(where, number, f"{width} numbers after {shown}", f"{numbers} of them")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _line_error(where: str, number: int, expected: str, found: str) -> ThawlineError:
    fix = "fix the line, or download the file again"
    return ThawlineError(f"{expected} in line {number} of {where}", found, fix)
