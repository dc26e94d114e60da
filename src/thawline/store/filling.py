"""Write the chunks of one fill of an entry while the store has space for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from rich.filesize import decimal

from thawline.errors import in_words
from thawline.store import chunks
from thawline.store.capacity import (
    Capacity,
    NoRoom,
    Obstacle,
    memory_warning,
    obstacle_of,
    unwritable,
)

Notify = Callable[[str], None]
"""A function that reports one line of information, for example `Reporter.message`."""


class Filling:
    """Writes the chunks of one fill until an obstacle occurs.

    Args:
        folder: The folder of the entry.
        in_memory: Whether chunks that cannot be written stay in memory, with a warning. Otherwise
            `NoRoom` is raised. Only pooled states are small enough to stay in memory.
        obstacle: Why chunks cannot be written. None if no reason is known yet.
    """

    def __init__(self, folder: Path, *, in_memory: bool, obstacle: Obstacle | None = None) -> None:
        self._folder, self._in_memory, self._obstacle = folder, in_memory, obstacle
        self._expected = 0  # bytes that are still to be added
        self._limit: int | None = None  # maximum size of the store, if the fill was planned

    def plan(self, texts: int, size: int, limit: int | None, notify: Notify) -> None:
        """Decide whether the states go to disk or to memory; see `Entry.plan`."""
        capacity = Capacity.of(self._folder.parent, limit)
        self._expected, self._limit = size, capacity.limit
        obstacle = self._obstacle or unwritable(self._folder) or capacity.obstacle(size)
        if obstacle is not None:
            self._give_up(obstacle)
            return
        notify(
            f"states of {texts:,} texts: {decimal(size)} are added to the store, which then "
            f"holds {decimal(capacity.used + size)} of at most {decimal(capacity.limit)}"
        )

    def write(self, packed: bytes, listed: int) -> bool:
        """Write a chunk, unless it must stay in memory.

        Args:
            packed: The chunk, as `chunks.pack` returns it.
            listed: Number of chunks that the manifest already lists.

        Returns:
            True if the chunk was written, False if it must stay in memory.

        Raises:
            NoRoom: If the chunk can neither be written nor stay in memory.
            ThawlineError: If the states still to be added do not fit into memory.
        """
        self._expected = max(self._expected, len(packed))
        if self._obstacle is None:
            obstacle = self._size_obstacle(len(packed), listed) or self._write_chunk(packed)
            if obstacle is not None:
                self._give_up(obstacle)
        self._expected -= len(packed)
        return self._obstacle is None

    def _size_obstacle(self, size: int, listed: int) -> Obstacle | None:
        """Return an obstacle if other processes have filled the store since the plan was made."""
        if self._limit is None:
            return None
        # Add one for this chunk, and one for the other fields of the manifest.
        manifest = chunks.LISTED_BYTES * (listed + 2)
        return Capacity.of(self._folder.parent, self._limit).obstacle(size + manifest)

    def _write_chunk(self, packed: bytes) -> Obstacle | None:
        """Write a chunk and return None, or return why it cannot be written."""
        try:
            chunks.write_chunk(self._folder, packed)
        except OSError as error:
            return obstacle_of(error)
        return None

    def _give_up(self, obstacle: Obstacle) -> None:
        """Keep all further chunks in memory with a warning, or raise `NoRoom`."""
        if not self._in_memory:
            raise NoRoom(self._expected, obstacle)
        self._obstacle = obstacle
        warnings.warn(in_words(memory_warning(self._expected, obstacle)), stacklevel=2)
