"""Check the table of a SentencePiece normalizer, which tokenizers reads without checks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LABEL = 1 << 31 | 0xFF
_LETTERS = np.arange(1, 256, dtype=np.int64)
_NODES_PER_STEP = 1_024


def is_table(trie: bytes, replacements: bytes) -> bool:
    """Return whether every search in a table ends inside it.

    The trie is a double array in the format of the library Darts-clone. A unit holds the byte that
    leads to it, the offset of the units behind it, and whether an entry ends there. The value of an
    entry is the position of its replacement. tokenizers ends with a panic if a unit or a
    replacement lies outside of the table, or if a replacement is not UTF-8.

    Args:
        trie: The units, of four bytes each.
        replacements: The replacements. Each ends with a zero byte.
    """
    try:
        replacements.decode()
    except UnicodeDecodeError:
        return False
    units = np.frombuffer(trie, dtype="<u4").astype(np.int64)
    contents = np.frombuffer(replacements, dtype=np.uint8)
    starts = np.append((contents & 0xC0) != 0x80, True)  # the first bytes of characters
    seen = np.zeros(len(units), dtype=bool)
    waiting = _offsets(units[:1])
    while len(waiting):
        nodes, waiting = waiting[:_NODES_PER_STEP], waiting[_NODES_PER_STEP:]
        places = nodes[:, None] ^ _LETTERS
        if places.max() >= len(units):
            return False
        found = units[places]
        children, wanted = np.nonzero((found & _LABEL) == _LETTERS)
        reached, units_there = places[children, wanted], found[children, wanted]
        reached ^= _offsets(units_there)
        ends = reached[(units_there >> 8) & 1 == 1]
        if ends.size and not _are_inside(ends, units, starts):
            return False
        reached = np.unique(reached)
        if reached.size and reached[-1] >= len(units):
            return False
        reached = reached[~seen[reached]]
        seen[reached] = True
        waiting = np.concatenate([waiting, reached])
    return True


def _offsets(units: NDArray[np.int64]) -> NDArray[np.int64]:
    return (units >> 10) << ((units & (1 << 9)) >> 6)


def _are_inside(
    ends: NDArray[np.int64], units: NDArray[np.int64], starts: NDArray[np.bool_]
) -> bool:
    """Return whether the values at these places are positions of characters."""
    if ends.max() >= len(units):
        return False
    values = units[ends] & ((1 << 31) - 1)
    return bool(values.max() < len(starts) and starts[values].all())
