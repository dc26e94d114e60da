"""The settings of ``thawline vectors``, which trains word vectors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from thawline.config.ranges import Count, Seed


@dataclass(frozen=True)
class TextsConfig:
    """Where the texts come from."""

    data: str | None = None  # a set's name, a hub id, a file or a folder; labels are not read
    text: str | None = None  # the text column, or two for pairs: a,b; None: by the common names


@dataclass(frozen=True)
class VectorsConfig:
    """Word vectors by the skip-gram model with negative samples."""

    method: Literal["word2vec", "fasttext"] = "word2vec"  # fasttext learns from parts of words too
    width: Annotated[int, Ge(1), Le(10_000)] = 50  # numbers of a vector
    min_count: Count = 5  # of a word in the texts
    window: Annotated[int, Ge(1), Le(1_000)] = 5  # words on each side that a word is to foretell
    negatives: Annotated[int, Ge(1), Le(1_000)] = 5  # words drawn against each that stands there
    epochs: Count = 5
    lr: Annotated[float, Gt(0), Le(1)] = 0.025  # at the start; it falls to 0
    workers: Annotated[int, Ge(1), Le(1_024)] = 1  # threads; with more no two runs are alike
    seed: Seed = 0
    data: TextsConfig = TextsConfig()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values."""
        return asdict(self)
