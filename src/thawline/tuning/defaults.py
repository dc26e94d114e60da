"""The default space of a search: the settings of each strategy that vary if the user names none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thawline.strategies import Gradual, Head, Last, Lora, Strategy
from thawline.tuning.dimensions import Dimension


@dataclass(frozen=True)
class Known:
    """What the default space of a strategy depends on.

    Attributes:
        rows: The number of training texts.
        family: The ``model_type`` of the backbone. Empty without one.
        depth: The number of blocks of the backbone. 0 without one.
    """

    rows: int
    family: str = ""
    depth: int = 0


def default_dimensions(strategy: Strategy, known: Known) -> list[Dimension]:
    """Return the settings of a strategy that are searched by default. This is their only place.

    Args:
        strategy: The strategy.
        known: The data and the backbone.
    """
    last = strategy.last
    if not strategy.reads_states:
        return []
    pooling = Dimension("head.pooling", choices=("mean", "first", "last"))
    if strategy.reads_words:
        return [pooling]
    rate = strategy.rate(known.family)
    lr = Dimension("training.lr", float(f"{rate / 10:.3g}"), float(f"{rate * 3:.3g}"), log=True)
    if isinstance(last, Head):
        return [
            Dimension("head.head", choices=("linear", "mlp:32", "mlp:128")),
            Dimension("training.epochs", 3, 12),
            pooling,
            lr,
            Dimension("training.batch_size", choices=_head_batches(known.rows)),
            Dimension("head.dropout", 0.0, 0.5),
        ]
    epochs = (2, 6) if isinstance(last, Gradual) else (1, 4)
    found = [
        Dimension("training.epochs", *epochs),
        pooling,
        lr,
        Dimension("training.batch_size", choices=(8, 16, 32)),
    ]
    if isinstance(last, Last) and known.depth > 1:
        found.append(Dimension("strategy.k", 1, min(4, known.depth)))
    if isinstance(last, Lora):
        found += [
            Dimension("strategy.r", 2, 32, log=True),
            Dimension("strategy.alpha", 8.0, 128.0, log=True),
            Dimension("strategy.dropout", 0.0, 0.3),
        ]
    return found


def _head_batches(rows: int) -> tuple[int, ...]:
    """Return sizes of a step for a head on features: about an eighth of the rows and less.

    A step on features takes about the same time for 16 and for 512 texts.
    """
    largest: int = min(512, max(16, 2 ** round(math.log2(max(1, rows / 8)))))
    return (largest // 4, largest // 2, largest)
