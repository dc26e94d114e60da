"""Check and format texts and pairs of texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from thawline.errors import ThawlineError, join_lines

Text = str | tuple[str, str]
"""A text, or a pair of texts to classify together, such as a premise and a hypothesis."""

_MOST_SHOWN = 60


def check_texts(texts: Iterable[Any]) -> list[Text]:
    """Check every text and return the texts as a list.

    Args:
        texts: Strings, pairs of strings as tuples, or both, ``(rows,)``.

    Raises:
        ThawlineError: If ``texts`` is a single string, a table or a mapping. Also if a row is
            neither a string nor a pair of strings, or contains an invalid character (a lone
            surrogate).
    """
    if isinstance(texts, str | bytes):
        fix = "put the text in a list: [text]"
        found = f"the string {shorten(repr(texts))}"
        raise ThawlineError("a sequence of texts", found, fix)
    kind = type(texts).__name__
    if isinstance(texts, Mapping) or hasattr(texts, "columns"):
        raise ThawlineError("a sequence of texts", f"a {kind}", "pass one of its columns")
    if not isinstance(texts, Iterable):
        raise ThawlineError("a sequence of texts", f"one {kind}", "put the texts in a list")
    listed = list(texts)
    for row, text in enumerate(listed):
        if not is_text(text):
            fix = "convert or drop that row"
            if isinstance(text, list) and is_text(tuple(text)):
                fix = "write a pair of texts as a tuple: (first, second)"
            found = f"{_describe_invalid(text)} in row {row} (counting from 0)"
            raise ThawlineError("texts as strings, or pairs of strings as tuples", found, fix)
    return listed


def is_text(cell: object) -> TypeGuard[Text]:
    """Return whether a cell is a string or a tuple of two strings, with valid characters."""
    if isinstance(cell, tuple):
        return len(cell) == 2 and all(_is_string(part) for part in cell)
    return _is_string(cell)


def is_blank(text: Text) -> bool:
    """Return whether a text, or both texts of a pair, contain only white space."""
    return not "".join(text).strip()


def shorten(text: str, characters: int = _MOST_SHOWN) -> str:
    """Return a text, truncated with an ellipsis if it has more than a number of characters.

    Args:
        text: The text.
        characters: The maximum number of characters, the ellipsis included.
    """
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _is_string(cell: object) -> bool:
    if not isinstance(cell, str):
        return False
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which JSON can express, cannot be tokenized
        return False
    return True


def _describe_invalid(cell: object) -> str:
    """Describe a cell that is not a text, for an error."""
    parts = cell if isinstance(cell, tuple) and len(cell) == 2 else (cell,)
    if all(isinstance(part, str) for part in parts):
        return f"an invalid character (a lone surrogate) in {shorten(repr(cell))}"
    if isinstance(cell, tuple):
        return f"a tuple of {', '.join(type(part).__name__ for part in cell) or 'nothing'}"
    return f"a value of type {type(cell).__name__}"


def one_string(text: Text) -> str:
    """Return a text as a single string; the texts of a pair are joined by a line break."""
    return text if isinstance(text, str) else "\n".join(text)


def one_line(text: Text, characters: int) -> str:
    """Return the start of a text on one line, with an ellipsis if the text is longer.

    Args:
        text: A text or a pair of texts.
        characters: The maximum number of characters, the ellipsis included.
    """
    return shorten(join_lines(one_string(text)), characters)
