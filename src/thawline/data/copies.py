"""Number the copies of a text, and keep them on one side when a split is carved out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

from thawline.data.labels import IntArray
from thawline.data.texts import Text, copy_key

BoolArray = npt.NDArray[np.bool_]

_MAX_TIMES = 3
"""How many times as many rows as wanted a text may have that is the only one to be carved out."""

_WORDS = 3
"""The number of words at each end of a text by which possible copies are found."""


def number_copies(texts: Sequence[Text]) -> IntArray:
    """Number the texts of rows, so that copies have the same number, ``(rows,)`` int64.

    Two texts are copies if they differ at most in case, white space or composition. Numbers are
    given in the order in which texts first occur. Only texts that share their first and last words
    with another one are read completely, which takes a fraction of the time for long texts.
    """
    ends = [_ends(text) for text in texts]
    times = Counter(ends)
    known: dict[bytes | tuple[str, ...], int] = {}
    keys = (
        end if times[end] == 1 else copy_key(text) for text, end in zip(texts, ends, strict=True)
    )
    return np.fromiter((known.setdefault(key, len(known)) for key in keys), np.int64)


def _ends(text: Text) -> tuple[str, ...]:
    """Return the first and last words of a text or of a pair, which are the same for copies."""
    parts = (text,) if isinstance(text, str) else text
    words = (
        (*part.split(None, _WORDS)[:_WORDS], *part.rsplit(None, _WORDS)[-_WORDS:]) for part in parts
    )
    return tuple(normalize("NFC", " ".join(one)).casefold() for one in words)


def count_shared(texts: Iterable[Text], others: Iterable[Text]) -> int:
    """Return the number of rows of ``others`` that hold a copy of one of the texts."""
    keys = set(map(copy_key, texts))
    return sum(copy_key(other) in keys for other in others)


def keep_copies_together(
    is_carved: BoolArray, labels: IntArray, copies: IntArray, seed: int
) -> BoolArray:
    """Move copies of the same text to one side of a carved split, and change nothing else.

    All rows of the texts that are on both sides are removed from the carved part. Then texts are
    added to it, the most frequent first, as long as each brings the number of rows of its classes
    closer to that before. Then texts from the rest are added where rows of a class are missing. If
    nothing is carved out, the least frequent text is, unless it has far too many rows.

    Args:
        is_carved: Whether each row was carved out, ``(rows,)``.
        labels: The class of each row, ``(rows,)``.
        copies: The number of the text of each row, ``(rows,)``.
        seed: The random seed, for the order of texts with the same number of rows.

    Returns:
        Whether each row is carved out, ``(rows,)``. It is ``is_carved`` if no text is on both
        sides, or if no text could be carved out as a whole.
    """
    texts = int(copies.max(initial=-1)) + 1
    carved_rows = np.bincount(copies[is_carved], minlength=texts)
    rows = np.bincount(copies, minlength=texts)
    divided = (carved_rows > 0) & (carved_rows < rows)
    if not divided.any():
        return is_carved
    sides = _Sides(is_carved & ~divided[copies], is_carved, labels, copies)
    order = np.random.default_rng(seed).permutation(texts)
    order = order[np.argsort(-rows[order], kind="stable")]
    order = order[rows[order] > 0]
    for text in order[divided[order]]:
        sides.add_if_closer(text)
    for text in order[(carved_rows[order] == 0) & (rows[order] < 2 * sides.most_missing)]:
        if not sides.most_missing:
            break
        sides.add_if_closer(text)
    if not sides.is_carved.any():
        few = order[rows[order] <= _MAX_TIMES * np.count_nonzero(is_carved)]
        for text in few[::-1]:
            if sides.add(text):
                break
    return sides.is_carved if sides.is_carved.any() else is_carved


class _Sides:
    """The rows that are carved out, and how many rows of each class are missing among them.

    Args:
        is_carved: Whether each row is carved out, ``(rows,)``.
        wanted: The rows whose numbers per class are wanted, ``(rows,)``.
        labels: The class of each row, ``(rows,)``.
        copies: The number of the text of each row, ``(rows,)``.
    """

    def __init__(
        self, is_carved: BoolArray, wanted: BoolArray, labels: IntArray, copies: IntArray
    ) -> None:
        self.is_carved = is_carved
        _, self._classes = np.unique(labels, return_inverse=True)
        self._missing = self._count(wanted) - self._count(is_carved)
        self._rest = self._count(~is_carved)
        self._by_text = np.argsort(copies, kind="stable")
        self._ends = np.cumsum(np.bincount(copies))

    def _count(self, rows: BoolArray) -> IntArray:
        return np.bincount(self._classes[rows], minlength=int(self._classes.max()) + 1)

    @property
    def most_missing(self) -> int:
        """The largest number of rows that are missing of any class, at least 0."""
        return int(self._missing.max(initial=0))

    def add_if_closer(self, text: int) -> None:
        """Carve out all rows of a text if the numbers per class come closer to the wanted ones."""
        classes, counts = self._classes_of(text)
        before = np.abs(self._missing[classes]).sum()
        if np.abs(self._missing[classes] - counts).sum() < before:
            self.add(text)

    def add(self, text: int) -> bool:
        """Carve out all rows of a text, unless a class would have no other row.

        Returns:
            Whether the rows were carved out.
        """
        classes, counts = self._classes_of(text)
        if (self._rest[classes] <= counts).any():
            return False
        self.is_carved[self._rows_of(text)] = True
        self._missing[classes] -= counts
        self._rest[classes] -= counts
        return True

    def _rows_of(self, text: int) -> IntArray:
        start = 0 if text == 0 else self._ends[text - 1]
        return self._by_text[start : self._ends[text]]

    def _classes_of(self, text: int) -> tuple[IntArray, IntArray]:
        """Return the classes of the rows of a text, and the number of rows of each."""
        return np.unique(self._classes[self._rows_of(text)], return_counts=True)
