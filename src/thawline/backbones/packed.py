"""Linear layers whose weights are stored in the order in which oneDNN reads them.

Otherwise oneDNN reorders a weight in every product. With packed weights, the products of a block of
MiniLM take 0.85 of the time on a CPU that multiplies bf16 in hardware. Only very small products
have other rounding errors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ROWS = 4_096
"""The number of rows for which weights are packed. Other numbers are as fast."""


class PackedLinear(nn.Linear):
    """A linear layer with packed weights, without gradients.

    Args:
        layer: The layer, whose parameters are shared.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        # Some modules read the parameters of their layers directly.
        self.weight, self.bias = layer.weight, layer.bias
        self.packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), ROWS)
        self.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        """Return the product with the weight, plus the bias."""
        output: Tensor = torch.ops.mkldnn._linear_pointwise(
            input, self.packed, self.bias, "none", [], ""
        )
        return output


def pack_weights(module: nn.Module, device: str) -> None:
    """Replace the linear layers of a module in bf16 on a CPU, in place.

    Nothing is replaced on other devices, in other dtypes, or if this build of torch has no oneDNN.

    Args:
        module: A module that is never trained.
        device: The device of the module: ``cuda``, ``mps`` or ``cpu``.
    """
    if device != "cpu" or not _is_supported():
        return
    for name, layer in list(module.named_modules()):
        if type(layer) is nn.Linear and layer.weight.dtype == torch.bfloat16:
            module.set_submodule(name, PackedLinear(layer))


def _is_supported() -> bool:
    """Return whether oneDNN multiplies bf16 on this CPU and its operators exist in this torch."""
    operators = torch.ops.mkldnn
    names = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
    if not torch.backends.mkldnn.is_available() or not all(hasattr(operators, n) for n in names):
        return False
    return bool(operators._is_mkldnn_bf16_supported())
