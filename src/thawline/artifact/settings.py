"""``thawline.json``: what a saved classifier's weights do not tell."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from thawline.data import Labels
from thawline.inference.fitted import Fitted, Reading
from thawline.models.heads import HeadSpec, parse_head
from thawline.runs.layout import FORMAT, SETTINGS, AdapterSettings, read_adapter, read_settings


@dataclass(frozen=True)
class Settings:
    """All of it; the fields are those of `Fitted`.

    Attributes:
        adapter: None: the artifact holds a whole model.
    """

    labels: Labels
    reading: Reading
    head: HeadSpec
    strategy: str
    backbone: str
    adapter: AdapterSettings | None

    @classmethod
    def of(cls, fitted: Fitted) -> Self:
        """Return those of a classifier."""
        adapter = None
        if fitted.adapter is not None:
            dropout = getattr(fitted.model.config, "head_dropout", 0.0)
            base, digest = fitted.adapter.base, fitted.adapter.base_digest()
            adapter = AdapterSettings(base, digest, dropout)
        return cls(
            fitted.labels, fitted.reading, fitted.head, fitted.strategy, fitted.backbone, adapter
        )

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read them.

        Raises:
            ThawlineError: they are of another format.
            OSError, ValueError, KeyError, TypeError: a part is missing or damaged.
        """
        values = read_settings(folder)
        reading = values["reading"]
        return cls(
            labels=Labels.from_dict(values["labels"]),
            reading=Reading(**(reading | {"stages": tuple(reading["stages"])})),
            head=parse_head(values["head"]),
            strategy=values["strategy"],
            backbone=values["backbone"],
            adapter=read_adapter(values),
        )

    def write(self, folder: Path) -> None:
        """Write them."""
        values = {
            "format": FORMAT,
            "labels": self.labels.to_dict(),
            "reading": asdict(self.reading),
            "head": str(self.head),
            "strategy": self.strategy,
            "backbone": self.backbone,
        }
        if self.adapter is not None:
            values["adapter"] = asdict(self.adapter)
        (folder / SETTINGS).write_text(json.dumps(values, indent=1), encoding="utf-8")
