"""The columns of predictions that are added to rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thawline.data import Text
from thawline.data.sources.columns import is_empty
from thawline.data.texts import is_blank, is_text
from thawline.errors import ThawlineError, as_given
from thawline.evaluation.metrics import probabilities
from thawline.inference.fitted import AnyFitted
from thawline.inference.shared import SharedPredictor
from thawline.scoring.blocks import Block
from thawline.scoring.readers import Reader
from thawline.scoring.writers import Column


class Scorer:
    """Classifies the rows of blocks with one or several classifiers.

    Args:
        predictor: Computes the logits of all classifiers.
        classifiers: The classifiers, in the same order.
        names: The names of the classifiers. Each begins the names of its columns, unless there is
            only one classifier.
        top: The number of most probable classes that are written. If None, the predicted class and
            the probabilities of all classes.
    """

    def __init__(
        self,
        predictor: SharedPredictor,
        classifiers: Sequence[AnyFitted],
        names: Sequence[str],
        top: int | None,
    ) -> None:
        self._predictor, self._classifiers, self._top = predictor, classifiers, top
        self._prefixes = [""] if len(names) == 1 else [f"{name}_" for name in names]
        self.pairs = classifiers[0].pairs

    def names(self) -> list[str]:
        """Return the names of the added columns."""
        return [
            name
            for prefix, fitted in zip(self._prefixes, self._classifiers, strict=True)
            for name in self._columns(prefix, fitted)
        ]

    def _columns(self, prefix: str, fitted: AnyFitted) -> dict[str, bool]:
        """Return the names of the columns of a classifier, and whether each has numbers."""
        if self._top is None:
            shares = [f"{prefix}probability_{name}" for name in fitted.labels.names]
            return {f"{prefix}predicted_label": False, **dict.fromkeys(shares, True)}
        ranks = range(1, min(self._top, len(fitted.labels.names)) + 1)
        kinds = {"label": False, "probability": True}
        return {f"{prefix}{kind}_{rank}": kinds[kind] for rank in ranks for kind in kinds}

    def score(
        self, block: Block, columns: Sequence[Sequence[str]]
    ) -> tuple[dict[str, Column], int]:
        """Classify the rows of a block.

        Args:
            block: The rows.
            columns: The columns of one text or of both texts of a pair. Several columns of a text
                are joined with a space.

        Returns:
            The added columns by name, and the number of rows without a text. The added cells of
            these rows are None.
        """
        cells = [_joined([block.column(name) for name in names]) for names in columns]
        rows = [row for row, texts in enumerate(zip(*cells, strict=True)) if all(map(_has, texts))]
        texts: list[Text] = [
            cells[0][row] if len(cells) == 1 else (cells[0][row], cells[1][row]) for row in rows
        ]
        added: dict[str, Column] = {}
        found = zip(self._prefixes, self._classifiers, self._predictor.logits(texts), strict=True)
        for prefix, fitted, logits in found:
            shares = probabilities(logits) if texts else np.zeros(logits.shape)
            values = self._values(list(fitted.labels.names), shares)
            kinds = self._columns(prefix, fitted).items()
            for (name, is_number), column in zip(kinds, values, strict=True):
                spread: list[Any] = [None] * len(block)
                for row, value in zip(rows, column, strict=True):
                    spread[row] = value
                added[name] = Column(spread, is_number)
        return added, len(block) - len(rows)

    def _values(self, names: list[str], shares: NDArray[np.float64]) -> list[list[Any]]:
        """Return the cells of each added column of a classifier, for rows with a text."""
        if self._top is None:
            labels = [names[index] for index in shares.argmax(1)]
            return [labels, *shares.T.tolist()]
        order = np.argsort(-shares, axis=1, kind="stable")[:, : self._top]
        columns: list[list[Any]] = []
        for rank in order.T:
            columns.append([names[index] for index in rank])
            columns.append(shares[np.arange(len(shares)), rank].tolist())
        return columns


def check_reader(reader: Reader, added: Sequence[str], *, pairs: bool) -> None:
    """Check that the rows of a file can be scored.

    Args:
        reader: The file.
        added: The names of the added columns.
        pairs: Whether the classifiers read pairs of texts.

    Raises:
        ThawlineError: If its texts are of another kind, or if the name of an added column is taken.
    """
    found = len(reader.columns) == 2
    if reader.columns and found != pairs:
        kinds = ("pairs of texts", "single texts")
        raise ThawlineError(
            f"{kinds[not pairs]}, as in the training of the classifier",
            f"{kinds[not found]} in {reader.file.where}",
            "name the text column, or both columns, with `text`",
            setting="text",
        )
    taken = [name for name in added if name in reader.sample_names]
    if taken:
        raise ThawlineError(
            f"no column '{taken[0]}' in {reader.file.where}, because score adds a column of this "
            "name",
            f"the columns {', '.join(map(as_given, reader.sample_names))}",
            "rename or remove this column",
        )


def _joined(columns: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Return the texts of rows, whose parts are in several columns."""
    return (
        columns[0] if len(columns) == 1 else [_join(parts) for parts in zip(*columns, strict=True)]
    )


def _join(parts: Sequence[Any]) -> str | None:
    """Return parts with spaces between them, without empty ones. None if one is not a text."""
    kept = [part for part in parts if not is_empty(part)]
    return " ".join(kept) if all(map(is_text, kept)) else None


def _has(text: Any) -> bool:
    return is_text(text) and not is_blank(text)
