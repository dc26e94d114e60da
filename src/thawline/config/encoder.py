"""The settings of the backbone ``glove``, which `fit` builds on word vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from thawline.config.help import Help
from thawline.config.ranges import Count, Fraction

MADE_BACKBONE = "glove"
"""The name of the backbone that `fit` builds itself instead of loading it."""

RANDOM_VECTORS = "random"
"""The value of `EncoderConfig.vectors` that initialises all word vectors at random."""


@dataclass(frozen=True)
class EncoderConfig:
    """Settings of ``--backbone glove``, a small transformer on top of word vectors."""

    vectors: Annotated[
        str,
        Help(
            "Word vectors of the backbone `glove`: `glove.6B.50d`, a file in GloVe's text format, "
            "or `random`."
        ),
    ] = "glove.6B.50d"
    vector_size: Annotated[Count, Help("Size of a word vector if `vectors` is `random`.")] = 50
    freeze_vectors: Annotated[
        bool, Help("Keep the word vectors frozen, even if the strategy is `full`.")
    ] = False
    frequent_words: Annotated[
        int,
        Ge(0),
        Le(2**31 - 1),
        Help("Number of the vectors' most frequent words to add to the words of train."),
    ] = 20_000
    min_count: Annotated[
        Count, Help("Minimum number of times that a word without a vector must occur in train.")
    ] = 5
    width: Annotated[Count, Help("Width of the blocks.")] = 128
    layers: Annotated[Count, Help("Number of blocks.")] = 2
    heads: Annotated[Count, Help("Number of attention heads in each block.")] = 4
    feed_forward: Annotated[Count, Help("Width of the feed-forward layer in each block.")] = 256
    norm_first: Annotated[
        bool, Help("Apply the norms of a block before attention and feed-forward, not after them.")
    ] = True
    dropout: Annotated[Fraction, Help("Dropout of the embeddings and blocks.")] = 0.1
    deviation: Annotated[
        float, Gt(0), Le(10), Help("Standard deviation of randomly initialised weights.")
    ] = 0.05
    vector_deviation: Annotated[
        float, Gt(0), Le(100), Help("Standard deviation of randomly initialised word vectors.")
    ] = 0.4
    limit: Annotated[Count, Help("Maximum number of tokens that the model can read.")] = 512
