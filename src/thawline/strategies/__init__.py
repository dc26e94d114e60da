"""Define the strategies: where the thaw line lies and what trains above it.

In Python a strategy is a frozen object. Its written form is a string with the same fields.
`parse_strategy` checks the values of the fields; the constructors do not.
"""

from thawline.strategies.kinds import Full, Gradual, Head, HeadFirst, Last, Lora, Strategy
from thawline.strategies.written import (
    MAX_ALPHA,
    as_strategy,
    check_implemented,
    parse_strategy,
)

__all__ = [
    "MAX_ALPHA",
    "Full",
    "Gradual",
    "Head",
    "HeadFirst",
    "Last",
    "Lora",
    "Strategy",
    "as_strategy",
    "check_implemented",
    "parse_strategy",
]
