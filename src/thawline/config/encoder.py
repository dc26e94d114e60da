"""The settings of the backbone that a fit makes itself, on word vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from thawline.config.ranges import Count

MADE_BACKBONE = "glove"
"""The name of the backbone that is not read from anywhere: it is made for the fit."""

RANDOM_VECTORS = "random"
"""In place of vectors: all of them are drawn."""


@dataclass(frozen=True)
class EncoderConfig:
    """What ``--backbone glove`` makes: word vectors below a small transformer."""

    vectors: str = "glove.6B.50d"  # a packaged name, a file in GloVe's text format, or random
    vector_size: Count = 50  # of random vectors; all others bring their own
    freeze_vectors: bool = False  # whether they stay as they are, under full too
    frequent_words: Annotated[int, Ge(0), Le(2**31 - 1)] = 20_000  # of the vectors, beside train's
    min_count: Count = 5  # in train, of a word that the vectors lack
    width: Count = 128  # of the blocks
    layers: Count = 2  # the number of blocks
    heads: Count = 4  # of attention, in each
    feed_forward: Count = 256  # the width within each
    norm_first: bool = True  # a block's norms before its parts, or after them
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.1  # of embeddings and blocks
    deviation: Annotated[float, Gt(0), Le(10)] = 0.05  # of the weights that are drawn
    vector_deviation: Annotated[float, Gt(0), Le(100)] = 0.4  # of vectors that are drawn
    limit: Count = 512  # tokens of a text, the most that it takes
