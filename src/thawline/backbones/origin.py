"""The origin of a backbone that was taken from the saved classifier of another task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from thawline.data.labels import Labels
from thawline.errors import ThawlineError
from thawline.runs.layout import FOLDER, SETTINGS, AdapterSettings
from thawline.runs.settings import check_files, read_adapter, read_settings


@dataclass(frozen=True)
class Origin:
    """The saved classifier that a backbone was taken from.

    Attributes:
        folder: The folder of the artifact.
        strategy: The strategy that trained the classifier.
        backbone: The name of the backbone that the classifier started from.
        labels: The names of the classifier's classes.
        adapter: The settings of the classifier's adapters. None if its weights are complete
            without adapters.
    """

    folder: str
    strategy: str
    backbone: str
    labels: tuple[str, ...]
    adapter: AdapterSettings | None = None

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read the origin from an artifact's folder, and check the artifact's files.

        Args:
            folder: The folder of a saved classifier.

        Raises:
            ThawlineError: If the settings are damaged, or if a file of the artifact is missing,
                has changed, or is not a regular file inside the folder.
            OSError: If a file cannot be read.
        """
        values = read_settings(folder)
        check_files(folder, values)
        if values["backbone"] is None:
            raise ThawlineError(
                f"a classifier with a backbone in '{folder}'",
                f"one of the strategy {values['strategy']}, which has none",
                "use another `backbone`",
                setting="backbone",
            )
        if values.get("onnx") is not None:
            raise ThawlineError(
                f"a classifier that can be trained further in '{folder}'",
                "one that was exported to ONNX",
                "use the run that it was exported from as `backbone`",
                setting="backbone",
            )
        labels = tuple(Labels.from_dict(values["labels"]).names)
        adapter = read_adapter(values)
        return cls(str(folder), values["strategy"], values["backbone"], labels, adapter)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that a run's record holds."""
        return {
            "folder": self.folder,
            "strategy": self.strategy,
            "backbone": self.backbone,
            "labels": list(self.labels),
        }


MAX_ADAPTED = 8
"""The largest number of classifiers with adapters of which each is the base of another."""


def check_bases(folder: Path, adapter: AdapterSettings) -> None:
    """Check that the bases of adapters end at a model without adapters, before any is loaded.

    Args:
        folder: The folder of the artifact with the adapters.
        adapter: The settings of the adapters.

    Raises:
        ThawlineError: If an artifact is its own base, also through others, or if there are more
            than `MAX_ADAPTED` of them.
        OSError: If the settings of a base cannot be read.
    """
    first, seen = adapter.base, [folder.resolve()]
    base: AdapterSettings | None = adapter
    while base is not None:
        places = (Path(base.base), Path(base.base) / FOLDER)
        place = next((path for path in places if (path / SETTINGS).is_file()), None)
        if place is None:
            return
        is_cycle = place.resolve() in seen
        if is_cycle or len(seen) == MAX_ADAPTED:
            limit = f"more than {MAX_ADAPTED} classifiers with adapters, each the base of another"
            raise ThawlineError(
                f"the backbone '{first}', which the adapters in '{folder}' belong to",
                "adapters whose base leads back to themselves" if is_cycle else limit,
                f"set the adapter's base in {SETTINGS} to the model that they were trained on",
            )
        seen.append(place.resolve())
        base = read_adapter(read_settings(place))
