"""Views of a model, in which some blocks run differently.

A view is a shallow copy of the model with stand-ins for some blocks. It shares all parameters with
the model and leaves it unchanged. A hook would belong to the model instead, so that the forward
passes of two threads would mix up their states.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from thawline.backbones.first_token import FirstToken

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""The positional and the keyword arguments of a block, one of which are the states."""

Run = Callable[[nn.Module, Arguments], Any]
"""A function that takes a block and its arguments, and returns the output of the block."""


class Stage(nn.Module):
    """A stand-in for a block in a view of a model.

    Args:
        block: The block, which is shared with the model.
        run: Runs the block, or something in its place.
    """

    def __init__(self, block: nn.Module, run: Run) -> None:
        super().__init__()
        # As plain attributes, so that neither the block nor the model is changed.
        self.__dict__["block"], self.__dict__["run"] = block, run

    def __getattr__(self, name: str) -> Any:
        # For example, ModernBERT and Qwen3 look up each block's mask by its `attention_type`.
        return getattr(self.__dict__["block"], name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the block, or something in its place."""
        return self.run(self.block, (args, kwargs))


class Reached(Exception):
    """An exception that stops a forward pass at the thaw line and holds the states there."""

    def __init__(self, states: Tensor) -> None:
        self.states = states


def skip(block: nn.Module, arguments: Arguments) -> Tensor:
    """Return the states that enter a block, without running it."""
    return _entering(arguments)


def stop(block: nn.Module, arguments: Arguments) -> Any:
    """Stop the forward pass before a block."""
    raise Reached(_entering(arguments))


def _entering(arguments: Arguments) -> Tensor:
    """Return the states among the arguments of a block."""
    args, kwargs = arguments
    states: Tensor = args[0] if args else kwargs["hidden_states"]
    return states


def enter(states: Tensor) -> Run:
    """Return a function that runs a block on given states instead of those that enter it."""

    def run(block: nn.Module, arguments: Arguments) -> Any:
        args, kwargs = arguments
        if args:
            return block(states, *args[1:], **kwargs)
        return block(**{**kwargs, "hidden_states": states})

    return run


def for_first_token(function: FirstToken, states: Tensor | None) -> Run:
    """Return a function that runs a block for the first token of each text alone.

    Args:
        function: Runs a block of the family in this way.
        states: States that replace those that enter the block. None if nothing is replaced.
    """

    def run(block: nn.Module, arguments: Arguments) -> Tensor:
        args, kwargs = arguments
        mask = args[1] if len(args) > 1 else kwargs.get("attention_mask")
        return function(block, _entering(arguments) if states is None else states, mask)

    return run


def visiting(
    visit: Callable[[int, Tensor], None], stage: int, *, last: bool, states: Tensor | None = None
) -> Run:
    """Return a function that runs a block and visits its output, and the first block's input.

    Args:
        visit: Function of a stage and its states.
        stage: The stage of the block.
        last: Whether it is the last block that runs, whose output the caller visits.
        states: States that replace those that enter the block. They are not visited. None if
            nothing is replaced.
    """

    def run(block: nn.Module, arguments: Arguments) -> Any:
        if states is None and stage == 1:
            visit(0, _entering(arguments))
        output = run_block(block, arguments)
        if not last:
            visit(stage, output[0] if isinstance(output, tuple) else output)
        return output

    run_block = _run_unchanged if states is None else enter(states)
    return run


def _run_unchanged(block: nn.Module, arguments: Arguments) -> Any:
    args, kwargs = arguments
    return block(*args, **kwargs)


def with_modules(module: nn.Module, modules: Mapping[str, nn.Module]) -> Any:
    """Return a shallow copy of a module in which some submodules are replaced."""
    copied = copy.copy(module)
    copied._modules = {**module._modules, **modules}
    return copied
