"""The replacements for slow kernels on a CPU: the results of torch, where they apply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from thawline.backbones.kernels import FastCpuKernels, dropout
from thawline.backbones.products import Visible, visible_keys


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_its_share_and_scales_the_rest(share: float, dtype: torch.dtype) -> None:
    states = torch.ones(
        401, 503, dtype=dtype
    )  # not a multiple of the elements in one random number
    dropped = dropout(states, share)
    assert dropped.dtype == dtype
    assert float((dropped == 0).float().mean()) == pytest.approx(share, abs=0.005)
    assert float(dropped[dropped != 0].unique()) == pytest.approx(1 / (1 - share), rel=0.01)


def test_dropped_elements_follow_no_pattern() -> None:
    kept = (dropout(torch.ones(2**18), 0.5) > 0).float() - 0.5
    for distance in (1, 2, 3, 4, 8, 64):
        assert abs(float((kept[distance:] * kept[:-distance]).mean())) < 0.002


def test_dropout_passes_gradients_to_the_kept_elements() -> None:
    states = draw(32, 32)
    dropped = dropout(states, 0.3)
    dropped.sum().backward()
    assert states.grad is not None
    assert torch.equal(states.grad != 0, dropped != 0)
    assert float(states.grad.max()) == pytest.approx(1 / 0.7)


@pytest.mark.parametrize(("share", "training"), [(0.0, True), (1.0, True), (0.4, False)])
def test_other_cases_of_dropout_use_torch(share: float, training: bool) -> None:
    states = draw(8, 8)
    expected = functional.dropout(states, share, training)
    assert torch.equal(dropout(states, share, training), expected)


def test_the_same_seed_gives_the_same_mask() -> None:
    masks = []
    for _ in range(2):
        torch.manual_seed(3)
        masks.append(dropout(torch.ones(999), 0.2))
    assert torch.equal(*masks)


def test_dropout_changes_only_with_gradients() -> None:
    states = draw(8, 16)
    with torch.no_grad(), FastCpuKernels():
        torch.manual_seed(1)
        dropped = functional.dropout(states, 0.5)
    torch.manual_seed(1)
    assert torch.equal(dropped, functional.dropout(states, 0.5))


MASKS: dict[str, dict[str, Any]] = {
    "attention dropout": {"dropout_p": 1e-9},
    "bias": {"attn_mask": torch.zeros(2, 1, 19, 19).masked_fill(torch.arange(19) > 15, -1.0)},
    "window": {"attn_mask": (torch.arange(19)[:, None] - torch.arange(19)).abs()[None, None] < 4},
}


@pytest.mark.parametrize("options", MASKS.values(), ids=MASKS)
def test_other_attention_is_that_of_torch_in_fp32(options: dict[str, Any]) -> None:
    states = [draw(2, 4, 19, 8, dtype=torch.bfloat16) for _ in range(3)]
    torch.manual_seed(2)
    with FastCpuKernels():
        attended = functional.scaled_dot_product_attention(*states, **options)
    torch.manual_seed(2)
    exact = functional.scaled_dot_product_attention(*(part.float() for part in states), **options)
    assert torch.equal(attended, exact)


def test_attention_in_fp32_is_that_of_torch() -> None:
    states = [draw(2, 4, 19, 8) for _ in range(3)]
    with FastCpuKernels():
        attended = functional.scaled_dot_product_attention(*states)
    assert torch.equal(attended, functional.scaled_dot_product_attention(*states))


def test_a_mask_is_examined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    examined: list[Any] = []

    def count(query: Tensor, mask: Tensor | None, is_causal: bool) -> Visible | None:
        examined.append(mask)
        return visible_keys(query, mask, is_causal)

    monkeypatch.setattr("thawline.backbones.kernels.visible_keys", count)
    states = [draw(2, 4, 19, 8, dtype=torch.bfloat16) for _ in range(3)]
    mask = (torch.arange(19) < torch.tensor([[19], [7]]))[:, None, None].expand(-1, 1, 19, 19)
    with FastCpuKernels():
        for _ in range(3):
            functional.scaled_dot_product_attention(*states, attn_mask=mask)
    assert len(examined) == 1
