"""Read the texts that `thawline predict` classifies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from thawline.data import Text
from thawline.data.sources.files import DEFAULT_LIMITS, find_file
from thawline.data.sources.folders import DATA_SUFFIXES
from thawline.data.sources.open import open_source
from thawline.data.sources.parts import WHOLE
from thawline.data.sources.tables import TEXT_COLUMNS
from thawline.errors import ThawlineError
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter

LINES = ".txt"
"""The suffix of files with one text per line."""


def read_file(data: str, text: str | None, reporter: Reporter) -> list[Text]:
    """Return the texts of a file in the order of its rows.

    Args:
        data: The path of a file with a text column, or of a ``.txt`` file with a text per line.
        text: The text column, or two columns separated by a comma. If None, the column is found by
            common names.
        reporter: Shows warnings about the file.

    Raises:
        ThawlineError: If the path is not a file, if it cannot be read or has no such column, or if
            a row has no text.
    """
    path = expand(data)
    if path.is_dir():
        fix = "give one file"
        raise ThawlineError("a file of texts", f"the folder '{data}'", fix, setting="data")
    is_url = "://" in data  # open_source explains what to do with it
    if not path.is_file() and not is_url:
        fix = "check the path"
        raise ThawlineError("a file of texts", f"no file '{data}'", fix, setting="data")
    if path.is_file() and LINES in [suffix.lower() for suffix in path.suffixes]:
        if text is not None:
            fix = "remove --text"
            raise ThawlineError(f"no --text for '{data}'", f"'{text}'", fix, setting="text")
        with find_file(path, [LINES], DEFAULT_LIMITS).open_text() as stream:
            texts: list[Text] = list(split_lines(stream.read()))
    else:
        source = open_source(data if is_url else str(path), text)
        if [*source.parts] != [WHOLE]:
            found = f"several splits in '{data}'"
            raise ThawlineError("one file of texts", found, "give one of its files", setting="data")
        for warning in source.warnings:
            reporter.message(warning)
        part = source.parts[WHOLE]
        texts = part.texts if part.table.columns else []
    if not texts:
        fix = "give another file"
        raise ThawlineError(f"at least one text in '{data}'", "none", fix, setting="data")
    return texts


def split_lines(text: str) -> list[str]:
    """Return the lines of a text without their ends, which are LF or CR LF."""
    lines = text.split("\n")
    if not lines[-1]:
        del lines[-1]
    return [line.removesuffix("\r") for line in lines]


def check_no_file(texts: Sequence[str]) -> None:
    """Check that the texts on the command line are not the names of data files.

    Raises:
        ThawlineError: If a text is the path of a data file.
    """
    for text in texts:
        suffix = Path(text).suffix.lower()
        if suffix in {*DATA_SUFFIXES, LINES} and _is_file(text):
            raise ThawlineError(
                "texts",
                f"the name of the file '{text}'",
                f"write --data '{text}' to classify the texts in it",
            )


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or a null character
        return False


def header_warning(first: str) -> str | None:
    """Return a warning if the first line of standard input looks like that of a file with columns.

    Args:
        first: The line.
    """
    try:
        row = json.loads(first) if first.startswith("{") else None
    except (ValueError, RecursionError):
        row = None
    names = row if isinstance(row, dict) else first.replace("\t", ",").replace(";", ",").split(",")
    if not {str(name).strip(' "').lower() for name in names} & {*TEXT_COLUMNS}:
        return None
    return (
        "each line of standard input is classified as a text, but the first line looks like that "
        "of a file with columns; --data FILE reads such a file"
    )
