"""Read and write ``thawline.json``, which holds a classifier's settings but not its weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from thawline.data import Labels
from thawline.errors import ThawlineError
from thawline.inference.reading import Reading
from thawline.inference.words import FittedWords
from thawline.models.specs import HeadSpec, parse_head
from thawline.runs.layout import FORMAT, SETTINGS, AdapterSettings
from thawline.runs.settings import FIX, add_checksums, check_files, read_adapter, read_settings
from thawline.runtime.untrusted import show_value
from thawline.strategies import parse_strategy

if TYPE_CHECKING:
    from thawline.inference.fitted import Fitted


@dataclass(frozen=True)
class Settings:
    """The settings of a saved classifier. The fields have the same meaning as in `Described`.

    Attributes:
        labels: The labels.
        reading: How texts are tokenised and pooled. None if the classifier has no backbone.
        pairs: Whether the classifier was trained on pairs of texts.
        head: The kind of head.
        strategy: The strategy that trained the classifier, in its written form.
        backbone: The name or path of the backbone. None if there is none.
        adapter: The settings of adapters that are not merged. None if the artifact holds a complete
            model.
        onnx: The number format of the weights of an ONNX model, ``float32`` or ``int8``. None if
            the artifact holds no ONNX model.
    """

    labels: Labels
    reading: Reading | None
    pairs: bool
    head: HeadSpec
    strategy: str
    backbone: str | None
    adapter: AdapterSettings | None
    onnx: str | None = None

    @classmethod
    def of(cls, fitted: Fitted | FittedWords) -> Self:
        """Return the settings of a classifier."""
        if isinstance(fitted, FittedWords):
            head = HeadSpec("linear")
            return cls(fitted.labels, None, fitted.pairs, head, fitted.strategy, None, None)
        adapter = None
        if fitted.adapter is not None:
            dropout = getattr(fitted.model.config, "head_dropout", 0.0)
            base, digest = fitted.adapter.base, fitted.adapter.base_digest()
            adapter = AdapterSettings(base, digest, dropout)
        return cls(
            labels=fitted.labels,
            reading=fitted.reading,
            pairs=fitted.pairs,
            head=fitted.head,
            strategy=fitted.strategy,
            backbone=fitted.backbone,
            adapter=adapter,
        )

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the settings from an artifact's folder, and check all files of the artifact.

        Raises:
            ThawlineError: If a value is invalid, or if a file is missing, has changed, or is not a
                regular file inside the folder.
            OSError: If a file cannot be read.
        """
        values = read_settings(folder)
        check_files(folder, values)
        reading, adapter = values["reading"], read_adapter(values)
        with _explained(folder, "head", values["head"]):
            head = parse_head(values["head"])
        with _explained(folder, "strategy", values["strategy"]):
            strategy = parse_strategy(values["strategy"])
        if strategy.reads_states != (values["backbone"] is not None):
            raise ThawlineError(
                f"a 'backbone' in '{folder / SETTINGS}' if its strategy has one, otherwise null",
                f"strategy {show_value(values['strategy'])} and backbone "
                f"{show_value(values['backbone'])}",
                FIX,
            )
        if adapter is not None and strategy.adapters is None:
            raise ThawlineError(
                f"a strategy with adapters in '{folder / SETTINGS}', because it names their base",
                show_value(values["strategy"]),
                FIX,
            )
        return cls(
            labels=Labels.from_dict(values["labels"]),
            reading=_as_reading(reading) if strategy.reads_states else None,
            pairs=reading.get("pairs", False),
            head=head,
            strategy=values["strategy"],
            backbone=values["backbone"],
            adapter=adapter,
            onnx=values.get("onnx"),
        )

    def described(self) -> dict[str, Any]:
        """Return the settings that are fields of `Described`, for a classifier with a backbone."""
        assert self.reading is not None, "a classifier without a backbone reads words"
        names = ("labels", "reading", "head", "strategy", "backbone")
        return {name: getattr(self, name) for name in names}

    def write(self, folder: Path) -> None:
        """Write the settings to an artifact's folder, with the checksums of all files in it.

        Args:
            folder: The folder of the artifact, which contains all other files.
        """
        values: dict[str, Any] = {
            "format": FORMAT,
            "labels": self.labels.to_dict(),
            "reading": {"pairs": self.pairs} if self.reading is None else asdict(self.reading),
            "head": str(self.head),
            "strategy": self.strategy,
            "backbone": self.backbone,
        }
        if self.adapter is not None:
            values["adapter"] = asdict(self.adapter)
        if self.onnx is not None:
            values["onnx"] = self.onnx
        signed = add_checksums(folder, values)
        (folder / SETTINGS).write_text(json.dumps(signed, indent=1), encoding="utf-8")


def _as_reading(values: dict[str, Any]) -> Reading:
    return Reading(**(values | {"stages": tuple(values["stages"])}))


@contextmanager
def _explained(folder: Path, key: str, value: str) -> Iterator[None]:
    """Name the file and the key if an option's written form is invalid."""
    try:
        yield
    except ThawlineError as error:
        expected = f"a valid '{key}' in '{folder / SETTINGS}'"
        raise ThawlineError(expected, f"{key} {show_value(value)}", FIX) from error
