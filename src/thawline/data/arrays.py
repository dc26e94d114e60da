"""Texts, labels and seeds in every form in which scikit-learn's users and tools give them."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state, column_or_1d

from thawline.data import LabelledTexts, Labels, Text, check_texts
from thawline.errors import ThawlineError

_SEEDS = 2**31 - 1
"""Seeds drawn from a generator lie below this: int32 is what every platform's numpy draws."""


_ONE_LABEL = "one label for each text, in one dimension"


def read_texts(texts: Any) -> list[Text]:
    """Return texts as a list.

    Args:
        texts: ``(rows,)`` in a list, a tuple, an array, a Series …; an array or a frame of one
            column is that column, and one of two columns holds pairs.

    Raises:
        ThawlineError: something else, or a row that is neither a text nor a pair of them.
    """
    table = texts.to_numpy() if hasattr(texts, "to_numpy") else texts
    if isinstance(table, np.ndarray):
        return check_texts(_rows_of(table, getattr(texts, "columns", None)))
    return check_texts(texts)


def _rows_of(table: NDArray[Any], names: Iterable[Any] | None) -> Any:
    """Return an array's rows as Python's own objects, two columns as tuples."""
    if table.ndim < 2:
        return table.tolist()
    columns = table.shape[1] if table.ndim == 2 else 0
    if columns == 1:
        return table[:, 0].tolist()
    if columns == 2:
        return [tuple(row) for row in table.tolist()]
    named = f" ({', '.join(map(str, names))})" if names is not None else ""
    raise ThawlineError(
        "one column of texts, or two for pairs",
        f"{columns} columns{named}" if columns else f"an array of shape {table.shape}",
        "choose one, such as frame['text']",
    )


def read_labels(y: Any) -> NDArray[Any]:
    """Return labels as an array of their own dtype, ``(rows,)``.

    Raises:
        ThawlineError: no labels, several for a text, a missing one, or continuous numbers.
    """
    if y is None:
        raise ThawlineError(
            "a label for each text",
            "none (fit requires y to be passed, but the target y is None)",
            "call fit(texts, labels)",
        )
    labels = _as_array(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = column_or_1d(labels, warn=True)
    if labels.ndim != 1:
        raise ThawlineError(
            _ONE_LABEL,
            f"labels of shape {labels.shape}" if labels.ndim else type(y).__name__,
            "give a list, an array or a Series of labels",
        )
    missing = np.flatnonzero(pd.isna(labels))
    if len(missing):
        raise ThawlineError(
            "a label for each text",
            f"a missing one in row {missing[0]} (counting from 0)",
            "drop that row, or label it",
        )
    if labels.dtype.kind == "f":
        _check_whole(labels)
    return labels


def _as_array(y: Any) -> NDArray[Any]:
    """Return labels as an array that keeps each for what it is: numpy makes [1, "a"] strings."""
    try:
        array = np.asarray(y)
    except ValueError:
        raise ThawlineError(
            _ONE_LABEL, "rows of different lengths", "choose one label for each text"
        ) from None
    if array.dtype.kind in "US" and isinstance(y, list | tuple) and array.ndim == 1:
        kept = all(isinstance(label, str) for label in y)
        return array if kept else np.array(y, dtype=object)
    return array


def _check_whole(labels: NDArray[Any]) -> None:
    broken = np.flatnonzero(~np.isfinite(labels) | (labels != np.floor(labels)))
    if len(broken):
        raise ThawlineError(
            "labels that are integers, booleans or strings",
            f"continuous ones, such as {labels[broken[0]]} in row {broken[0]} (counting from 0)",
            "turn them into classes first",
        )


def read_rows(texts: Any, labels: Any, known: Labels) -> LabelledTexts:
    """Return texts with the ids of their classes; `read_texts` and `read_labels` say what is taken.

    Raises:
        ThawlineError: what those two refuse, more of one than of the other, or an unknown class.
    """
    listed, given = read_texts(texts), read_labels(labels)
    if len(listed) != len(given):
        raise ThawlineError(
            "as many labels as texts",
            f"{len(listed):,} texts and {len(given):,} labels",
            "give both the same rows",
        )
    return LabelledTexts(listed, known.encode(given), np.arange(len(listed)), "fit")


def read_seed(random_state: Any) -> int:
    """Return the seed that a ``random_state`` stands for, as scikit-learn's estimators read it.

    Args:
        random_state: a seed; a ``RandomState`` or ``Generator``, from which one is drawn; None:
            one is drawn from numpy's global state.

    Raises:
        ThawlineError: none of these.
    """
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(_SEEDS))
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(_SEEDS))
    raise ThawlineError(
        "a random_state: a whole number, None, or numpy's RandomState or Generator",
        f"{random_state!r} ({type(random_state).__name__})",
        "give random_state=0",
    )
