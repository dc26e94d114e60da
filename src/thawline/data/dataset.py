"""Labelled texts in train, validation and test, and how each of them came about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.config import ROW_SEED, DataConfig
from thawline.data.labels import IntArray, Labels, plain, shown
from thawline.data.sources.open import open_source
from thawline.data.sources.parts import SPLITS, Part
from thawline.data.splits import Drawn, Splits
from thawline.data.texts import Text
from thawline.errors import ThawlineError, did_you_mean

ALL = "all"
"""In place of a split: every row of every labelled split."""


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """Texts with the ids of their classes.

    Attributes:
        texts: the text of each row, or its two texts as a tuple.
        labels: (rows,) int64 ids.
        rows: (rows,) int64 row numbers in the source's split, counting from 0.
        source: the name of that split; several are joined by "+".
    """

    texts: list[Text]
    labels: IntArray
    rows: IntArray
    source: str

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, positions: Sequence[int] | npt.NDArray[np.integer[Any]]) -> LabelledTexts:
        """Return the rows at these positions, in their order."""
        where = np.asarray(positions, dtype=np.int64)
        texts = [self.texts[position] for position in where]
        return LabelledTexts(texts, self.labels[where], self.rows[where], self.source)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A set, split and ready to train on.

    Attributes:
        name: a short name, without a path.
        labels: its classes.
        train: what is trained on.
        validation: what is selected on.
        test: what is measured on, once.
        protocol: as JSON values: under "splits", for each of the three its "source", "rows"
            (their number) and "how" it came about; "row_seed"; "limit".
        notes: what the user should know, a line each.
    """

    name: str
    labels: Labels
    train: LabelledTexts
    validation: LabelledTexts
    test: LabelledTexts
    protocol: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def parts(self) -> dict[str, LabelledTexts]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the texts and the label ids of all three splits, in hexadecimal."""
        digest = hashlib.sha256()
        for split in self.parts.values():
            digest.update(f"{len(split)}\n".encode())
            for text, label in zip(split.texts, split.labels, strict=True):
                parts = [part.encode() for part in ((text,) if isinstance(text, str) else text)]
                lengths = " ".join(str(len(part)) for part in parts)
                digest.update(f"{label} {lengths}\n".encode() + b"".join(parts))
        return digest.hexdigest()


def load(config: DataConfig) -> Dataset:
    """Read the set that a configuration names and split it.

    Raises:
        ThawlineError: whatever in the configuration, the files or their rows cannot work.
    """
    return _load(config.data, config)


def load_data(
    source: Any,
    *,
    text: str | None = DataConfig.text,
    label: str | None = DataConfig.label,
    labels: Sequence[str] | None = DataConfig.labels,
    limit: tuple[int, int] | None = DataConfig.limit,
    validation_share: float = DataConfig.validation_share,
    test_share: float = DataConfig.test_share,
) -> Dataset:
    """Read labelled texts from wherever they are and split them, as `fit` on the command line does.

    Args:
        source: a file (Parquet, CSV, TSV, JSONL or JSON; also with .gz or in a .zip), a folder
            with one for each split, a folder of class folders or the ``.tar.gz`` of one, a named
            set or a hub id; or in memory a DataFrame, a `datasets.Dataset`, ``(texts, labels)``,
            or a dict of these by split. A path wins over a name.
        text: the text column, or two as ``"premise,hypothesis"``; None: found by common names.
        label: the label column; None: found by common names.
        labels: names of the classes, in ascending order of integer labels; None: the source's own.
        limit: rows of train, which validation comes out of, and of test; None: all.
        validation_share: of train, where the source has no validation split.
        test_share: of everything, where the source has no test split.

    Raises:
        ThawlineError: whatever in the settings, the source or its rows cannot work.
    """
    if isinstance(labels, str):
        fix = "put each name in a list of its own"
        raise ThawlineError("a sequence of label names", f"one string {labels!r}", fix)
    names = None if labels is None else tuple(labels)
    config = DataConfig(
        text=text,
        label=label,
        labels=names,
        limit=limit,
        validation_share=validation_share,
        test_share=test_share,
    )
    return _load(source, config)


def _load(given: Any, config: DataConfig) -> Dataset:
    source = open_source(given, config.text, config.label)
    splits = Splits(source, config)
    labels = _find_labels(splits.base, config.labels)
    drawn = {split: splits.draw(split) for split in SPLITS}
    train_classes = _check_train(drawn["train"], labels, limited=config.limit is not None)
    texts = {
        split: _labelled_texts(rows, labels, train_classes, f"classes in {split} that train has")
        for split, rows in drawn.items()
    }
    return Dataset(
        source.name,
        labels,
        **texts,
        protocol=_protocol(drawn, config),
        notes=(*source.notes, *(note for rows in drawn.values() for note in rows.notes)),
    )


def load_split(config: DataConfig, split: str, labels: Labels) -> LabelledTexts:
    """Read one split, as `load` draws it, with the classes of a model.

    Only what the split needs is read, so that a folder may hold nothing but a test file.

    Args:
        config: where the set is; its limit and shares hold, its label names do not.
        split: train, validation or test; or all, for every row of every labelled split.
        labels: the model's classes.

    Raises:
        ThawlineError: another split, a class that the model does not know, or whatever in the
            configuration, the files or their rows cannot work.
    """
    if split not in (*SPLITS, ALL):
        raise ThawlineError("a split", repr(split), did_you_mean(split, (*SPLITS, ALL)))
    splits = Splits(open_source(config.data, config.text, config.label), config)
    drawn = splits.draw_all() if split == ALL else [splits.draw(split)]
    every_class = np.arange(len(labels))
    return _joined(
        [
            _labelled_texts(rows, labels, every_class, "classes that the model knows")
            for rows in drawn
        ]
    )


def _find_labels(base: Part, names: tuple[str, ...] | None) -> Labels:
    """Return the classes of the part that is trained on, named by the user or by the source."""
    labels = Labels.from_raw(base.raw_labels, names)
    if len(labels) < 2:
        raise ThawlineError(
            f"at least two classes in {base.table.where}",
            f"only {labels.described()}",
            "add rows of another class, or name another column with --label",
        )
    known = base.class_names
    own = [known[value] for value in labels.values if isinstance(value, int) and value in known]
    if names is None and len(own) == len(labels):
        return Labels(tuple(own), labels.values)
    return labels


def _check_train(train: Drawn, labels: Labels, *, limited: bool) -> IntArray:
    """Return the ids in train, at least two."""
    ids: IntArray = np.unique(labels.lookup(train.raw_labels))
    if len(ids) < 2:
        found = f"only {labels.names[ids[0]]}" if len(ids) else "none of them"
        fix = f"{'raise --limit, or ' if limited else ''}add rows of the other classes"
        raise ThawlineError("at least two classes in train", found, fix)
    return ids


def _labelled_texts(drawn: Drawn, labels: Labels, allowed: IntArray, what: str) -> LabelledTexts:
    """Return the drawn rows; each must be of an allowed class (ids), described by `what`."""
    raw, part = drawn.raw_labels, drawn.part
    ids = labels.lookup(raw)
    foreign = np.flatnonzero(~np.isin(ids, allowed))
    if len(foreign):
        first = foreign[0]
        raise ThawlineError(
            f"{what} ({shown(labels.names[i] for i in allowed)})",
            f"{plain(raw[first])!r} in row {drawn.rows[first]} (counting from 0) of "
            f"{part.table.where}",
            "take that class out, or train on rows of it (a higher --limit draws more)",
        )
    texts = part.texts
    return LabelledTexts([texts[row] for row in drawn.rows], ids, drawn.rows, part.name)


def _joined(parts: Sequence[LabelledTexts]) -> LabelledTexts:
    return LabelledTexts(
        [text for part in parts for text in part.texts],
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.rows for part in parts]),
        "+".join(part.source for part in parts),
    )


def _protocol(drawn: Mapping[str, Drawn], config: DataConfig) -> dict[str, Any]:
    described = {
        split: {"source": rows.part.name, "rows": len(rows.rows), "how": rows.how}
        for split, rows in drawn.items()
    }
    limit = None if config.limit is None else list(config.limit)
    return {"splits": described, "row_seed": ROW_SEED, "limit": limit}
