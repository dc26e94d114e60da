"""Read texts, labels and seeds in every form that scikit-learn accepts."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterable, KeysView, Sized, ValuesView
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state, column_or_1d

from thawline.data import LabelledTexts, Labels, Text, check_texts
from thawline.data.labels import plain_value, suggest_spelling, to_plain_label
from thawline.data.loading import MANY
from thawline.data.sources.tables import PAIR_COLUMNS, TEXT_COLUMNS
from thawline.data.texts import check_order, index_warning, shorten
from thawline.errors import ThawlineError

_MAX_SEED = 2**31 - 1
"""Upper bound of random seeds, because NumPy generates int32 on every platform."""

_ONE_LABEL = "one label for each text, in one dimension"


def read_texts(texts: Any) -> list[Text]:
    """Return texts as a list.

    Args:
        texts: The texts in a list, a tuple, an array or a Series, ``(rows,)``. An array or a frame
            with one column is read as that column. An array with two columns is read as pairs of
            texts. So is a frame whose columns have no names or those of a common pair, such as
            ``premise`` and ``hypothesis``, which are read in this order.

    Raises:
        ThawlineError: If ``texts`` has another form, or a row is neither a text nor a pair.
    """
    if hasattr(texts, "to_pylist"):  # an array of pyarrow, whose to_numpy refuses strings
        return check_texts(texts.to_pylist())
    table = texts.to_numpy() if hasattr(texts, "to_numpy") else texts
    if isinstance(table, np.ndarray):
        names = getattr(texts, "columns", table.dtype.names)
        if table.dtype.names is not None:  # a record array, such as that of DataFrame.to_records
            table = np.array(table.tolist(), dtype=object).reshape(-1, len(table.dtype.names))
        if names is not None and table.ndim == 2 and table.shape[1] == 2:
            table = table[:, _order_of_pair(list(names))]
        return check_texts(_rows_of(table, names))
    return check_texts(texts)


def _order_of_pair(names: list[Any]) -> list[int]:
    """Return the positions of the first and the second text of pairs in a frame of two columns.

    Raises:
        ThawlineError: If the columns have names that are not those of a pair. One of them may be
            an identifier or a label.
    """
    if names == [0, 1]:
        return names
    by_name = {str(name).strip().lower(): position for position, name in enumerate(names)}
    for pair in PAIR_COLUMNS:
        if by_name.keys() == {*pair}:
            return [by_name[name] for name in pair]
    column = next((name for name in TEXT_COLUMNS if name in by_name), None)
    one = names[-1 if column is None else by_name[column]]
    raise ThawlineError(
        "a frame with one column of texts, or with the two columns of a pair "
        f"({', '.join(' and '.join(pair) for pair in PAIR_COLUMNS)})",
        f"the columns {', '.join(map(repr, map(str, names)))}",
        f"choose the texts, for example frame[{str(one)!r}], or use frame.to_numpy() if both "
        "columns together are pairs of texts",
    )


def _rows_of(table: NDArray[Any], names: Iterable[Any] | None) -> Any:
    """Return the rows of an array as Python objects, with two columns as tuples."""
    if table.ndim < 2:
        return table.tolist()
    columns = table.shape[1] if table.ndim == 2 else 0
    if columns == 1:
        return table[:, 0].tolist()
    if columns == 2:
        return [tuple(row) for row in table.tolist()]
    named = f" ({', '.join(map(str, names))})" if names is not None else ""
    raise ThawlineError(
        "one column of texts, or two columns for pairs",
        f"{columns} columns{named}" if columns else f"an array of shape {table.shape}",
        "choose one column, for example frame['text']",
    )


def read_labels(y: Any) -> NDArray[Any]:
    """Return labels as an array that keeps their dtype, ``(rows,)``.

    The members of an Enum are replaced by their values.

    Args:
        y: The labels in a list, a tuple, an array, a Series or a frame with one column.

    Raises:
        ThawlineError: If there are no labels, if a text has several or none, or if the labels are
            continuous numbers.
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
            f"labels of shape {labels.shape}" if labels.ndim else f"one {type(y).__name__}",
            "pass a list, an array or a Series of labels",
        )
    masked, labels = np.ma.getmaskarray(labels), np.asarray(labels)
    missing = np.flatnonzero(pd.isna(labels) | masked)
    if len(missing):
        raise ThawlineError(
            "a label for each text",
            f"a missing label in row {missing[0]} (counting from 0)",
            "drop that row, or label it",
        )
    if labels.dtype.kind == "f":
        _check_integers(labels)
    return labels


def _as_array(y: Any) -> NDArray[Any]:
    """Return labels as an array that keeps their types and all characters.

    NumPy alone would turn ``[1, "a"]`` into strings, shorten the members of an Enum of strings,
    which can make two classes equal, and remove null characters at the end of strings.
    """
    check_order(y, "labels")
    if isinstance(y, Iterable) and not isinstance(y, Sized):
        y = list(y)
    if isinstance(y, list | tuple | KeysView | ValuesView):
        y = [plain_value(label) for label in y]
        if any(isinstance(label, str) for label in y):
            plain = all(isinstance(label, str) and not label.endswith("\0") for label in y)
            if not plain:
                return _objects(y)
    try:
        array = np.asanyarray(y) if isinstance(y, np.ma.MaskedArray) else np.asarray(y)
    except ValueError:
        raise ThawlineError(
            _ONE_LABEL,
            f"rows of different lengths: {shorten(repr(y))}",
            "pass one label for each text",
        ) from None
    if array.dtype.kind in ("O", "T") and array.ndim == 1:
        return _objects([plain_value(label) for label in array])
    return array


def _objects(labels: list[Any]) -> NDArray[Any]:
    """Return labels as an array of objects, ``(rows,)``."""
    return np.fromiter(labels, dtype=object, count=len(labels))


def _check_integers(labels: NDArray[Any]) -> None:
    invalid = np.flatnonzero(~np.isfinite(labels) | (labels != np.floor(labels)))
    if len(invalid):
        raise ThawlineError(
            "labels that are integers, booleans or strings",
            f"continuous values, such as {labels[invalid[0]]} in row {invalid[0]} "
            "(counting from 0)",
            "convert them to classes",
        )


def read_rows(texts: Any, labels: Any, known: Labels) -> LabelledTexts:
    """Return texts with the ids of their classes.

    Args:
        texts: The texts, in any form that `read_texts` accepts.
        labels: Their labels, in any form that `read_labels` accepts.
        known: The classes.

    Raises:
        ThawlineError: If texts or labels are invalid, if their numbers differ, or if a class is
            unknown.
    """
    if (warning := index_warning(texts, labels)) is not None:
        warnings.warn(warning, stacklevel=3)
    listed, given = read_texts(texts), read_labels(labels)
    if len(listed) != len(given):
        raise _wrong_number(len(listed), len(given))
    return LabelledTexts(listed, known.encode(given), np.arange(len(listed)), "fit")


def _wrong_number(texts: int, labels: int) -> ThawlineError:
    return ThawlineError(
        "as many labels as texts",
        f"{texts:,} texts and {labels:,} labels",
        "pass one label for each text",
    )


def find_classes(labels: NDArray[Any], names: tuple[str, ...] | None) -> Labels:
    """Return the classes of training labels.

    Args:
        labels: The label of each text, ``(rows,)``, as `read_labels` returns it.
        names: The names of the classes, in ascending order of integer labels. If None, the labels
            themselves.

    Raises:
        ThawlineError: If the names do not fit, or if many labels all differ, as texts do.
    """
    known = Labels.from_raw(labels, names)
    if len(known) == len(labels) >= MANY:
        raise ThawlineError(
            "labels that several texts share",
            f"{len(labels):,} different labels for {len(labels):,} texts, such as "
            f"{shorten(repr(known.names[0]))}",
            "call fit(texts, labels), with one of a few classes as the label of each text",
        )
    return known


def read_validation(validation: Any, known: Labels) -> LabelledTexts:
    """Return the texts and the class ids of ``validation=(texts, labels)``.

    Raises:
        ThawlineError: If it is not a pair of texts and labels, or if they are invalid.
    """
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        kind = type(validation).__name__
        items = f" of {len(validation):,} items" if isinstance(validation, tuple | list) else ""
        raise ThawlineError(
            "validation as texts and labels",
            f"a {kind}{items}",
            "pass validation=(texts, labels)",
            setting="validation",
        )
    texts, labels = validation
    return read_rows(texts, labels, known)


def read_known(labels: Any, known: Labels, rows: int) -> NDArray[np.int64]:
    """Return the class ids of labels to score, with -1 for labels that the model does not know.

    Args:
        labels: The labels, in any form that `read_labels` accepts. The name of a class, and another
            spelling of its integer, are accepted too.
        known: The classes of the model.
        rows: The number of texts.

    Raises:
        ThawlineError: If the number of labels differs, or if the model knows none of them.
    """
    given = read_labels(labels)
    if len(given) != rows:
        raise _wrong_number(rows, len(given))
    ids = known.lookup(given)
    unknown = np.flatnonzero(ids < 0)
    if len(unknown) == len(ids) > 1:  # one row may be the only one of its class
        known.encode(given)  # raises
    if len(unknown):
        label = to_plain_label(given[unknown[0]])
        fix = suggest_spelling(known, label)
        warnings.warn(
            f"{len(unknown):,} of {len(ids):,} labels, such as {shorten(repr(label))}, are not "
            f"among the classes {known.described()} and count as errors"
            + (f"; {fix}" if fix else ""),
            stacklevel=3,
        )
    return ids


def read_seed(random_state: Any) -> int:
    """Return the seed that a ``random_state`` represents, with the meaning of scikit-learn.

    Args:
        random_state: A seed, or a ``RandomState`` or ``Generator`` that generates one. If None,
            the global random state of NumPy generates it.

    Raises:
        ThawlineError: If ``random_state`` is of another type.
    """
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(_MAX_SEED))
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(_MAX_SEED))
    raise ThawlineError(
        "random_state as an integer, None, or a RandomState or Generator of NumPy",
        f"{random_state!r} ({type(random_state).__name__})",
        "use random_state=0",
    )
