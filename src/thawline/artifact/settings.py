"""``thawline.json``: what a saved classifier's weights do not tell."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from thawline.data import Labels
from thawline.errors import ThawlineError
from thawline.fitted import Fitted, Reading
from thawline.models.heads import HeadSpec, parse_head

FORMAT = 1
SETTINGS = "thawline.json"


@dataclass(frozen=True)
class AdapterSettings:
    """What live adapters belong to.

    Attributes:
        base: the name of the backbone.
        base_sha256: `Adapter.base_digest`.
        head_dropout: of a head of ours; a native head has what its base's config says.
    """

    base: str
    base_sha256: str
    head_dropout: float


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
        try:
            values: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"a damaged {SETTINGS} ({error})") from error
        for key in ("format", "labels", "reading", "head", "strategy", "backbone"):
            if not isinstance(values, dict) or key not in values:
                raise ValueError(f"no '{key}' in {SETTINGS}")
        if values["format"] != FORMAT:
            raise ThawlineError(
                f"a saved classifier of format {FORMAT}",
                f"format {values['format']} in '{folder}'",
                "load it with the version of Thawline that saved it",
            )
        reading, adapter = values["reading"], values.get("adapter")
        return cls(
            labels=Labels.from_dict(values["labels"]),
            reading=Reading(**(reading | {"stages": tuple(reading["stages"])})),
            head=parse_head(values["head"]),
            strategy=values["strategy"],
            backbone=values["backbone"],
            adapter=None if adapter is None else AdapterSettings(**adapter),
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
