"""Define the strategies: where the thaw line lies and what trains above it.

In Python a strategy is a frozen object. Its written form is a string with the same fields.
`parse_strategy` checks the values of the fields; the constructors do not.
"""

from thawline.strategies.kinds import (
    LAYER_DECAY,
    BitFit,
    Full,
    Gradual,
    Head,
    HeadFirst,
    HeadTfidf,
    Last,
    Lora,
    Strategy,
    Tapt,
    Tfidf,
)
from thawline.strategies.written import MAX_ALPHA, as_strategy, parse_strategy

__all__ = [
    "LAYER_DECAY",
    "MAX_ALPHA",
    "BitFit",
    "Full",
    "Gradual",
    "Head",
    "HeadFirst",
    "HeadTfidf",
    "Last",
    "Lora",
    "Strategy",
    "Tapt",
    "Tfidf",
    "as_strategy",
    "parse_strategy",
]
