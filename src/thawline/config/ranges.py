"""Types and ranges that several settings share. `resolve.py` checks values against them."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from thawline.config.help import Help

Count = Annotated[int, Ge(1), Le(2**31 - 1)]
"""A number of things, at most the largest 32-bit integer, because some libraries use that type."""

Bytes = Annotated[int, Ge(0), Le(2**63 - 1)]
"""A size in bytes. The command line also reads sizes such as 20GB or 512MiB."""

Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
"""A random seed in the range of scikit-learn; torch and NumPy also take larger ones."""

Seeds = tuple[Seed, ...]
"""Several random seeds. The command line also reads their number."""

Sizes = tuple[Count, ...]
"""Several numbers of rows. The command line also reads ``all``, which stands for all rows."""

Duration = Annotated[float, Ge(0), Le(1e9)]
"""A time in seconds. The command line also reads times such as 90s, 10m or 1h30m."""

Share = Annotated[float, Gt(0), Lt(1)]
"""A share of a total, strictly between 0 and 1."""

Fraction = Annotated[float, Ge(0), Lt(1)]
"""A share that may be 0, such as a dropout probability."""

Rate = Annotated[float, Gt(0), Le(1e6)]
"""A factor of a training step, such as a learning rate.

AdamW's first step multiplies a learning rate by ten, and the result must be a finite fp32 number.
Training fails long before that limit.
"""

Penalty = Annotated[float, Ge(0), Le(1e6)]
"""The strength of a penalty on large weights; 0 disables it."""

Device = Annotated[
    str,
    Help(
        "Device to compute on: `cuda`, `mps`, `cpu`, or `auto` for the first of these that is "
        "available."
    ),
]
"""A device of torch. Its value is checked when a command starts to compute."""
