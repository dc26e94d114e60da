"""Sets that come with Thawline itself, below ``embedded/``: no network and no download."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from thawline.data.sources.folders import files_source
from thawline.data.sources.parts import Source
from thawline.errors import ThawlineError
from thawline.runtime.packages import reinstall

_EMBEDDED = Path(__file__).parents[2] / "embedded"


@dataclass(frozen=True)
class PackagedSet:
    """A set within the package, and what is known of it.

    Attributes:
        folder: its name below ``embedded/``; a file for each split lies there.
        label_names: by label, from 0.
        text: its text column.
        label: its label column.
    """

    folder: str
    label_names: tuple[str, ...]
    text: str = "text"
    label: str = "label"


PACKAGED_SETS: dict[str, PackagedSet] = {
    "thawline/reviews": PackagedSet("reviews", ("neg", "pos")),
}
"""By name. Each folder has a README.md that says where its texts come from, and their terms."""


def packaged_source(name: str, text: str | None, label: str | None) -> Source:
    """Return the splits of a set that comes with this package.

    Args:
        name: one of `PACKAGED_SETS`.
        text: the text column, where the user named one.
        label: the label column, where the user named one.

    Raises:
        ThawlineError: this installation lacks the set's files.
    """
    known = PACKAGED_SETS[name]
    folder = _EMBEDDED / known.folder
    text = known.text if text is None else text
    label = known.label if label is None else label
    source = files_source(folder, text, label) if folder.is_dir() else None
    if source is None:
        raise ThawlineError(
            f"the set '{name}', which comes with the package",
            "an installation without its files",
            reinstall("thawline"),
        )
    parts = {
        split: replace(part, known_names=known.label_names) for split, part in source.parts.items()
    }
    return replace(source, parts=parts)
