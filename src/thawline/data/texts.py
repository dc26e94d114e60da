"""Check and format texts and pairs of texts."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, KeysView, Mapping, Sequence, Set
from hashlib import blake2b
from typing import Any, TypeGuard
from unicodedata import normalize

from thawline.errors import ThawlineError, join_lines

Text = str | tuple[str, str]
"""A text, or a pair of texts to classify together, such as a premise and a hypothesis."""

_MAX_SHOWN = 60


def check_texts(texts: Iterable[Any]) -> list[Text]:
    """Check every text and return the texts as a list.

    Args:
        texts: Strings, or pairs of strings as tuples, ``(rows,)``.

    Raises:
        ThawlineError: If ``texts`` is a single string, a set, a table or a mapping. Also if a row
            is neither a string nor a pair of strings, if it contains an invalid character (a lone
            surrogate), or if some rows are texts and others are pairs.
    """
    if isinstance(texts, str | bytes):
        fix = "put the text in a list: [text]"
        found = f"the string {shorten(repr(texts))}"
        raise ThawlineError("a sequence of texts", found, fix)
    kind = type(texts).__name__
    if isinstance(texts, Mapping) or hasattr(texts, "columns"):
        raise ThawlineError("a sequence of texts", f"a {kind}", "pass one of its columns")
    check_order(texts, "texts")
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
    if listed:
        check_pairing(listed, pairs=isinstance(listed[0], tuple), expected="as in row 0")
    return listed


def check_order(rows: object, what: str) -> None:
    """Check that texts or labels have an order, so that each label belongs to its text.

    The keys and the values of a dict have the order in which they were added.

    Args:
        rows: The texts or the labels.
        what: ``texts`` or ``labels``.

    Raises:
        ThawlineError: If they are a set, or the items of a dict.
    """
    if isinstance(rows, Set) and not isinstance(rows, KeysView):
        kind = type(rows).__name__
        reason = "mixes texts with other values" if isinstance(rows, ItemsView) else "has no order"
        raise ThawlineError(
            f"{what} in a list, an array or a Series",
            f"a {kind}, which {reason}",
            "pass one list of texts and one list of labels in the same order",
        )


def index_warning(texts: object, labels: object) -> str | None:
    """Return a warning if texts and labels of pandas have the same index in another order."""
    one: Any = getattr(texts, "index", None)
    other: Any = getattr(labels, "index", None)
    if not (hasattr(one, "symmetric_difference") and isinstance(other, type(one))):
        return None  # not of pandas
    if len(one) != len(other) or one.equals(other) or one.symmetric_difference(other).size:
        return None
    return (
        "the texts and the labels have the same index in another order, but each label is taken "
        "for the text at its position; if the labels belong to the index, pass "
        "labels.loc[texts.index]"
    )


def check_pairing(texts: Iterable[Text], *, pairs: bool, expected: str) -> None:
    """Check that all texts are pairs, or that none is.

    Args:
        texts: The texts.
        pairs: Whether pairs are expected.
        expected: The reason for the expectation, for the error.

    Raises:
        ThawlineError: If a text is not of the expected kind.
    """
    row, text = next(
        ((row, text) for row, text in enumerate(texts) if isinstance(text, tuple) != pairs),
        (-1, ""),
    )
    if row >= 0:
        kinds = ("single texts", "pairs of texts")
        found = f"the {'pair' if isinstance(text, tuple) else 'single text'} {_quote(text)}"
        raise ThawlineError(
            f"{kinds[pairs]}, {expected}",
            f"{found} in row {row} (counting from 0)",
            "pass each row as a tuple (first, second)" if pairs else "pass each text as one string",
        )


def is_text(cell: object) -> TypeGuard[Text]:
    """Return whether a cell is a string or a tuple of two strings, with valid characters."""
    if isinstance(cell, tuple):
        return len(cell) == 2 and all(_is_string(part) for part in cell)
    return _is_string(cell)


def is_blank(text: Text) -> bool:
    """Return whether a text, or both texts of a pair, contain only white space."""
    parts = (text,) if isinstance(text, str) else text
    return all(not part or part.isspace() for part in parts)


def shorten(text: str, characters: int = _MAX_SHOWN) -> str:
    """Return a text, truncated with an ellipsis if it has more than a number of characters.

    Args:
        text: The text.
        characters: The maximum number of characters, the ellipsis included.
    """
    return text if len(text) <= characters else text[: characters - 1] + "…"


def show_surrogates(text: str) -> str:
    """Return a text with lone surrogates as escapes, for example of a file name that is not UTF-8.

    Args:
        text: Any text.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def has_surrogate(text: str) -> bool:
    """Return whether a string holds a lone surrogate: half a character, which JSON can express.

    Such a string can be neither tokenized nor written to a file.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _is_string(cell: object) -> bool:
    return isinstance(cell, str) and not has_surrogate(cell)


def _quote(text: Text) -> str:
    return shorten(repr(text))


def _describe_invalid(cell: object) -> str:
    """Describe a cell that is not a text, for an error."""
    parts = cell if isinstance(cell, tuple) and len(cell) == 2 else (cell,)
    if all(isinstance(part, str) for part in parts):
        return f"an invalid character (a lone surrogate) in {shorten(ascii(cell))}"
    if isinstance(cell, tuple):
        return f"a tuple of {', '.join(type(part).__name__ for part in cell) or 'nothing'}"
    return f"a value of type {type(cell).__name__}"


def copy_key(text: Text) -> bytes:
    """Return a key that two texts share if they differ at most in case, white space or composition.

    The composition is the way in which a letter with an accent is encoded: as one character or as
    two. The key of a pair depends on the order of its texts.
    """
    parts = (text,) if isinstance(text, str) else text
    plain = (" ".join(normalize("NFC", part).casefold().split()) for part in parts)
    return blake2b("\0".join(plain).encode(), digest_size=16).digest()


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


def check_same_kind(pairs: Sequence[bool]) -> None:
    """Check that classifiers were all trained on single texts, or all on pairs.

    Args:
        pairs: Whether each classifier was trained on pairs.

    Raises:
        ThawlineError: If both kinds are among them.
    """
    if len(set(pairs)) > 1:
        raise ThawlineError(
            "classifiers that were all trained on single texts, or all on pairs",
            "both kinds",
            "use each kind in a command of its own",
        )
