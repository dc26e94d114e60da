"""Describe the parts of a fit that decide whether a setting has an effect."""

from __future__ import annotations

from dataclasses import dataclass

from thawline.config import EPOCHS, Config
from thawline.models.specs import HeadSpec, parse_head
from thawline.strategies import Head, Strategy, parse_strategy


@dataclass(frozen=True)
class Situation:
    """The parts of a fit that decide whether a setting has an effect.

    Attributes:
        config: The settings.
        strategy: The strategy.
        head: The head.
        depth: The number of blocks of the backbone. None if it is not known yet.
    """

    config: Config
    strategy: Strategy
    head: HeadSpec
    depth: int | None = None

    @classmethod
    def of(cls, config: Config, depth: int | None = None) -> Situation:
        """Return the situation that a config describes."""
        return cls(config, parse_strategy(config.strategy), parse_head(config.head.head), depth)

    @property
    def head_first(self) -> bool:
        """Whether the head is trained alone before the strategy."""
        return self.strategy.head_first

    @property
    def frozen(self) -> bool:
        """Whether only the head is trained."""
        return isinstance(self.strategy.last, Head)

    @property
    def is_exact(self) -> bool:
        """Whether nothing is trained by epochs."""
        linear = self.head.kind == "linear"
        if not self.strategy.reads_states:
            return True
        return self.frozen and linear and self.config.training.epochs is None

    @property
    def solves_head(self) -> bool:
        """Whether a linear head on states is solved exactly, alone or before the strategy."""
        return (self.is_exact and self.strategy.reads_states) or (
            self.head_first and self.head.kind == "linear"
        )

    @property
    def stores(self) -> bool:
        """Whether the store holds states for this fit."""
        if self.frozen or self.head_first:
            return True
        if not self.strategy.reads_states:
            return False
        # The outputs of the embeddings are not stored.
        return self.line > 1

    @property
    def line(self) -> int:
        """The thaw line. If the backbone is not known yet, that of a very deep one."""
        depth = 10**6 if self.depth is None else self.depth
        epochs = self.config.training.epochs
        return self.strategy.planned(depth, EPOCHS if epochs is None else epochs).line(depth)
