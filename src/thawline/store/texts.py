"""Texts together with their keys in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from thawline.data import Text
from thawline.store.index import Keys, as_keys
from thawline.store.keys import text_key


class KeyedTexts(Sequence[Text]):
    """Texts with their keys in the store, each of which is hashed at most once.

    The keys are computed when they are first needed, so that texts are not hashed if the store is
    not used.

    Args:
        texts: Any number of texts or pairs.
        compute_keys: Function that returns the keys of the texts, ``(texts,)``. If None, the texts
            are hashed.
    """

    def __init__(
        self, texts: Sequence[Text], compute_keys: Callable[[], Keys] | None = None
    ) -> None:
        self._texts, self._compute_keys = texts, compute_keys

    @classmethod
    def of(cls, texts: Sequence[Text]) -> KeyedTexts:
        """Return texts with their keys; texts that have keys already are returned unchanged."""
        return texts if isinstance(texts, KeyedTexts) else cls(texts)

    @classmethod
    def joined(cls, parts: Iterable[KeyedTexts]) -> KeyedTexts:
        """Return the texts of several parts, one part after the other, with their keys."""
        parts = list(parts)
        texts = [text for part in parts for text in part]
        return cls(texts, lambda: np.concatenate([as_keys(b""), *(part.keys for part in parts)]))

    def take(self, positions: Sequence[int] | NDArray[np.int64]) -> KeyedTexts:
        """Return the texts at some positions, in that order, with their keys."""
        chosen = np.asarray(positions, dtype=np.int64)
        texts = [self._texts[position] for position in positions]
        return KeyedTexts(texts, lambda: self.keys[chosen])

    @cached_property
    def keys(self) -> Keys:
        """The keys of the texts, ``(texts,)``."""
        if self._compute_keys is not None:
            return self._compute_keys()
        return as_keys(b"".join(map(text_key, self._texts)))

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Text: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Text]: ...

    def __getitem__(self, index: int | slice) -> Text | Sequence[Text]:
        return self._texts[index]
