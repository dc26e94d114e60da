"""Count exact and near duplicates in a data set, and compare their labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.config import PreflightConfig
from thawline.data.copies import number_copies
from thawline.data.dataset import LabelledTexts
from thawline.data.labels import IntArray, Labels
from thawline.data.preflight.near_duplicates import NearDuplicates
from thawline.data.texts import Text, copy_key, one_line, one_string


class Duplicates:
    """The distinct texts of several splits, with the rows and labels of each.

    Two texts are equal if all their characters are equal. They are copies if they differ at most in
    case, white space or composition. Their labels agree if all rows of both texts have the same
    label.

    Args:
        splits: The splits by name, in the order train, validation, test.
        labels: The classes.
        config: The number of examples to show and the maximum length of their texts.

    Attributes:
        texts: The distinct texts, in the order in which they first occur.
    """

    def __init__(
        self, splits: Mapping[str, LabelledTexts], labels: Labels, config: PreflightConfig
    ) -> None:
        self._splits, self._labels, self._config = splits, labels, config
        self._names = list(splits)
        self._known: dict[Text, int] = {}
        self._ids = {name: self._identify(split.texts) for name, split in splits.items()}
        self.texts = [one_string(text) for text in self._known]

    def _identify(self, texts: Iterable[Text]) -> IntArray:
        known = self._known
        ids = [known.setdefault(text, len(known)) for text in texts]
        return np.array(ids, dtype=np.int64)

    @cached_property
    def rows(self) -> IntArray:
        """The number of rows of each split that hold each text, ``(texts, splits)`` int64."""
        counts = [np.bincount(ids, minlength=len(self.texts)) for ids in self._ids.values()]
        return np.stack(counts, axis=1)

    @cached_property
    def _label_range(self) -> tuple[IntArray, IntArray]:
        """The lowest and the highest label id of each text in each split, ``(texts, splits)`` each.

        If a text does not occur in a split, the lowest is greater than the highest.
        """
        low = np.full(self.rows.shape, len(self._labels))
        high = np.full(self.rows.shape, -1)
        for column, (name, ids) in enumerate(self._ids.items()):
            np.minimum.at(low[:, column], ids, self._splits[name].labels)
            np.maximum.at(high[:, column], ids, self._splits[name].labels)
        return low, high

    def shared_with(self, texts: Iterable[Text]) -> dict[str, int]:
        """Return the number of distinct texts of each split that are among the given texts."""
        ids = {self._known.get(text, -1) for text in texts} - {-1}
        occurs = self.rows[sorted(ids)] > 0
        return dict(zip(self._names, occurs.sum(axis=0).tolist(), strict=True))

    @cached_property
    def _groups(self) -> IntArray:
        """The number of the group of copies that each text belongs to, ``(texts,)`` int64."""
        return number_copies(list(self._known))

    def _label_range_of_groups(self, names: Iterable[str]) -> tuple[IntArray, IntArray]:
        """Return the lowest and the highest label id of each group in some splits."""
        columns = [self._column(name) for name in names]
        low = np.full(len(self._known), len(self._labels))
        high = np.full(len(self._known), -1)
        np.minimum.at(low, self._groups, self._label_range[0][:, columns].min(axis=1))
        np.maximum.at(high, self._groups, self._label_range[1][:, columns].max(axis=1))
        return low, high

    @property
    def conflicting(self) -> int:
        """The number of texts with more than one label, over all splits; copies count as one."""
        low, high = self._label_range_of_groups(self._names)
        return int(np.count_nonzero(low < high))

    def count_shared(self, later: str, earlier: Sequence[str]) -> dict[str, Any]:
        """Count the distinct texts of a split that have copies in earlier splits.

        Returns:
            JSON values: ``split`` and ``others``, the splits; ``texts``, the number of texts with a
            copy; ``exact``, the number of these with an equal text; ``conflicting``, the number of
            these whose labels do not all agree; ``swapped``, the number of other pairs whose two
            texts occur in the opposite order.
        """
        here, copied = self._occurs_in([later]), self._has_copy_in(earlier)
        low, high = self._label_range_of_groups([later, *earlier])
        shared = np.flatnonzero(here & copied)
        return {
            "split": later,
            "others": list(earlier),
            "texts": len(shared),
            "exact": int(np.count_nonzero(self._occurs_in(earlier)[shared])),
            "conflicting": int(np.count_nonzero((low < high)[self._groups[shared]])),
            "swapped": self._count_swapped(here & ~copied, self._occurs_in(earlier)),
        }

    def _has_copy_in(self, names: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return for each text whether a copy of it occurs in any of these splits."""
        found = np.zeros(len(self._known), dtype=bool)
        found[self._groups[self._occurs_in(names)]] = True
        return found[self._groups]

    def _count_swapped(
        self, counted: npt.NDArray[np.bool_], searched: npt.NDArray[np.bool_]
    ) -> int:
        """Return the number of counted pairs whose swapped pair has a copy among the searched."""
        if not isinstance(next(iter(self._known), ""), tuple):
            return 0
        texts = list(self._known)
        keys = {copy_key(texts[at]) for at in np.flatnonzero(searched)}
        pairs = (texts[at] for at in np.flatnonzero(counted))
        return sum(isinstance(pair, tuple) and copy_key(pair[::-1]) in keys for pair in pairs)

    def describe_exact(self, later: str, earlier: Sequence[str] = ()) -> dict[str, Any]:
        """Describe the texts of a split that also occur in earlier splits, or twice in the split.

        Args:
            later: The split whose texts are counted.
            earlier: The splits that are searched for copies of these texts. If empty, copies
                within ``later`` are counted.

        Returns:
            JSON values: ``texts``, the number of distinct texts; ``conflicting``, the number of
            these whose labels do not all agree; ``examples``, with conflicting texts first.
        """
        duplicated = self.rows[:, self._column(later)] > (0 if earlier else 1)
        if earlier:
            duplicated &= self._occurs_in(earlier)
        texts = np.flatnonzero(duplicated)
        return self._describe(texts, texts, np.ones(len(texts)), later, earlier)

    def describe_near(
        self, pairs: NearDuplicates, later: str, earlier: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Describe the texts of a split with near duplicates in earlier splits, or in the split.

        A text that has a copy in an earlier split is not counted again.

        Args:
            pairs: The near duplicates among `texts`.
            later: The split whose texts are counted.
            earlier: The splits that are searched for near duplicates. If empty, near duplicates
                within ``later`` are counted.

        Returns:
            The same JSON values as `describe_exact`. A text is conflicting if its labels and those
            of a near duplicate do not all agree.
        """
        text = np.concatenate([pairs.first, pairs.second])
        other = np.concatenate([pairs.second, pairs.first])
        similarity = np.concatenate([pairs.similarity, pairs.similarity])
        counted = self._occurs_in([later])[text]
        if earlier:
            counted &= ~self._has_copy_in(earlier)[text] & self._occurs_in(earlier)[other]
        else:
            counted &= self._occurs_in([later])[other]
        return self._describe(text[counted], other[counted], similarity[counted], later, earlier)

    def _column(self, name: str) -> int:
        return self._names.index(name)

    def _occurs_in(self, names: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return for each text whether it occurs in any of these splits."""
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
        """Count texts that have copies, and describe some of them.

        Args:
            texts: The texts, as positions in `texts`, ``(pairs,)``.
            others: The copy of each text, ``(pairs,)``. For an exact copy it is the same position.
            similarity: The similarity of each pair, ``(pairs,)``.
            later: The split whose texts are counted.
            earlier: The splits of the copies. If empty, the copies are in ``later``.
        """
        searched = list(earlier) if earlier else [later]
        conflict = self._labels_differ(texts, later, others, searched)
        # Within one split, each pair occurs in both orders. Only one of the two is shown.
        shown = np.flatnonzero((texts <= others) | bool(earlier))
        best = np.lexsort((others[shown], texts[shown], -similarity[shown], ~conflict[shown]))
        return {
            "texts": len(np.unique(texts)),
            "conflicting": len(np.unique(texts[conflict])),
            "examples": [
                self._example(
                    int(texts[at]), int(others[at]), float(similarity[at]), later, searched
                )
                for at in shown[best][: self._config.shown_copies]
            ],
        }

    def _labels_differ(
        self, texts: IntArray, later: str, others: IntArray, searched: Sequence[str]
    ) -> npt.NDArray[np.bool_]:
        """Return for each pair whether the labels of the two texts, in their splits, differ."""
        low, high = self._label_range
        here, there = self._column(later), [self._column(name) for name in searched]
        lowest = np.minimum(low[texts, here], low[others][:, there].min(axis=1))
        highest = np.maximum(high[texts, here], high[others][:, there].max(axis=1))
        return np.asarray(lowest < highest)

    def _example(
        self, text: int, other: int, similarity: float, later: str, searched: Sequence[str]
    ) -> dict[str, Any]:
        places = [(text, later), *((other, name) for name in searched)]
        return {
            "similarity": similarity,
            "copies": [
                self._describe_copies(one, name)
                for one, name in dict.fromkeys(places)
                if self.rows[one, self._column(name)]
            ],
        }

    def _describe_copies(self, text: int, name: str) -> dict[str, Any]:
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
