"""Find near duplicates: texts that share almost all their shingles (short word sequences)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from thawline.config import PreflightConfig
from thawline.data.labels import IntArray

_WORD = re.compile(r"\w+")
_TEXTS_PER_CALL = 1_000
_CACHED_TEXTS = 1_024


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Pairs of texts that are near duplicates. Each pair occurs once, in ascending order.

    Attributes:
        first: Positions of texts, ``(pairs,)`` int64.
        second: Positions of texts, ``(pairs,)`` int64, each greater than its first.
        similarity: Jaccard similarity of each pair, ``(pairs,)`` float64.
    """

    first: IntArray
    second: IntArray
    similarity: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)


def shingles(text: str, words: int) -> frozenset[str]:
    """Return the shingles of a text: every sequence of consecutive words, in lower case.

    A text with fewer words is a single shingle. A text without letters and digits has no shingle.

    Args:
        text: The text.
        words: The number of words in a shingle.
    """
    found = _WORD.findall(text.lower())
    count = max(1, len(found) - words + 1) if found else 0
    return frozenset(" ".join(found[start : start + words]) for start in range(count))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the Jaccard similarity of two sets, or 0 if both are empty."""
    shared = len(one & other)
    return shared / max(1, len(one) + len(other) - shared)


def find_near_duplicates(
    texts: Sequence[str],
    in_split: npt.NDArray[np.bool_],
    config: PreflightConfig,
    advance: Callable[[int], None] = lambda texts: None,
) -> NearDuplicates:
    """Find the pairs of texts whose similarity is at least ``config.similarity``.

    MinHash (Broder 1997, "On the resemblance and containment of documents") selects candidates:
    pairs whose hashes are equal in at least one band (Leskovec, Rajaraman and Ullman, "Mining of
    Massive Datasets", 3.4). Each candidate is then compared exactly, so no pair below the
    threshold is returned. With the default bands, one in 20,000 pairs with a similarity of 0.8 is
    missed. Texts that share a band form a bucket. Only the first ``config.crowd`` texts of each
    split are compared with the complete bucket, so that the work grows linearly with the number
    of texts and not quadratically.

    Args:
        texts: Distinct texts.
        in_split: Whether each text occurs in each split, ``(texts, splits)``.
        config: The similarity threshold and the bands.
        advance: Called with the number of texts hashed since the last call.

    Returns:
        The pairs, as positions in ``texts``.
    """
    shingles_at = lru_cache(_CACHED_TEXTS)(lambda at: shingles(texts[at], config.words))
    pairs = _candidate_pairs(_min_hashes(texts, config, advance), in_split, config)
    similarity = np.fromiter(
        (jaccard(shingles_at(one), shingles_at(other)) for one, other in pairs.tolist()),
        dtype=np.float64,
        count=len(pairs),
    )
    near = similarity >= config.similarity
    return NearDuplicates(pairs[near, 0], pairs[near, 1], similarity[near])


def _min_hashes(
    texts: Sequence[str], config: PreflightConfig, advance: Callable[[int], None]
) -> npt.NDArray[np.uint32]:
    """Return the MinHash of each text, ``(texts, bands, hashes)``."""
    from datasketch import MinHash

    hashes = np.empty((len(texts), *config.bands), dtype=np.uint32)
    for start in range(0, len(texts), _TEXTS_PER_CALL):
        chunk = texts[start : start + _TEXTS_PER_CALL]
        encoded = ([part.encode() for part in shingles(text, config.words)] for text in chunk)
        # The built-in hash would differ between processes.
        min_hashes = MinHash.bulk(
            encoded, num_perm=hashes[0].size, seed=config.hash_seed, hashfunc=zlib.crc32
        )
        values = np.stack([min_hash.hashvalues for min_hash in min_hashes])
        hashes[start : start + len(chunk)] = values.reshape(-1, *config.bands)
        advance(len(chunk))
    return hashes


def _candidate_pairs(
    min_hashes: npt.NDArray[np.uint32], in_split: npt.NDArray[np.bool_], config: PreflightConfig
) -> IntArray:
    """Return the pairs that share a band, ``(pairs, 2)``, in ascending order.

    The bands are sorted, because the index of datasketch would take 10 KB for each text.
    """
    texts, bands, hashes = min_hashes.shape
    found = np.empty(0, dtype=np.int64)
    for band in range(bands):
        keys = np.ascontiguousarray(min_hashes[:, band])
        order, sizes = _buckets(keys.view(np.dtype((np.void, keys.itemsize * hashes))).ravel())
        one, other = _pairs_to_compare(in_split[order], sizes, config.crowd)
        pairs = np.sort(np.stack([order[one], order[other]], axis=1), axis=1)
        found = np.unique(np.concatenate([found, pairs @ [texts, 1]]))
    return np.stack(np.divmod(found, max(1, texts)), axis=1)


def _buckets(keys: npt.NDArray[np.void]) -> tuple[IntArray, IntArray]:
    """Group positions with equal keys into buckets; positions with a unique key are left out.

    Returns:
        The positions, bucket by bucket, and the size of each bucket.
    """
    order = np.argsort(keys, kind="stable")
    new = np.flatnonzero(keys[order[1:]] != keys[order[:-1]]) + 1
    sizes = np.diff(np.concatenate([[0], new, [len(order)]]))
    return order[np.repeat(sizes > 1, sizes)], sizes[sizes > 1]


def _pairs_to_compare(
    in_split: npt.NDArray[np.bool_], sizes: IntArray, most: int
) -> tuple[IntArray, IntArray]:
    """Pair the first members of each split in each bucket with all members of that bucket.

    Args:
        in_split: Whether each member occurs in each split, ``(members, splits)``, bucket by bucket.
        sizes: The number of members of each bucket, ``(buckets,)``.
        most: The number of members of each split that are paired with all members of a bucket.

    Returns:
        The positions of the first and of the second member of each pair, ``(pairs,)`` each. No
        pair occurs twice.
    """
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    counted = np.cumsum(np.vstack([np.zeros_like(in_split[:1]), in_split]), axis=0, dtype=np.int64)
    early = np.asarray((in_split & (counted[1:] - counted[start] <= most)).any(axis=1))
    firsts = np.flatnonzero(early)
    partners = np.repeat(sizes, sizes)[firsts]
    one = np.repeat(firsts, partners)
    nth = np.arange(len(one)) - np.repeat(np.cumsum(partners) - partners, partners)
    other = start[one] + nth
    once = (one < other) | ((one > other) & ~early[other])
    return one[once], other[once]
