"""Near duplicates: texts that share almost all their runs of words."""

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
class NearPairs:
    """Pairs of texts that are near to each other, each pair once, in ascending order.

    Attributes:
        first: (pairs,) int64 positions of texts.
        second: (pairs,) int64 positions of texts, each greater than its first.
        similarity: (pairs,) float64, Jaccard's.
    """

    first: IntArray
    second: IntArray
    similarity: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)


def shingles(text: str, words: int) -> frozenset[str]:
    """Return every run of that many lower-cased words.

    A shorter text is one run; a text without a letter or a digit has none.
    """
    found = _WORD.findall(text.lower())
    runs = max(1, len(found) - words + 1) if found else 0
    return frozenset(" ".join(found[start : start + words]) for start in range(runs))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of two sets that is in both, 0 where both are empty."""
    shared = len(one & other)
    return shared / max(1, len(one) + len(other) - shared)


def find_near(
    texts: Sequence[str],
    splits: npt.NDArray[np.bool_],
    config: PreflightConfig,
    advance: Callable[[int], None] = lambda texts: None,
) -> NearPairs:
    """Find the pairs of texts whose similarity reaches ``config.similarity``.

    MinHash (Broder 1997, "On the resemblance and containment of documents") names candidates:
    pairs whose hashes are the same in at least one band (Leskovec, Rajaraman and Ullman, "Mining
    of Massive Datasets", 3.4). Each of these is then compared exactly, so that no other pair is
    returned. The default bands miss a pair at a similarity of 0.8 once in 20,000 times. Of a
    crowd that shares a band, only the first ``config.crowd`` texts of each split are compared
    with all of it: the work grows with the number of texts, not with its square.

    Args:
        texts: distinct texts.
        splits: (texts, splits), whether a text stands in a split.
        config: what near means, and the bands.
        advance: told the number of texts hashed since the last call.
    """
    shingles_at = lru_cache(_CACHED_TEXTS)(lambda at: shingles(texts[at], config.words))
    pairs = _candidates(_sketch(texts, config, advance), splits, config)
    similarity = np.fromiter(
        (jaccard(shingles_at(one), shingles_at(other)) for one, other in pairs.tolist()),
        dtype=np.float64,
        count=len(pairs),
    )
    near = similarity >= config.similarity
    return NearPairs(pairs[near, 0], pairs[near, 1], similarity[near])


def _sketch(
    texts: Sequence[str], config: PreflightConfig, advance: Callable[[int], None]
) -> npt.NDArray[np.uint32]:
    """Return the MinHash of each text, (texts, bands, hashes)."""
    from datasketch import MinHash

    sketches = np.empty((len(texts), *config.bands), dtype=np.uint32)
    for start in range(0, len(texts), _TEXTS_PER_CALL):
        chunk = texts[start : start + _TEXTS_PER_CALL]
        runs = ([run.encode() for run in shingles(text, config.words)] for text in chunk)
        # Not Python's own hash, which is another one in every process.
        made = MinHash.bulk(
            runs, num_perm=sketches[0].size, seed=config.hash_seed, hashfunc=zlib.crc32
        )
        hashes = np.stack([sketch.hashvalues for sketch in made])
        sketches[start : start + len(chunk)] = hashes.reshape(-1, *config.bands)
        advance(len(chunk))
    return sketches


def _candidates(
    sketches: npt.NDArray[np.uint32], splits: npt.NDArray[np.bool_], config: PreflightConfig
) -> IntArray:
    """Return the pairs that share a band, (pairs, 2), in ascending order.

    The bands are sorted rather than put into datasketch's own index, which takes 10 KB a text.
    """
    texts, bands, hashes = sketches.shape
    found = np.empty(0, dtype=np.int64)
    for band in range(bands):
        keys = np.ascontiguousarray(sketches[:, band])
        order, sizes = _crowds(keys.view(np.dtype((np.void, keys.itemsize * hashes))).ravel())
        one, other = _compared(splits[order], sizes, config.crowd)
        pairs = np.sort(np.stack([order[one], order[other]], axis=1), axis=1)
        found = np.unique(np.concatenate([found, pairs @ [texts, 1]]))
    return np.stack(np.divmod(found, max(1, texts)), axis=1)


def _crowds(keys: npt.NDArray[np.void]) -> tuple[IntArray, IntArray]:
    """Return the positions whose key is not theirs alone, crowd by crowd, and the crowds' sizes."""
    order = np.argsort(keys, kind="stable")
    new = np.flatnonzero(keys[order[1:]] != keys[order[:-1]]) + 1
    sizes = np.diff(np.concatenate([[0], new, [len(order)]]))
    return order[np.repeat(sizes > 1, sizes)], sizes[sizes > 1]


def _compared(
    splits: npt.NDArray[np.bool_], sizes: IntArray, most: int
) -> tuple[IntArray, IntArray]:
    """Pair the first members of each split in each crowd with all members of that crowd.

    Args:
        splits: (members, splits), whether a member stands in a split; crowd by crowd.
        sizes: (crowds,) members of each.
        most: first members of a split in a crowd.

    Returns:
        (pairs,) positions of the one and of the other; no pair twice.
    """
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    counted = np.cumsum(np.vstack([np.zeros_like(splits[:1]), splits]), axis=0, dtype=np.int64)
    early = np.asarray((splits & (counted[1:] - counted[start] <= most)).any(axis=1))
    firsts = np.flatnonzero(early)
    partners = np.repeat(sizes, sizes)[firsts]
    one = np.repeat(firsts, partners)
    nth = np.arange(len(one)) - np.repeat(np.cumsum(partners) - partners, partners)
    other = start[one] + nth
    once = (one < other) | ((one > other) & ~early[other])
    return one[once], other[once]
