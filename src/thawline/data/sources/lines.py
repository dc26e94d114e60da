"""Read text files with one text per line, which may also have the labels of fastText."""

from __future__ import annotations

from pathlib import Path

from thawline.data.sources.fasttext import PREFIX, open_fasttext
from thawline.data.sources.files import DEFAULT_LIMITS, find_file
from thawline.data.sources.open import open_source
from thawline.errors import ThawlineError
from thawline.runtime.paths import expand

LINES = ".txt"
"""The suffix of files with one text per line."""


def is_lines(path: Path) -> bool:
    """Return whether a path is a file with one text per line, which may be compressed."""
    return path.is_file() and LINES in [suffix.lower() for suffix in path.suffixes]


def read_lines(path: Path) -> tuple[list[str], tuple[str, ...]]:
    """Return the lines of a text file, without the labels if it has the format of fastText.

    Returns:
        The texts, and a warning if the file has the format of fastText.

    Raises:
        ThawlineError: If the file cannot be read.
    """
    file = find_file(path, [LINES], DEFAULT_LIMITS)
    with file.open_text() as stream:
        lines = split_lines(stream.read())
    if lines and lines[0].startswith(PREFIX):
        table = open_fasttext(file)
        return list(table.read("text")), table.warnings
    return lines, ()


def unlabelled_lines(name: str) -> list[str] | None:
    """Return the lines of a text file without labels. None for any other source.

    Args:
        name: A file, a folder, the name of a data set or a hub id.

    Raises:
        ThawlineError: If the file cannot be read.
    """
    path = expand(name)
    if not is_lines(path):
        return None
    try:
        for part in open_source(name, None).parts.values():
            part.texts  # noqa: B018 - raises an error if the lines have no labels
    except ThawlineError:
        return read_lines(path)[0]
    return None


def split_lines(text: str) -> list[str]:
    """Return the lines of a text without their ends, which are LF or CR LF, or CR alone."""
    lines = (text if "\n" in text else text.replace("\r", "\n")).split("\n")
    if not lines[-1]:
        del lines[-1]
    return [line.removesuffix("\r") for line in lines]
