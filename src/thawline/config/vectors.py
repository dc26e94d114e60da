"""The settings of ``thawline vectors``, which trains word vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from thawline.config.base import AnyConfig
from thawline.config.data import TextColumn
from thawline.config.help import Help
from thawline.config.ranges import Count, Seed


@dataclass(frozen=True)
class TextsConfig:
    """Where the texts come from."""

    data: Annotated[
        str | None,
        Help(
            "Texts: a file, a folder, a data set's name or a hub id. Labels are ignored.",
            metavar="SET",
        ),
    ] = None
    text: TextColumn = None


@dataclass(frozen=True)
class VectorsConfig(AnyConfig):
    """All settings of `vectors`, which trains the skip-gram model with negative sampling."""

    method: Annotated[
        Literal["word2vec", "fasttext"],
        Help("Method: `word2vec`, or `fasttext`, which also learns from parts of words."),
    ] = "word2vec"
    width: Annotated[int, Ge(1), Le(10_000), Help("Size of a word vector.", metavar="N")] = 50
    min_count: Annotated[
        Count, Help("Minimum number of times that a word must occur in the texts.", metavar="N")
    ] = 5
    window: Annotated[
        int, Ge(1), Le(1_000), Help("Number of words to predict on each side of a word.")
    ] = 5
    negatives: Annotated[
        int, Ge(1), Le(1_000), Help("Number of random words to contrast with each true word.")
    ] = 5
    epochs: Annotated[Count, Help("Number of times that the texts are read.", metavar="N")] = 5
    lr: Annotated[
        float, Gt(0), Le(1), Help("Initial learning rate. It decays to 0.", metavar="RATE")
    ] = 0.025
    workers: Annotated[
        int,
        Ge(1),
        Le(1_024),
        Help("Number of threads. With more than one, results are not reproducible."),
    ] = 1
    seed: Annotated[
        Seed, Help("Random seed of the initial vectors and of sampling.", metavar="N")
    ] = 0
    data: TextsConfig = TextsConfig()
