"""What is classified: a text, or a pair of texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from thawline.errors import ThawlineError

Text = str | tuple[str, str]
"""One text, or a pair of texts that is read as one: premise and hypothesis, question and answer."""

_MOST_SHOWN = 60


def check_texts(texts: Iterable[Any]) -> list[Text]:
    """Return the texts as a list, once each of them is known to be one.

    Args:
        texts: (rows,) strings, pairs of strings as tuples, or both.

    Raises:
        ThawlineError: a single string, a table or a mapping in place of a sequence; or a row that
            is neither a string nor a pair of strings, or that holds half a character.
    """
    if isinstance(texts, str | bytes):
        raise ThawlineError("a sequence of texts", "one string", "put it in a list: [text]")
    kind = type(texts).__name__
    if isinstance(texts, Mapping) or hasattr(texts, "columns"):
        raise ThawlineError("a sequence of texts", f"a {kind}", "give one of its columns")
    if not isinstance(texts, Iterable):
        raise ThawlineError("a sequence of texts", f"one {kind}", "put the texts in a list")
    listed = list(texts)
    for row, text in enumerate(listed):
        if not is_text(text):
            fix = "convert or drop that row"
            if isinstance(text, list) and is_text(tuple(text)):
                fix = "write a pair of texts as a tuple: (first, second)"
            raise ThawlineError("texts as strings", f"{_kind(text)} in row {row}", fix)
    return listed


def is_text(cell: object) -> TypeGuard[Text]:
    """Say whether a cell is a string, or a tuple of two strings, that can be tokenised."""
    if isinstance(cell, tuple):
        return len(cell) == 2 and all(_is_string(part) for part in cell)
    return _is_string(cell)


def is_blank(text: Text) -> bool:
    """Say whether there is nothing to read in a text, or in either half of a pair."""
    return not "".join(text).strip()


def shortened(text: str) -> str:
    """Return the text, the tail of a long one as an ellipsis, for messages."""
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"


def _is_string(cell: object) -> bool:
    """Half a surrogate pair, which JSON can spell, is no character and cannot be tokenised."""
    if not isinstance(cell, str):
        return False
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _kind(cell: object) -> str:
    return f"half a character in {shortened(repr(cell))}" if _has_string(cell) else _name(cell)


def _has_string(cell: object) -> bool:
    parts = cell if isinstance(cell, tuple) and len(cell) == 2 else (cell,)
    return all(isinstance(part, str) for part in parts)


def _name(cell: object) -> str:
    if isinstance(cell, tuple):
        return f"a tuple of {', '.join(type(part).__name__ for part in cell) or 'nothing'}"
    return type(cell).__name__


def one_string(text: Text) -> str:
    """Return what a text is compared by; the two of a pair stand on lines of their own."""
    return text if isinstance(text, str) else "\n".join(text)


def one_line(text: Text, characters: int) -> str:
    """Return the first characters of a text, on one line."""
    line = " ".join(one_string(text).split())
    return line if len(line) <= characters else line[: characters - 1] + "…"
