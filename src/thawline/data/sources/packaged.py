"""Read the data sets in the folder ``embedded/`` of the package, without network access."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from thawline.data.sources.files import DEFAULT_LIMITS
from thawline.data.sources.folders import files_source
from thawline.data.sources.parts import Source
from thawline.errors import ThawlineError
from thawline.runtime.packages import reinstall

_EMBEDDED = Path(__file__).parents[2] / "embedded"


@dataclass(frozen=True)
class PackagedSet:
    """A data set in the package, with its known properties.

    Attributes:
        folder: The name of a folder in ``embedded/`` that holds one file for each split.
        label_names: The class names by label, from 0.
        text: The text column.
        label: The label column.
    """

    folder: str
    label_names: tuple[str, ...]
    text: str = "text"
    label: str = "label"


PACKAGED_SETS: dict[str, PackagedSet] = {
    "thawline/reviews": PackagedSet("reviews", ("neg", "pos")),
}
"""The data sets by name. The README.md in each folder states the origin and terms of the texts."""


def packaged_source(name: str, text: str | None, label: str | None) -> Source:
    """Return the splits of a data set in the package.

    Args:
        name: A name in `PACKAGED_SETS`.
        text: The text column that the user named, or None.
        label: The label column that the user named, or None.

    Raises:
        ThawlineError: If the files of the data set are missing in this installation.
    """
    known = PACKAGED_SETS[name]
    folder = _EMBEDDED / known.folder
    text = known.text if text is None else text
    label = known.label if label is None else label
    source = files_source(folder, text, label, DEFAULT_LIMITS) if folder.is_dir() else None
    if source is None:
        raise ThawlineError(
            f"the data set '{name}', which is part of the package",
            "an installation without its files",
            reinstall("thawline"),
        )
    parts = {
        split: replace(part, known_names=known.label_names) for split, part in source.parts.items()
    }
    return replace(source, parts=parts)
