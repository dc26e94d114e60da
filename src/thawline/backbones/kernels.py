"""Faster replacements for two operations of torch that are slow on a CPU.

Attention in bf16 (`thawline.backbones.products`): torch's flash kernel computes in small fp32
tiles, and its backward pass is slower still. Plain matrix products with a softmax between them take
0.4 of the time of fp32 attention.

Dropout: on processors that are not Intel's, torch generates the mask on one core, with one random
number for each element. Forward and backward of 1,048,576 elements take 8.0 ms, and 3.6 ms with the
replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from thawline.backbones.products import Visible, attend_to, visible_keys

_BITS = 16  # random bits for each element
_ELEMENTS_PER_NUMBER = 64 // _BITS


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Apply dropout as `functional.dropout` does, with one random number for four elements.

    Args:
        input: A tensor of any shape on a CPU.
        p: The probability of setting an element to 0, rounded to a multiple of 2⁻¹⁶. The other
            elements are scaled up. If ``p`` is 0 or 1, torch's own function is called.
        training: If False, nothing is dropped.
        inplace: If True, torch's own function is called.

    Returns:
        A tensor of the same shape and dtype as the input.
    """
    if inplace or not training or not 0 < p < 1:
        return functional.dropout(input, p, training, inplace)
    numbers = torch.empty(-(-input.numel() // _ELEMENTS_PER_NUMBER), dtype=torch.int64)
    bits = numbers.random_(-(2**63), None).view(torch.int16)[: input.numel()].view(input.shape)
    kept = bits >= round(p * 2**_BITS) - 2 ** (_BITS - 1)
    scaled: Tensor = input * kept.to(input.dtype).mul_(1 / (1 - p))
    return scaled


def fast_kernels(device: str) -> AbstractContextManager[object]:
    """Return a context manager that replaces slow functions of torch on a device.

    Args:
        device: The device: ``cuda``, ``mps`` or ``cpu``.
    """
    return FastCpuKernels() if device == "cpu" else nullcontext()


class FastCpuKernels(TorchFunctionMode):
    """A context manager that replaces torch's dropout and attention on a CPU.

    Attention is replaced in bf16 only, with and without gradients, so that a classifier gives the
    same predictions during training and after it is saved. If tokens are hidden in another way than
    by padding or causality, or if attention weights are dropped, training uses torch's attention in
    fp32, whose backward pass is faster than that in bf16.
    """

    def __init__(self) -> None:
        super().__init__()
        self._visible: dict[int, tuple[Tensor, Visible | None]] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or its replacement."""
        options = kwargs or {}
        if func is functional.dropout and torch.is_grad_enabled():
            return dropout(*args, **options)
        if func is functional.scaled_dot_product_attention:
            return self._attention(*args, **options)
        return func(*args, **options)

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Compute `functional.scaled_dot_product_attention`."""
        low = query.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu")
        visible = None
        if low and not dropout_p and query.dim() == 4 and query.shape[2] == key.shape[2]:
            visible = self._keys(query, attn_mask, is_causal)
        if visible is not None:
            if enable_gqa:
                key, value = (
                    tensor.repeat_interleave(query.shape[1] // tensor.shape[1], 1)
                    for tensor in (key, value)
                )
            return attend_to(query, key, value, visible, scale)
        in_fp32 = low and torch.is_grad_enabled()
        if in_fp32:
            query, key, value = query.float(), key.float(), value.float()
            if attn_mask is not None and attn_mask.is_floating_point():
                attn_mask = attn_mask.float()
        with torch.autocast("cpu", enabled=low and not in_fp32):
            return functional.scaled_dot_product_attention(
                query,
                key,
                value,
                attn_mask,
                dropout_p,
                is_causal,
                scale=scale,
                enable_gqa=enable_gqa,
            )

    def _keys(self, query: Tensor, mask: Tensor | None, is_causal: bool) -> Visible | None:
        """Return what `visible_keys` returns, which is the same for all blocks with one mask."""
        if mask is None:
            return visible_keys(query, None, is_causal)
        if id(mask) not in self._visible:
            # The mask is kept, so that no other tensor gets its id.
            self._visible[id(mask)] = mask, visible_keys(query, mask, is_causal)
        return self._visible[id(mask)][1]
