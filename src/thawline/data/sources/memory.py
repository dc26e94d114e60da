"""Read data sets that are in memory: tables of pandas and `datasets`, and lists."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from thawline.data.labels import join_words
from thawline.data.sources.parts import WHOLE, Part, Source, ignored_warning, match_splits
from thawline.data.sources.tables import Table
from thawline.data.texts import check_order, check_texts, index_warning
from thawline.errors import ThawlineError

_NAME = "data"


def memory_source(given: Any, text: str | None, label: str | None) -> Source:
    """Return the splits of a DataFrame, a `datasets.Dataset`, texts with labels, or a dict of them.

    Args:
        given: A table, ``(texts, labels)``, or a dict with one of these for each split.
        text: The text column. If None, it is found by common names.
        label: The label column. If None, it is found by common names.

    Raises:
        ThawlineError: If ``given`` is of another type, if a dict has no known split, or if the
            numbers of texts and labels differ.
    """
    if not isinstance(given, Mapping):
        opened = partial(_table, given, f"the {type(given).__name__}")
        return Source(_NAME, {WHOLE: Part(_NAME, opened, text, label)})
    found, others = match_splits(map(str, given), f"the {type(given).__name__}")
    if not found:
        fix = "name the splits train, validation and test"
        expected = "train, validation or test among the keys"
        keys = f"only the keys {join_words(others)}" if others else "no keys"
        raise ThawlineError(expected, keys, fix)
    parts = {
        split: Part(key, partial(_table, given[key], f"the split {key}"), text, label)
        for split, key in found.items()
    }
    return Source(_NAME, parts, ignored_warning(others))


def dataset_table(rows: Any, where: str) -> Table:
    """Return the columns and class names of a `datasets.Dataset`."""
    class_names = {
        column: dict(enumerate(feature.names))
        for column, feature in rows.features.items()
        if hasattr(feature, "names")
    }
    return Table(where, tuple(rows.column_names), lambda name: list(rows[name]), class_names)


def _table(given: Any, where: str) -> Table:
    if _is_a(given, "pandas", "DataFrame"):
        return _frame_table(given, where)
    if _is_a(given, "datasets", "Dataset"):
        return dataset_table(given, where)
    if isinstance(given, tuple | list) and len(given) == 2:
        return _list_table(*given)
    raise ThawlineError(
        "a path, a name, a DataFrame, a datasets.Dataset, (texts, labels), or a dict of splits",
        where,
        "convert the object, for example a list of rows with pandas.DataFrame(rows)",
    )


def _is_a(given: Any, library: str, name: str) -> bool:
    """Return whether an object is of a class, without importing the library of the class."""
    module = sys.modules.get(library)
    return module is not None and isinstance(given, getattr(module, name))


def _frame_table(frame: Any, where: str) -> Table:
    columns = tuple(map(str, frame.columns))

    def read(name: str) -> list[Any]:
        cells = frame.iloc[:, columns.index(name)].astype(object)
        plain: list[Any] = cells.where(cells.notna(), None).tolist()
        return plain

    return Table(where, columns, read)


def _list_table(texts: Any, labels: Any) -> Table:
    checked = check_texts(texts)
    check_order(labels, "labels")
    if isinstance(labels, str | bytes | Mapping) or not isinstance(labels, Iterable):
        fix = "pass a list, an array or a Series of labels"
        raise ThawlineError("one label for each text", f"one {type(labels).__name__}", fix)
    columns = {"text": checked, "label": list(labels)}
    if len(columns["text"]) != len(columns["label"]):
        raise ThawlineError(
            "as many labels as texts",
            f"{len(columns['text']):,} texts and {len(columns['label']):,} labels",
            "pass one label for each text",
        )
    warning = index_warning(texts, labels)
    return Table(
        "the texts and labels",
        tuple(columns),
        columns.__getitem__,
        warnings=() if warning is None else (warning,),
        has_names=False,
    )
