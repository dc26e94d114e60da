"""Linear layers whose weights are stored in the order in which oneDNN reads them.

Otherwise oneDNN reorders a weight in every product. With packed weights, the products of a block of
MiniLM take 0.85 of the time on a CPU that multiplies bf16 in hardware. Only very small products
have other rounding errors.

In fp32, torch multiplies with MKL, which does not use AVX-512 on processors of AMD. There, oneDNN
takes 0.45 of the time.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

ROWS = 4_096
"""The number of rows for which weights are packed. Other numbers are as fast."""


Module = TypeVar("Module", bound=nn.Module)


class PackedLinear(nn.Linear):
    """A linear layer with packed weights, without gradients.

    The weights are packed when they are first used, because not every layer of a model may run.

    Args:
        layer: The layer, whose parameters are shared.
        dtype: The dtype in which it multiplies. If None, that of its weights.
    """

    def __init__(self, layer: nn.Linear, dtype: torch.dtype | None = None) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        # Some modules read the parameters of their layers directly.
        self.weight, self.bias = layer.weight, layer.bias
        self._dtype = layer.weight.dtype if dtype is None else dtype
        self._packed: tuple[Tensor, Tensor | None] | None = None
        self.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        """Return the product with the weight, plus the bias."""
        if self._packed is None:  # several threads may do this at the same time, with one result
            weight = self.weight.detach().to(self._dtype)
            bias = None if self.bias is None else self.bias.detach().to(self._dtype)
            self._packed = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS), bias
        output: Tensor = torch.ops.mkldnn._linear_pointwise(
            input.to(self._dtype), *self._packed, "none", [], ""
        )
        return output


def pack_weights(module: nn.Module, device: str) -> None:
    """Replace the linear layers of a module in bf16 on a CPU, in place.

    Nothing is replaced on other devices, in other dtypes, or if this build of torch has no oneDNN.

    Args:
        module: A module that is never trained.
        device: The device of the module: ``cuda``, ``mps`` or ``cpu``.
    """
    if device != "cpu" or not _is_supported(torch.bfloat16):
        return
    for name, layer in list(module.named_modules()):
        if type(layer) is nn.Linear and layer.weight.dtype == torch.bfloat16:
            module.set_submodule(name, PackedLinear(layer))


def packed_copy(module: Module, dtype: torch.dtype, device: str) -> Module:
    """Return a copy of a module for inference, with packed linear layers if they are faster.

    The copy shares the parameters. In bf16 it must run under autocast.

    Args:
        module: A module in fp32.
        dtype: The dtype in which linear layers multiply.
        device: The device on which the module will run: ``cuda``, ``mps`` or ``cpu``.
    """
    if device != "cpu" or not _is_supported(dtype):
        return module
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    copied = copy.deepcopy(module, dict(shared))
    for name, layer in list(copied.named_modules()):
        if type(layer) is nn.Linear and layer.weight.dtype == torch.float32:
            copied.set_submodule(name, PackedLinear(layer, dtype))
    return copied


def _is_supported(dtype: torch.dtype) -> bool:
    """Return whether oneDNN multiplies fast on this CPU and its operators exist in this torch."""
    operators = torch.ops.mkldnn
    names = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
    if not torch.backends.mkldnn.is_available() or not all(hasattr(operators, n) for n in names):
        return False
    if dtype == torch.float32:
        return torch.backends.cpu.get_cpu_capability().startswith("AVX")
    return bool(operators._is_mkldnn_bf16_supported())
