"""Packed linear layers give the bits of plain ones."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from transformers import AutoModel

from tests.support.toys import FAMILIES, as_inputs, toy_config
from thawline.backbones.kernels import FastCpuKernels
from thawline.backbones.packed import PackedLinear, pack_weights, packed_copy
from thawline.backbones.packed import _is_supported as is_supported
from thawline.backbones.stack import Stack

pytestmark = pytest.mark.skipif(
    not is_supported(torch.bfloat16), reason="this CPU does not multiply bf16"
)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_states_are_close_to_those_of_the_plain_layers(family: str) -> None:
    plain = AutoModel.from_config(toy_config(family)).to(torch.bfloat16).eval()
    packed = copy.deepcopy(plain)
    pack_weights(packed, "cpu")
    assert any(isinstance(module, PackedLinear) for module in packed.modules())
    assert [n for n, _ in packed.named_parameters()] == [n for n, _ in plain.named_parameters()]
    ids, mask = torch.full((3, 7), 5), torch.ones(3, 7, dtype=torch.long)
    mask[1, 4:] = 0
    with torch.inference_mode(), FastCpuKernels():
        found, expected = (Stack(m).pooled(as_inputs(ids, mask)) for m in (packed, plain))
    assert (found - expected).norm() < 0.01 * expected.norm()


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_gives_the_same_values(bias: bool) -> None:
    layer, states = nn.Linear(64, 48, bias=bias).bfloat16(), torch.randn(2, 5, 64).bfloat16()
    with torch.inference_mode():
        for given in (states, states[:, :1], states.transpose(0, 1)):
            torch.testing.assert_close(
                PackedLinear(layer)(given), layer(given), rtol=0.02, atol=0.01
            )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_layers_in_fp32_and_on_other_devices_stay(device: str) -> None:
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    module = nn.Sequential(nn.Linear(8, 8)).to(dtype)
    pack_weights(module, device)
    assert type(module[0]) is nn.Linear


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_copy_for_inference_shares_the_weights(family: str, dtype: torch.dtype) -> None:
    plain = AutoModel.from_config(toy_config(family)).eval()
    packed = packed_copy(plain, dtype, "cpu")
    assert any(isinstance(module, PackedLinear) for module in packed.modules())
    assert not any(isinstance(module, PackedLinear) for module in plain.modules())
    pairs = zip(packed.named_parameters(), plain.named_parameters(), strict=True)
    assert all(first[0] == second[0] and first[1] is second[1] for first, second in pairs)
    ids, mask = torch.full((3, 7), 5), torch.ones(3, 7, dtype=torch.long)
    mask[1, 4:] = 0
    low = torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)
    with torch.inference_mode(), low, FastCpuKernels():
        found, expected = (Stack(m).pooled(as_inputs(ids, mask)) for m in (packed, plain))
    least = 0.01 if dtype == torch.bfloat16 else 1e-5
    assert (found - expected).norm() < least * expected.norm()


def test_no_copy_on_other_devices() -> None:
    module = nn.Sequential(nn.Linear(8, 8))
    assert packed_copy(module, torch.float32, "cuda") is module
