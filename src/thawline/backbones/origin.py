"""Another task's classifier as a backbone: what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from thawline.data.labels import Labels
from thawline.runs.layout import AdapterSettings, read_adapter, read_settings


@dataclass(frozen=True)
class Origin:
    """The saved classifier that a backbone was taken from.

    Attributes:
        folder: the artifact's.
        strategy: by which it was trained.
        backbone: the name of the one that it started from.
        labels: the names of its classes.
        adapter: what its adapters belong to; None: its weights are whole.
    """

    folder: str
    strategy: str
    backbone: str
    labels: tuple[str, ...]
    adapter: AdapterSettings | None = None

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Return that of an artifact's folder.

        Raises:
            ThawlineError: the artifact is of another format.
            OSError, ValueError, KeyError, TypeError: its settings are damaged.
        """
        values = read_settings(folder)
        labels = tuple(Labels.from_dict(values["labels"]).names)
        adapter = read_adapter(values)
        return cls(str(folder), values["strategy"], values["backbone"], labels, adapter)

    def described(self) -> dict[str, Any]:
        """Return what a record holds of it."""
        return {
            "folder": self.folder,
            "strategy": self.strategy,
            "backbone": self.backbone,
            "labels": list(self.labels),
        }
