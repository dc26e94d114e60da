"""What is slow on a CPU in training, and what stands in for it there.

Attention in bf16: without AMX its backward pass is slower than in fp32 (16 texts of 128 tokens, 4
heads of 32, forward and backward on two cores of an AMD EPYC, torch 2.13: 12.2 ms against 5.5).
Dropout: off Intel's processors torch draws its mask on one core, a number for each element
(1,048,576 elements, forward and backward: 8.0 ms, here 3.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_LOW = (torch.bfloat16, torch.float16)
_BITS = 16
_PER_DRAW = 64 // _BITS


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Compute `functional.dropout`; a draw of 64 bits serves four elements.

    Args:
        input: of any shape, on a CPU.
        p: the share to set to 0, met to 2⁻¹⁷; the others are scaled up.
        training: False: nothing is dropped.
        inplace: left to torch, as is a ``p`` of 0 or 1.
    """
    if inplace or not training or not 0 < p < 1:
        return functional.dropout(input, p, training, inplace)
    draws = torch.empty(-(-input.numel() // _PER_DRAW), dtype=torch.int64)
    bits = draws.random_(-(2**63), None).view(torch.int16)[: input.numel()].view(input.shape)
    kept = bits >= round(p * 2**_BITS) - 2 ** (_BITS - 1)
    scaled: Tensor = input * kept.to(input.dtype).mul_(1 / (1 - p))
    return scaled


def attention(*args: Any, **options: Any) -> Tensor:
    """Compute `functional.scaled_dot_product_attention` without autocast, bf16 tensors in fp32."""
    with torch.autocast("cpu", enabled=False):
        return functional.scaled_dot_product_attention(
            *map(_exact, args), **{name: _exact(value) for name, value in options.items()}
        )


def _exact(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype in _LOW else value


_QUICK: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.dropout: dropout,
    functional.scaled_dot_product_attention: attention,
}


class QuickOnCpu(TorchFunctionMode):
    """Within it a CPU trains by the functions above.

    Without gradients nothing changes: what is predicted is computed in one way, whether by a
    training or by a saved classifier.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or what stands in for it."""
        quick = _QUICK.get(func, func) if torch.is_grad_enabled() else func
        return quick(*args, **kwargs or {})
