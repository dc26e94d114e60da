"""Read and write ``thawline.json``, which holds a classifier's settings but not its weights."""

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
    """The settings of a saved classifier. The fields have the same meaning as in `Fitted`.

    Attributes:
        labels: The labels.
        reading: How texts are tokenised and pooled.
        head: The kind of head.
        strategy: The strategy that trained the classifier, in its written form.
        backbone: The name or path of the backbone.
        adapter: The settings of adapters that are not merged. None if the artifact holds a complete
            model.
    """

    labels: Labels
    reading: Reading
    head: HeadSpec
    strategy: str
    backbone: str
    adapter: AdapterSettings | None

    @classmethod
    def of(cls, fitted: Fitted) -> Self:
        """Return the settings of a classifier."""
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
        """Read the settings from an artifact's folder.

        Raises:
            ThawlineError: If the file has another format.
            OSError, ValueError, KeyError, TypeError: If a part is missing or damaged.
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
        """Write the settings to an artifact's folder."""
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
