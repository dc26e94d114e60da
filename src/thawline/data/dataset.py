"""Labelled texts, and data sets with their train, validation and test splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.config import ROW_SEED
from thawline.data.copies import number_copies
from thawline.data.labels import IntArray, Labels
from thawline.data.sources.parts import describe_columns
from thawline.data.stratified import nested_order
from thawline.data.texts import Text
from thawline.errors import ThawlineError

VALIDATION_IN_TRAIN = (
    "the validation rows are also in train, so that the scores on validation do not estimate the "
    "accuracy on new texts"
)
"""A warning about a fit on train and validation together."""


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """Texts with the ids of their classes.

    Attributes:
        texts: The text of each row, or its two texts as a tuple.
        labels: The class id of each row, ``(rows,)`` int64.
        rows: The number of each row in the split that it was read from, counting from 0,
            ``(rows,)`` int64.
        source: The name of the split that the rows were read from. Several names are joined by
            "+".
        warnings: What was assumed when the rows were read, one line each.
    """

    texts: list[Text]
    labels: IntArray
    rows: IntArray
    source: str
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def copies(self) -> IntArray:
        """The number of the text of each row, which is the same for copies, ``(rows,)`` int64.

        `number_copies` defines what copies are. The numbers are computed once, on first use.
        """
        return number_copies(self.texts)

    def take(self, positions: Sequence[int] | npt.NDArray[np.integer[Any]]) -> LabelledTexts:
        """Return the rows at these positions, in the given order."""
        chosen = np.asarray(positions, dtype=np.int64)
        texts = [self.texts[position] for position in chosen]
        return LabelledTexts(texts, self.labels[chosen], self.rows[chosen], self.source)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set with its train, validation and test splits.

    Attributes:
        name: A short name, without a path.
        labels: The classes.
        train: The rows to train on.
        validation: The rows on which epochs and settings are chosen.
        test: The rows on which the final scores are measured.
        protocol: JSON values that document the splits. "splits" holds, for each split, its
            "source", its number of "rows" and "how" they were selected. "row_seed" and "limit"
            hold the settings of the selection.
        warnings: Messages for the user about the data and its splits, one line each.
        text_columns: The column of the texts, or the two columns of pairs. Columns that are joined
            have one name, such as ``title+content``. Empty if the source has no named columns.
        label_column: The column of the labels. None if the source has no named columns.
        separate_draws: The number of draws of train and validation without common rows.
    """

    name: str
    labels: Labels
    train: LabelledTexts
    validation: LabelledTexts
    test: LabelledTexts
    protocol: dict[str, Any]
    warnings: tuple[str, ...]
    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    separate_draws: int = 1

    @property
    def parts(self) -> dict[str, LabelledTexts]:
        """The three splits, by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def describe_columns(self) -> tuple[str, ...]:
        """Return a line that names the columns, or nothing if the source has no named columns."""
        if not self.text_columns:
            return ()
        return (describe_columns(self.text_columns, self.label_column),)

    def with_validation_in_train(self) -> Dataset:
        """Return the data set with the validation rows in train, too."""
        train = join_parts([self.train, self.validation])
        splits = self.protocol["splits"]
        joined = {
            "source": train.source,
            "rows": len(train),
            "how": f"{splits['train']['how']}; with the rows of validation",
        }
        return replace(
            self,
            train=train,
            protocol={**self.protocol, "splits": {**splits, "train": joined}},
            warnings=(*self.warnings, VALIDATION_IN_TRAIN),
        )

    def nested_part(self, rows: int) -> Dataset:
        """Return the data set with a part of the rows of train and validation, stratified.

        A part contains every smaller part. Train and validation keep their proportion, but
        validation has at least two rows. Test stays as it is.

        Args:
            rows: The number of rows of train and validation together.

        Raises:
            ThawlineError: If train would have fewer than two classes, or if the data set has fewer
                rows.
        """
        total = len(self.train) + len(self.validation)
        if rows > total:
            raise ThawlineError(f"at most {total:,} rows", f"{rows:,}", "use fewer rows")
        held_out = max(2, round(rows * len(self.validation) / total))
        sizes = {"train": rows - held_out, "validation": held_out}
        parts, splits = dict(self.parts), dict(self.protocol["splits"])
        for name, size in sizes.items():
            part = self.parts[name]
            kept = np.sort(nested_order(part.labels, ROW_SEED)[: max(0, size)])
            parts[name] = part.take(kept)
            how = f"{splits[name]['how']}; {size:,} of these rows, stratified, seed {ROW_SEED}"
            splits[name] = {**splits[name], "rows": size, "how": how}
        if len(np.unique(parts["train"].labels)) < 2:
            found = f"{rows:,} rows of train and validation"
            fix = "use more rows"
            raise ThawlineError("rows of at least two classes in train", found, fix)
        return replace(
            self,
            train=parts["train"],
            validation=parts["validation"],
            protocol={**self.protocol, "splits": splits},
        )

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the texts and label ids of all three splits, in hexadecimal."""
        digest = hashlib.sha256()
        for split in self.parts.values():
            digest.update(f"{len(split)}\n".encode())
            for text, label in zip(split.texts, split.labels, strict=True):
                parts = [part.encode() for part in ((text,) if isinstance(text, str) else text)]
                lengths = " ".join(str(len(part)) for part in parts)
                digest.update(f"{label} {lengths}\n".encode() + b"".join(parts))
        return digest.hexdigest()


def join_parts(parts: Sequence[LabelledTexts]) -> LabelledTexts:
    """Return the rows of several parts, one part after the other."""
    return LabelledTexts(
        [text for part in parts for text in part.texts],
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.rows for part in parts]),
        "+".join(dict.fromkeys(part.source for part in parts)),
        tuple(dict.fromkeys(line for part in parts for line in part.warnings)),
    )
