"""Texts that stand in a set more than once, as they are or almost, and with which labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.config import PreflightConfig
from thawline.data.dataset import LabelledTexts
from thawline.data.labels import IntArray, Labels
from thawline.data.preflight.near import NearPairs
from thawline.data.texts import Text, one_line, one_string


class Duplicates:
    """The distinct texts of several splits, where each of them stands and with which labels.

    Two texts are the same where all their characters are. Their labels agree where every row of
    either has the same one.

    Args:
        splits: the splits by name, in the order of their use.
        labels: the classes.
        config: how many examples are given, and how long.

    Attributes:
        texts: the distinct texts, in the order in which they first occur.
    """

    def __init__(
        self, splits: Mapping[str, LabelledTexts], labels: Labels, config: PreflightConfig
    ) -> None:
        self._splits, self._labels, self._config = splits, labels, config
        self._names = list(splits)
        self._known: dict[str, int] = {}
        self._ids = {name: self._identify(split.texts) for name, split in splits.items()}
        self.texts = list(self._known)

    def _identify(self, texts: Iterable[Text]) -> IntArray:
        known = self._known
        ids = [known.setdefault(one_string(text), len(known)) for text in texts]
        return np.array(ids, dtype=np.int64)

    @cached_property
    def rows(self) -> IntArray:
        """(texts, splits) int64, how many rows of a split are that text."""
        counts = [np.bincount(ids, minlength=len(self.texts)) for ids in self._ids.values()]
        return np.stack(counts, axis=1)

    @cached_property
    def _label_range(self) -> tuple[IntArray, IntArray]:
        """(texts, splits) each: the lowest and the highest id; reversed where there is none."""
        low = np.full(self.rows.shape, len(self._labels))
        high = np.full(self.rows.shape, -1)
        for column, (name, ids) in enumerate(self._ids.items()):
            np.minimum.at(low[:, column], ids, self._splits[name].labels)
            np.maximum.at(high[:, column], ids, self._splits[name].labels)
        return low, high

    def shared_with(self, texts: Iterable[Text]) -> dict[str, int]:
        """Return how many distinct texts of each split are among these texts too."""
        ids = {self._known.get(one_string(text), -1) for text in texts} - {-1}
        stands = self.rows[sorted(ids)] > 0
        return dict(zip(self._names, stands.sum(axis=0).tolist(), strict=True))

    @property
    def conflicting(self) -> int:
        """The number of distinct texts that stand with more than one label, in all splits."""
        low, high = self._label_range
        return int(np.count_nonzero(low.min(axis=1) < high.max(axis=1)))

    def exact(self, later: str, earlier: Sequence[str] = ()) -> dict[str, Any]:
        """Describe the texts of a split that stand in earlier ones too, or twice in itself.

        Args:
            later: the split whose texts are counted.
            earlier: the splits that they are looked for in; none: the split itself.

        Returns:
            JSON values: ``texts``, how many distinct ones; ``conflicting``, how many of these
            have labels that do not all agree; ``examples``, the conflicting ones first.
        """
        often = self.rows[:, self._column(later)] > (0 if earlier else 1)
        texts = (
            np.flatnonzero(often & self._stands_in(earlier)) if earlier else np.flatnonzero(often)
        )
        return self._describe(texts, texts, np.ones(len(texts)), later, earlier)

    def near(self, pairs: NearPairs, later: str, earlier: Sequence[str] = ()) -> dict[str, Any]:
        """Describe the texts of a split that are near to another of earlier ones, or of itself.

        A text that stands in an earlier split just as it is, is not counted again.

        Args:
            pairs: among `texts`.
            later: the split whose texts are counted.
            earlier: the splits that they are looked for in; none: the split itself.

        Returns:
            As `exact` does; labels agree where those of both texts do.
        """
        text = np.concatenate([pairs.first, pairs.second])
        other = np.concatenate([pairs.second, pairs.first])
        similarity = np.concatenate([pairs.similarity, pairs.similarity])
        fits = self._stands_in([later])[text]
        if earlier:
            fits &= ~self._stands_in(earlier)[text] & self._stands_in(earlier)[other]
        else:
            fits &= self._stands_in([later])[other]
        return self._describe(text[fits], other[fits], similarity[fits], later, earlier)

    def _column(self, name: str) -> int:
        return self._names.index(name)

    def _stands_in(self, names: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return for each text whether it stands in any of these splits."""
        columns = [self._column(name) for name in names]
        return np.asarray((self.rows[:, columns] > 0).any(axis=1))

    def _describe(
        self,
        texts: IntArray,
        others: IntArray,
        similarity: npt.NDArray[np.float64],
        later: str,
        earlier: Sequence[str],
    ) -> dict[str, Any]:
        """Count texts that have copies (the two may be the same), and show some of them."""
        places = list(earlier) if earlier else [later]
        conflict = self._differ(texts, later, others, places)
        # Within one split a pair stands both ways round: shown is the one that starts earlier.
        shown = np.flatnonzero((texts <= others) | bool(earlier))
        best = np.lexsort((others[shown], texts[shown], -similarity[shown], ~conflict[shown]))
        return {
            "texts": len(np.unique(texts)),
            "conflicting": len(np.unique(texts[conflict])),
            "examples": [
                self._example(int(texts[at]), int(others[at]), float(similarity[at]), later, places)
                for at in shown[best][: self._config.shown_copies]
            ],
        }

    def _differ(
        self, texts: IntArray, later: str, others: IntArray, places: Sequence[str]
    ) -> npt.NDArray[np.bool_]:
        """Return for each pair whether the labels of the two, in their splits, differ."""
        low, high = self._label_range
        here, there = self._column(later), [self._column(name) for name in places]
        lowest = np.minimum(low[texts, here], low[others][:, there].min(axis=1))
        highest = np.maximum(high[texts, here], high[others][:, there].max(axis=1))
        return np.asarray(lowest < highest)

    def _example(
        self, text: int, other: int, similarity: float, later: str, places: Sequence[str]
    ) -> dict[str, Any]:
        where = [(text, later), *((other, name) for name in places)]
        return {
            "similarity": similarity,
            "copies": [
                self._place(one, name)
                for one, name in dict.fromkeys(where)
                if self.rows[one, self._column(name)]
            ],
        }

    def _place(self, text: int, name: str) -> dict[str, Any]:
        split = self._splits[name]
        at = np.flatnonzero(self._ids[name] == text)
        classes = np.unique(split.labels[at])
        return {
            "split": name,
            "copies": len(at),
            "rows": split.rows[at[: self._config.shown_copies]].tolist(),
            "labels": [self._labels.names[i] for i in classes],
            "text": one_line(self.texts[text], self._config.shown_characters),
        }
