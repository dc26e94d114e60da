"""Ranges of settings, written once: what `settings.py` holds a value against."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

Count = Annotated[int, Ge(1), Le(2**31 - 1)]
"""How many of something; what is above this no library here can count to."""

Bytes = Annotated[int, Ge(0), Le(2**63 - 1)]
"""A size. The command line reads one as people write it, 20GB or 512MiB."""

Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
"""The seeds that scikit-learn takes; torch and NumPy's generators take larger ones too."""

Share = Annotated[float, Gt(0), Lt(1)]
"""A part of a whole: never nothing and never all of it."""

Rate = Annotated[float, Gt(0), Le(1e6)]
"""A factor of a training step. AdamW's first step multiplies a learning rate by ten, and that must
still be a finite fp32 number; nothing is learnt long before it is not."""

Penalty = Annotated[float, Ge(0), Le(1e6)]
"""How strongly large weights are held down, 0 not at all."""
