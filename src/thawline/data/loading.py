"""Read labelled texts from a source, and select the rows of train, validation and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np

from thawline.config import ROW_SEED, DataConfig
from thawline.data.dataset import Dataset, LabelledTexts, join_parts
from thawline.data.labels import (
    IntArray,
    Labels,
    join_words,
    suggest_spelling,
    to_plain_label,
)
from thawline.data.sources.files import Limits
from thawline.data.sources.open import open_source
from thawline.data.sources.parts import SPLITS, Part, Source, different_columns
from thawline.data.splits import SelectedRows, Splits
from thawline.data.texts import check_pairing, shorten
from thawline.errors import ThawlineError, did_you_mean, parameter_naming, settings_named

MANY = 10
"""The number of rows from which labels that all differ are refused."""

ALL = "all"
"""A value for the name of a split that selects every row of every labelled split."""


def load(config: DataConfig, *, with_test: bool = True) -> Dataset:
    """Read the data set that a configuration names, and split it.

    Args:
        config: The data set and how to split it.
        with_test: Whether the data set has the rows of test. Train and validation are the same in
            both cases.

    Raises:
        ThawlineError: If the configuration, a file or a row is invalid.
    """
    return _load(config.data, config, with_test=with_test)


def load_draws(config: DataConfig, draws: int) -> list[Dataset]:
    """Read a data set, and sample train and validation several times, with the same test split.

    Args:
        config: The data set and how to split it. Its draw is the first one.
        draws: The number of draws.

    Raises:
        ThawlineError: If the configuration, a file or a row is invalid, or if several draws would
            have the same rows.
    """
    source = open_source(config.data, config.text, config.label, _limits(config))
    numbers = range(config.draw, config.draw + draws)
    return [_select(source, replace(config, draw=number)) for number in numbers]


_LOADED = ("text", "label", "labels", "limit", "validation_share", "test_share")
_LIMITED = ("max_file_bytes", "max_text_characters")
_NAMING = parameter_naming(
    {"data.data": "source"} | {f"data.{name}": name for name in (*_LOADED, *_LIMITED)}
)
"""The names of settings in the errors of `load_data`."""


def load_data(
    source: Any,
    *,
    text: str | None = DataConfig.text,
    label: str | None = DataConfig.label,
    labels: Sequence[str] | None = DataConfig.labels,
    limit: tuple[int, int] | None = DataConfig.limit,
    validation_share: float = DataConfig.validation_share,
    test_share: float = DataConfig.test_share,
    max_file_bytes: int = DataConfig.max_file_bytes,
    max_text_characters: int = DataConfig.max_text_characters,
) -> Dataset:
    """Read labelled texts and split them, as `fit` on the command line does.

    Args:
        source: A file (Parquet, CSV, TSV, JSONL or JSON, optionally with .gz or in a .zip), a
            folder with a file for each split, a folder of class folders or its ``.tar.gz``, a
            named set, or a hub id. Or an object in memory: a DataFrame, a `datasets.Dataset`,
            ``(texts, labels)``, or a dict of these by split. A path takes precedence over a name.
        text: The text column, two columns that are joined with a space as ``"title+content"``, or
            two columns for pairs as ``"premise,hypothesis"``. If None, the column is found by
            common names.
        label: The label column. If None, it is found by common names.
        labels: Names of the classes, in ascending order of integer labels. If None, the names come
            from the source.
        limit: The maximum numbers of rows of train, before validation is carved out, and of test.
            If None, all rows are used.
        validation_share: The share of train that becomes validation if the source has no
            validation split.
        test_share: The share of all rows that becomes test if the source has no test split.
        max_file_bytes: The largest size of a file, after decompression, in bytes.
        max_text_characters: The largest number of characters of a text.

    Raises:
        ThawlineError: If a setting, the source or one of its rows is invalid.
    """
    if isinstance(labels, str):
        fix = f"write the names as a list, for example {labels.split(',')!r}"
        raise ThawlineError(
            "a sequence of label names", f"the string {labels!r}", fix, setting="data.labels"
        )
    if isinstance(labels, Mapping | Set):
        raise ThawlineError(
            "a list of label names, in ascending order of the labels",
            f"a {type(labels).__name__}",
            "write the names as a list",
            setting="data.labels",
        )
    names = None if labels is None else tuple(labels)
    config = DataConfig(
        text=text,
        label=label,
        labels=names,
        limit=limit,
        validation_share=validation_share,
        test_share=test_share,
        max_file_bytes=max_file_bytes,
        max_text_characters=max_text_characters,
    )
    with settings_named(_NAMING):
        return _load(source, config)


def _load(given: Any, config: DataConfig, *, with_test: bool = True) -> Dataset:
    source = open_source(given, config.text, config.label, _limits(config))
    return _select(source, config, with_test=with_test)


def _select(source: Source, config: DataConfig, *, with_test: bool = True) -> Dataset:
    """Select the rows of all splits from a source."""
    splits = Splits(source, config)
    labels = _find_labels(splits.base, config.labels)
    selected = {split: splits.select(split) for split in SPLITS if with_test or split != "test"}
    train_classes = _check_train(selected["train"], labels, limited=config.limit is not None)
    texts = {
        split: _labelled_texts(
            rows, labels, train_classes, f"{split} labels among the classes of train"
        )
        for split, rows in selected.items()
    }
    parts = list(dict.fromkeys(rows.part for rows in selected.values()))
    has_names = splits.base.table.has_names
    pairs = isinstance(texts["train"].texts[0], tuple)
    if not with_test:
        texts["test"] = texts["train"].take([])
    for split in ("validation", "test"):
        check_pairing(texts[split].texts, pairs=pairs, expected=f"in {split} as in train")
    return Dataset(
        source.name,
        labels,
        **texts,
        protocol=_protocol(selected, config),
        warnings=(
            *source.warnings,
            *(line for part in parts for line in part.warnings),
            *different_columns(parts),
            *(line for rows in selected.values() for line in rows.warnings),
        ),
        text_columns=splits.base.text_columns if has_names else (),
        label_column=splits.base.label_column if has_names else None,
        separate_draws=splits.separate_draws,
    )


def _limits(config: DataConfig) -> Limits:
    return Limits(config.max_file_bytes, config.max_text_characters)


def load_split(config: DataConfig, split: str, labels: Labels) -> LabelledTexts:
    """Read one split with the same rows as `load`, for a model with known classes.

    Only the files of the split are read, so a folder may contain only a test file.

    Args:
        config: The data set. Its limit and its shares are used, but its label names are ignored.
        split: train, validation or test; or all, for every row of every labelled split.
        labels: The classes of the model.

    Raises:
        ThawlineError: If there is no such split, if the model does not know a class, or if the
            configuration, a file or a row is invalid.
    """
    if split not in (*SPLITS, ALL):
        known = (*SPLITS, ALL)
        raise ThawlineError(
            f"a split ({', '.join(known)})", repr(split), did_you_mean(split, known)
        )
    source = open_source(config.data, config.text, config.label, _limits(config))
    splits = Splits(source, config)
    selected = splits.select_all() if split == ALL else [splits.select(split)]
    every_class = np.arange(len(labels))
    return join_parts(
        [
            _labelled_texts(rows, labels, every_class, "labels among the classes of the model")
            for rows in selected
        ]
    )


def _find_labels(base: Part, names: tuple[str, ...] | None) -> Labels:
    """Return the classes of the training rows, named by the user or by the source."""
    labels = Labels.from_raw(base.raw_labels, names)
    if len(labels) < 2:
        raise ThawlineError(
            f"at least two classes in {base.table.where}",
            f"only the class {labels.described()}",
            "add rows of another class, or name another column with `data.label`",
            setting="data.label",
        )
    if len(labels) == len(base.raw_labels) >= MANY:
        raise ThawlineError(
            f"labels that several rows of {base.table.where} share",
            f"{len(labels):,} different labels in {len(labels):,} rows, such as "
            f"{shorten(repr(labels.names[0]))}",
            "name another column with `data.label`",
            setting="data.label",
        )
    known = base.class_names
    source_names = [known[v] for v in labels.values if isinstance(v, int) and v in known]
    if names is None and len(source_names) == len(labels):
        return Labels(tuple(source_names), labels.values)
    return labels


def _check_train(train: SelectedRows, labels: Labels, *, limited: bool) -> IntArray:
    """Return the class ids in train, and raise ThawlineError if there are fewer than two."""
    ids: IntArray = np.unique(labels.lookup(train.raw_labels))
    if len(ids) < 2:
        found = f"only the class {labels.names[ids[0]]}" if len(ids) else "none"
        fix = f"{'raise `data.limit`, or ' if limited else ''}add rows of the other classes"
        setting = "data.limit" if limited else None
        raise ThawlineError("at least two classes in train", found, fix, setting=setting)
    return ids


def _labelled_texts(
    selected: SelectedRows, labels: Labels, allowed: IntArray, expected: str
) -> LabelledTexts:
    """Return the selected rows with their texts and class ids.

    Args:
        selected: The rows.
        labels: The classes.
        allowed: The ids of the classes that may occur.
        expected: A description of these classes, for the error.

    Raises:
        ThawlineError: If another class occurs.
    """
    raw, part = selected.raw_labels, selected.part
    ids = labels.lookup(raw)
    foreign = np.flatnonzero(~np.isin(ids, allowed))
    if len(foreign):
        first = foreign[0]
        label = to_plain_label(raw[first])
        raise ThawlineError(
            f"{expected} ({join_words(labels.names[i] for i in allowed)})",
            f"{shorten(repr(label))} in row {selected.rows[first]} (counting from 0) of "
            f"{part.table.where}",
            (None if label in labels.values else suggest_spelling(labels, label))
            or (
                "name the column with these classes with `data.label`, or write them in the label "
                "column"
                if len(foreign) == len(raw) > 1
                else None
            )
            or "remove the rows of that class, or train on rows of it (a higher `data.limit` uses "
            "more)",
        )
    texts = part.texts
    chosen = [texts[row] for row in selected.rows]
    return LabelledTexts(chosen, ids, selected.rows, part.name, part.warnings)


def _protocol(selected: Mapping[str, SelectedRows], config: DataConfig) -> dict[str, Any]:
    described = {
        split: {"source": rows.part.name, "rows": len(rows.rows), "how": rows.how}
        for split, rows in selected.items()
    }
    limit = None if config.limit is None else list(config.limit)
    protocol = {"splits": described, "row_seed": ROW_SEED, "limit": limit}
    return {**protocol, "draw": config.draw} if config.draw else protocol
