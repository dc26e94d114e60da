"""Random numbers that do not depend on other threads and leave torch's global state unchanged.

Most functions of torch that draw random numbers, such as dropout, always draw from a generator that
the whole process shares. Two fits in two threads would disturb each other, and each would change
the random numbers of the program that calls it. A `RandomStream` draws from generators of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_LOCK = threading.RLock()
"""Held while torch's global generators are replaced, and while a model is built.

transformers replaces torch's functions for initialising weights while it loads a model, which would
leave the weights uninitialised that another thread builds at the same time.
"""


class RandomStream:
    """A sequence of random numbers for one training, one on each device.

    On a CPU the numbers are those that torch's global generator gives after
    ``torch.manual_seed(seed)``.

    Args:
        seed: The random seed.
        device: The device of the training: ``cpu``, ``cuda`` or ``mps``.
    """

    def __init__(self, seed: int, device: str = "cpu") -> None:
        devices = dict.fromkeys(("cpu", device))
        self._generators = {name: torch.Generator(name).manual_seed(seed) for name in devices}

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Let everything inside the ``with`` block draw from this stream, one thread at a time.

        torch's global generators have their own state again after the block.
        """
        with _LOCK:
            kept = {device: _global_state(device) for device in self._generators}
            for device, generator in self._generators.items():
                _set_global_state(device, generator.get_state())
            try:
                yield
            finally:
                for device, generator in self._generators.items():
                    generator.set_state(_global_state(device))
                    _set_global_state(device, kept[device])

    def training(self) -> AbstractContextManager[Any]:
        """Let the forward passes inside the ``with`` block draw from this stream.

        On a CPU several threads can train at the same time, because only the functions that draw
        random numbers are redirected. An accelerator runs one forward pass after the other anyway,
        so there the complete block uses `drawing`.
        """
        return _Redirected(self) if len(self._generators) == 1 else self.drawing()

    def spawn(self, number: int) -> list[RandomStream]:
        """Return new streams on the CPU, whose seeds are drawn from this stream.

        Args:
            number: The number of streams, for example one for each thread.
        """
        seeds = torch.randint(2**63 - 1, (number,), generator=self.cpu)
        return [RandomStream(seed) for seed in seeds.tolist()]

    @property
    def cpu(self) -> torch.Generator:
        """The generator of the CPU."""
        return self._generators["cpu"]

    def states(self) -> dict[str, Tensor]:
        """Return the state of the stream, as tensors of bytes under ``random.`` and the device."""
        return {f"random.{name}": each.get_state() for name, each in self._generators.items()}

    def restore(self, states: Mapping[str, Tensor]) -> None:
        """Continue from a saved state.

        Args:
            states: The tensors from `states`, without the prefix ``random.``. Tensors of other
                devices are ignored.
        """
        for device, generator in self._generators.items():
            generator.set_state(states[device].cpu())


def building() -> AbstractContextManager[None]:
    """Build or load models inside the ``with`` block, one thread at a time.

    Weights that are initialised randomly have the same values each time. torch's global generators
    are left unchanged.
    """
    return RandomStream(0).drawing()


def _global_state(device: str) -> Tensor:
    return torch.get_rng_state() if device == "cpu" else getattr(torch, device).get_rng_state()


def _set_global_state(device: str, state: Tensor) -> None:
    (torch if device == "cpu" else getattr(torch, device)).set_rng_state(state)


_WITH_GENERATOR = frozenset((Tensor.random_, Tensor.bernoulli_, Tensor.uniform_, Tensor.normal_))
"""Functions that draw random numbers from a generator that the caller may choose."""

_FROM_GLOBAL = frozenset(
    (
        functional.dropout,
        functional.dropout1d,
        functional.dropout2d,
        functional.dropout3d,
        functional.alpha_dropout,
        functional.feature_alpha_dropout,
        functional.rrelu,
        functional.gumbel_softmax,
        functional.multi_head_attention_forward,
        torch.rand,
        torch.randn,
        torch.randint,
        torch.randperm,
        torch.rand_like,
        torch.randn_like,
        torch.bernoulli,
        torch.multinomial,
        torch.normal,
        torch.dropout,
    )
)
"""Functions whose random numbers, directly or inside, come from torch's global generator."""


class _Redirected(TorchFunctionMode):
    """A context manager that redirects torch's random functions of this thread to a stream."""

    def __init__(self, stream: RandomStream) -> None:
        super().__init__()
        self._stream = stream

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch with the random numbers of the stream."""
        given = dict(kwargs or {})
        if func in _WITH_GENERATOR:
            if given.get("generator") is None:
                given["generator"] = self._stream.cpu
        elif func in _FROM_GLOBAL or _drops_attention(func, args, given):
            with self._stream.drawing():
                return func(*args, **given)
        return func(*args, **given)


def _drops_attention(func: Any, args: tuple[Any, ...], given: Mapping[str, Any]) -> bool:
    """Return whether a call computes attention with dropout, which is its fifth argument."""
    if func is not functional.scaled_dot_product_attention:
        return False
    return bool(args[4] if len(args) > 4 else given.get("dropout_p", 0.0))
