"""Thaw the stages of a classifier one after the other, each with a learning rate of its own.

Howard and Ruder (2018, arXiv 1801.06146) describe gradual unfreezing and discriminative rates.
"""

from __future__ import annotations

from collections.abc import Mapping

from thawline.backbones.stack import Stack
from thawline.strategies import LAYER_DECAY, Gradual
from thawline.training.suffix import Suffix


class Thawing:
    """The stages that train in each epoch, and their learning rates.

    Args:
        suffix: The module to train. All stages from its thaw line on must require gradients.
        strategy: The strategy, with its number of stages.
    """

    def __init__(self, suffix: Suffix, strategy: Gradual) -> None:
        self._suffix, self._strategy = suffix, strategy
        self._stack = Stack(suffix.model.base_model)

    def start(self, epoch: int) -> None:
        """Let the stages of an epoch train, and freeze the stages before them.

        Args:
            epoch: The number of the epoch, counting from 1.
        """
        self._suffix.thaw(self._strategy.first_trained(self._stack.depth, epoch))

    def stages(self, epoch: int) -> int:
        """Return the number of stages that train in an epoch, counting from 1."""
        depth = self._stack.depth
        return depth + 1 - self._strategy.first_trained(depth, epoch)

    def factors(self) -> Mapping[int, float]:
        """Return the factor of the learning rate by the ``id`` of each parameter of the stages.

        It is 1 for the last block. Other parameters, which are those of the head, have none.
        """
        depth = self._stack.depth
        return {
            id(parameter): LAYER_DECAY ** (stage - depth)
            for stage in range(depth + 1)
            for module in self._stack.modules_of(stage)
            for parameter in module.parameters()
        }
