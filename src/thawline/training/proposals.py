"""Propose what a fit needs so that a setting has an effect, except what was given already."""

from __future__ import annotations

from collections.abc import Callable

from thawline.strategies import Tapt
from thawline.training.situation import Situation


def add_epochs(*options: str) -> Callable[[Situation], str]:
    """Return a function that proposes training by epochs, together with some options."""

    def fix(situation: Situation) -> str:
        by_epochs = situation.config.training.epochs is not None
        missing = ["`strategy=head`"] if situation.strategy.reads_words else []
        missing += ["`training.epochs=3`"] if situation.is_exact and not by_epochs else []
        verb = "use" if situation.strategy.reads_words else "add"
        return f"{verb} {' and '.join([*missing, *options])}"

    return fix


def solve_head(situation: Situation) -> str:
    """Propose what is missing for an exact fit of a linear head."""
    missing = [] if situation.head.kind == "linear" else ["`head.head=linear`"]
    if not (situation.frozen or situation.head_first):
        missing.append("`strategy=head`")
    by_epochs = situation.config.training.epochs is not None and not situation.head_first
    steps = [f"use {' and '.join(missing)}"] if missing else []
    return " and ".join([*steps, "train without `training.epochs`"] if by_epochs else steps)


def pool_frozen(situation: Situation) -> str:
    """Propose what is missing for a head on pooled states of frozen blocks."""
    missing = [] if situation.frozen or situation.head_first else ["`strategy=head`"]
    missing += ["`head.head=linear`"] if situation.head.kind == "native" else []
    return f"use {' and '.join(missing)}"


def drop_out(situation: Situation) -> str:
    """Propose a head that is trained by epochs and has dropout."""
    if situation.strategy.reads_words:
        return "use `strategy=head` and `head.head=mlp:64`"
    if situation.head.kind == "native":
        return "use `head.head=mlp:64`"
    return "use `head.head=mlp:64`, or add `training.epochs=3` to train a linear head by epochs"


def train_head_first(situation: Situation) -> str:
    """Propose a strategy that trains a head by epochs before other weights."""
    strategy = situation.strategy
    missing = [] if situation.head.kind != "linear" else ["`head.head=mlp:64`"]
    if not situation.head_first:
        blocks = strategy.reads_states and not situation.frozen and not isinstance(strategy, Tapt)
        missing.insert(0, f"`strategy=lp+{strategy if blocks else 'full'}`")
    return f"use for example {' and '.join(missing)}"


def adapt_backbone(situation: Situation) -> str:
    """Propose to train the backbone on its own objective before the strategy."""
    strategy = situation.strategy
    return f"use `strategy=tapt+{'head' if strategy.reads_words else strategy}`"
