"""What is slow on a CPU in training, and what stands in for it there.

Attention in bf16: without AMX its backward pass is slower than in fp32 (16 texts of 128 tokens, 4
heads of 32, forward and backward on two cores of an AMD EPYC, torch 2.13: 12.2 ms against 5.5).
Dropout: off Intel's processors torch draws its mask on one core, a number for each element
(1,048,576 elements, forward and backward: 8.0 ms, here 3.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_LOW = (torch.bfloat16, torch.float16)
_MULTI_HEAD = functional.multi_head_attention_forward
_SIGNATURE = signature(_MULTI_HEAD)
_RARE = (
    *("bias_k", "bias_v", "add_zero_attn", "static_k", "static_v"),
    *("need_weights", "attn_mask", "use_separate_proj_weight"),
)
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


def in_fp32(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function without autocast, bf16 tensors in fp32; what is one tensor stays one."""
    exact = {id(value): _exact(value) for value in (*args, *options.values())}
    with torch.autocast("cpu", enabled=False):
        return func(
            *(exact[id(value)] for value in args),
            **{name: exact[id(value)] for name, value in options.items()},
        )


def _exact(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype in _LOW else value


def self_attention(*args: Any, **options: Any) -> tuple[Tensor, Tensor | None]:
    """Compute `functional.multi_head_attention_forward`, its scores alone in fp32.

    That is as torch's own layers call it: one tensor is query, key and value, and nobody asks for
    the weights. Whatever differs from that stays torch's, all of it in fp32.
    """
    call = _SIGNATURE.bind(*args, **options)
    call.apply_defaults()
    given = call.arguments
    states, padding = given["query"], given["key_padding_mask"]
    if (
        not (states is given["key"] is given["value"] and states.dim() == 3)
        or not (padding is None or padding.is_floating_point())
        or (given["training"] and given["dropout_p"] > 0)
        or any(given[name] is not None and given[name] is not False for name in _RARE)
    ):
        attended: tuple[Tensor, Tensor | None] = in_fp32(_MULTI_HEAD, *args, **options)
        return attended
    packed = functional.linear(  # texts before tokens, as they lie in memory
        states.transpose(0, 1), given["in_proj_weight"], given["in_proj_bias"]
    )
    parts = (part.unflatten(2, (given["num_heads"], -1)) for part in packed.chunk(3, dim=2))
    mixed = in_fp32(
        functional.scaled_dot_product_attention,
        *(part.transpose(1, 2) for part in parts),
        attn_mask=None if padding is None else padding[:, None, None],
    )
    joined = mixed.transpose(1, 2).flatten(2)
    projected = functional.linear(joined, given["out_proj_weight"], given["out_proj_bias"])
    return projected.transpose(0, 1), None


_QUICK: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.dropout: dropout,
    functional.scaled_dot_product_attention: partial(
        in_fp32, functional.scaled_dot_product_attention
    ),
    _MULTI_HEAD: self_attention,  # it hides the one above
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
