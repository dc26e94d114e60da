"""Shorten names for plots, such that different names stay different."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile

SHOWN = 8
"""The number of characters that are shown of the first word, and before the first difference."""

ROUNDS = 5
"""How often names that look alike are shortened in another way."""


def distinct_names(names: Sequence[str], shorten: Callable[[str], str]) -> dict[str, str]:
    """Return the shortened name for each name.

    If two names would look alike, their beginning and the part in which they differ are shortened
    instead. A name that would still look like another one is not shortened.

    Args:
        names: The names.
        shorten: Shortens a name. It may also break it into lines.
    """
    short = {name: shorten(name) for name in names}
    for _ in range(ROUNDS):
        for alike in _alike(short):
            shared = _shared_characters(alike)
            for name in alike:
                start = max(name.rfind(" ", 0, shared) + 1, shared - SHOWN)
                first, _, _ = name.partition(" ")
                if start > SHOWN:
                    short[name] = shorten(f"{first[:SHOWN]} …{name[start:]}")
    for alike in _alike(short):
        short |= {name: name for name in alike}
    return short


def _shared_characters(names: Sequence[str]) -> int:
    """Return the number of characters with which all names begin."""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return sum(1 for _ in same)


def _alike(short: dict[str, str]) -> list[list[str]]:
    """Return the groups of different names with the same short name."""
    groups: dict[str, list[str]] = {}
    for name, shortened in short.items():
        groups.setdefault(shortened, []).append(name)
    return [group for group in groups.values() if len(group) > 1]
