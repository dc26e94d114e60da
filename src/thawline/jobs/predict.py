"""Read the texts that `thawline predict` classifies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from thawline.data import Text
from thawline.data.sources.folders import DATA_SUFFIXES
from thawline.data.sources.lines import LINES, is_lines, read_lines
from thawline.data.sources.open import open_source
from thawline.data.sources.parts import WHOLE
from thawline.data.sources.tables import TEXT_COLUMNS
from thawline.data.texts import is_blank
from thawline.errors import ThawlineError, assignment
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter
from thawline.runtime.untrusted import check_regular


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
        if path.exists():
            check_regular(path)  # says that it is a named pipe or a device
        fix = "check the path"
        raise ThawlineError("a file of texts", f"no file '{data}'", fix, setting="data")
    if is_lines(path):
        if text is not None:
            fix = "remove `text`"
            raise ThawlineError(f"no `text` for '{data}'", f"'{text}'", fix, setting="text")
        texts: list[Text] = list(_read_lines(path, reporter))
    else:
        source = open_source(data if is_url else str(path), text)
        if [*source.parts] != [WHOLE]:
            found = f"several splits in '{data}'"
            raise ThawlineError("one file of texts", found, "give one of its files", setting="data")
        part = source.parts[WHOLE]
        texts = part.texts if part.table.columns else []
        for warning in (*source.warnings, *part.table.warnings):
            reporter.message(warning)
    if not texts:
        fix = "give another file"
        raise ThawlineError(f"at least one text in '{data}'", "none", fix, setting="data")
    return texts


def _read_lines(path: Path, reporter: Reporter) -> list[str]:
    """Return the lines of a text file, and report if it looks like a file of another kind."""
    lines, warnings = read_lines(path)
    header = None if warnings else header_warning(lines[0] if lines else "", f"'{path.name}'")
    for warning in (*warnings, *([] if header is None else [header])):
        reporter.message(warning)
    return lines


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
                f"write {assignment('data', text)} to classify the texts in it",
            )


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or a null character
        return False


def as_trained(text: Text, *, pairs: bool) -> Text:
    """Return a text, or a pair, as the classifier was trained on.

    Args:
        text: A text, which is a pair if it has a tab and pairs are expected, or a pair.
        pairs: Whether the classifier was trained on pairs.

    Raises:
        ThawlineError: If the text is not of that kind.
    """
    if isinstance(text, str) and pairs:
        first, tab, second = text.partition("\t")
        if tab:
            return first, second
        raise ThawlineError(
            "a pair of texts, because this classifier was trained on pairs",
            f"the single text '{text}'",
            "write the two texts with a tab between them",
        )
    if not isinstance(text, str) and not pairs:
        raise ThawlineError(
            "single texts, because this classifier was trained on single texts",
            f"the pair '{text[0]}' and '{text[1]}'",
            "name one column with `data.text`",
        )
    return text


def blank_warning(texts: Sequence[Text]) -> str | None:
    """Return a warning if texts are empty, because their predictions mean nothing."""
    blank = [row for row, text in enumerate(texts) if is_blank(text)]
    if not blank:
        return None
    return (
        f"{len(blank):,} of {len(texts):,} texts have no content (first: text {blank[0]}, counting "
        "from 0); their predictions do not depend on a text"
    )


def header_warning(first: str, where: str = "standard input") -> str | None:
    """Return a warning if the first of the lines to classify looks like a header.

    Args:
        first: The line.
        where: The name of the input, for the warning.
    """
    try:
        row = json.loads(first) if first.startswith("{") else None
    except (ValueError, RecursionError):
        row = None
    names = row if isinstance(row, dict) else first.replace("\t", ",").replace(";", ",").split(",")
    if not {str(name).strip(' "').lower() for name in names} & {*TEXT_COLUMNS}:
        return None
    return (
        f"each line of {where} is classified as a text, but the first line looks like that of a "
        "file with columns; `data` reads such a file if its name ends in .csv or .tsv"
    )
