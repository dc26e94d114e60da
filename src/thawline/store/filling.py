"""One fill of an entry: whether what it adds may be written."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from rich.filesize import decimal

from thawline.store import chunks
from thawline.store.capacity import (
    Capacity,
    NoRoom,
    Obstacle,
    in_memory_instead,
    obstacle_of,
    unwritable,
)

Tell = Callable[[str], None]
"""Is told one line; a `Reporter`'s ``message``."""


class Filling:
    """Writes the chunks of one fill as long as that may be done.

    What may not be written stays in memory, where it is small enough for that: pooled states are.

    Args:
        folder: the entry's.
        in_memory: whether chunks that may not be written stay in memory, with a warning; else
            `NoRoom` is raised.
        obstacle: what keeps chunks from being written, as far as it is known already.
    """

    def __init__(self, folder: Path, *, in_memory: bool, obstacle: Obstacle | None = None) -> None:
        self._folder, self._in_memory, self._obstacle = folder, in_memory, obstacle
        self._expected = 0  # bytes that are still to come
        self._limit: int | None = None  # of the store, where the fill was planned

    def plan(self, texts: int, size: int, limit: int | None, tell: Tell) -> None:
        """Decide where states go before any is computed; see `Entry.plan`."""
        capacity = Capacity.of(self._folder.parent, limit)
        self._expected, self._limit = size, capacity.limit
        obstacle = self._obstacle or unwritable(self._folder) or capacity.obstacle(size)
        if obstacle is not None:
            self._give_up(obstacle)
            return
        tell(
            f"states of {texts:,} texts: {decimal(size)} are added to the store, which then "
            f"holds {decimal(capacity.held + size)} of at most {decimal(capacity.limit)}"
        )

    def write(self, packed: bytes, listed: int) -> bool:
        """Write a chunk; return False where it has to stay in memory.

        Args:
            packed: the chunk, by `chunks.pack`.
            listed: chunks that the manifest lists already.

        Raises:
            NoRoom: it may not be written, nor kept in memory.
            ThawlineError: memory has no room for what is still to come.
        """
        self._expected = max(self._expected, len(packed))
        if self._obstacle is None:
            obstacle = self._full(len(packed), listed) or self._written(packed)
            if obstacle is not None:
                self._give_up(obstacle)
        self._expected -= len(packed)
        return self._obstacle is None

    def _full(self, size: int, listed: int) -> Obstacle | None:
        """Return the obstacle where others have filled the store since the fill was planned."""
        if self._limit is None:
            return None
        manifest = chunks.LISTED_BYTES * (listed + 2)  # this chunk's, and the head
        return Capacity.of(self._folder.parent, self._limit).obstacle(size + manifest)

    def _written(self, packed: bytes) -> Obstacle | None:
        """Write a chunk; return what kept it from being written, if anything did."""
        try:
            chunks.write_chunk(self._folder, packed)
        except OSError as error:
            return obstacle_of(error)
        return None

    def _give_up(self, obstacle: Obstacle) -> None:
        if not self._in_memory:
            raise NoRoom(self._expected, obstacle)
        self._obstacle = obstacle
        warnings.warn(in_memory_instead(self._expected, obstacle), stacklevel=2)
