"""Attention as matrix products: outputs and gradients of torch's attention in fp32."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from thawline.backbones import products
from thawline.backbones.products import Visible, attend_to, visible_keys

HEADS, WIDTH = 3, 16

LENGTHS = {
    "short": (40, 40, 40),
    "short and padded": (40, 17, 1),
    "long": (150, 150),
    "long and padded": (260, 130, 97, 1),
}


def draw(lengths: tuple[int, ...], size: float = 1.0) -> list[Tensor]:
    """Return queries, keys and values, ``(batch, heads, tokens, width)``, in bf16."""
    generator = torch.Generator().manual_seed(0)
    shape = (len(lengths), HEADS, max(lengths), WIDTH)
    scales = (size, size, 1.0)
    states = [scale * torch.randn(shape, generator=generator) for scale in scales]
    return [part.bfloat16().requires_grad_() for part in states]


def mask_of(lengths: tuple[int, ...], causal: bool) -> Tensor:
    """Return the mask that transformers makes, ``(batch, 1, tokens, tokens)``."""
    positions = torch.arange(max(lengths))
    mask = (positions < torch.tensor(lengths)[:, None])[:, None, None]
    if causal:
        mask = mask & (positions <= positions[:, None])
    return mask.expand(-1, 1, max(lengths), -1)


def run(function: Any, states: list[Tensor], lengths: tuple[int, ...]) -> list[Tensor]:
    """Return the attended values of real tokens, and the gradients of all three inputs."""
    real = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None])[:, None, :, None]
    attended = function(*states) * real
    factors = torch.linspace(-1, 2, attended.numel()).view(attended.shape)
    gradients = torch.autograd.grad((attended.float() * factors).sum(), states)
    return [attended.detach(), *gradients]


def assert_close(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        difference = float((one.float() - other.float()).norm() / other.float().norm())
        assert difference < 0.015  # bf16 has 8 significant bits


@pytest.mark.parametrize("safe", [(0.0, 1e30), (0.0, 0.0)], ids=["small scores", "large scores"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_outputs_and_gradients_equal_fp32(
    monkeypatch: pytest.MonkeyPatch,
    lengths: tuple[int, ...],
    causal: bool,
    safe: tuple[float, float],
) -> None:
    monkeypatch.setattr(products, "SAFE_TOTALS", safe)
    states, mask = draw(lengths), mask_of(lengths, causal)
    visible = visible_keys(states[0], mask, False)
    assert visible == Visible(list(lengths), causal)
    found = run(lambda *states: attend_to(*states, visible), states, lengths)
    exact = [part.detach().float().requires_grad_() for part in states]
    expected = run(
        lambda *states: scaled_dot_product_attention(*states, attn_mask=mask), exact, lengths
    )
    assert_close(found, expected)


def test_the_scale_is_that_of_the_call() -> None:
    lengths = (120, 50)
    states, mask = draw(lengths), mask_of(lengths, False)
    found = run(lambda *s: attend_to(*s, Visible([120, 50], False), 0.05), states, lengths)
    exact = [part.detach().float().requires_grad_() for part in states]
    expected = run(
        lambda *s: scaled_dot_product_attention(*s, attn_mask=mask, scale=0.05), exact, lengths
    )
    assert_close(found, expected)


@pytest.mark.parametrize("causal", [False, True])
def test_texts_of_one_length_are_computed_together_without_padding_and_later_keys(
    monkeypatch: pytest.MonkeyPatch, causal: bool
) -> None:
    made: list[int] = []
    original = products._weigh

    def count(*given: Any, out: Tensor) -> Tensor:
        made.append(out.numel())
        return original(*given, out=out)

    monkeypatch.setattr(products, "_weigh", count)
    with torch.no_grad():
        attend_to(*draw((300, 97, 97)), Visible([300, 97, 97], causal))
    rows = [128 * 128, 128 * 256, 44 * 300] if causal else [300**2]
    rows.append(2 * 97**2)
    assert made == [HEADS * scores for scores in rows]


@pytest.mark.parametrize("lengths", [(100, 100), (100, 60), (50, 20)])
def test_scores_beyond_the_range_of_powers_are_finite(lengths: tuple[int, ...]) -> None:
    states = draw(lengths, 1_000.0)
    found = run(lambda *s: attend_to(*s, Visible(list(lengths), False)), states, lengths)
    assert all(torch.isfinite(part).all() for part in found)


def without(mask: Tensor, *place: int) -> Tensor:
    changed = mask.clone()
    changed[place] = ~changed[place]
    return changed


@pytest.mark.parametrize(
    "mask",
    [
        mask_of((9, 5), False).float() - 1,
        mask_of((9, 5), False).expand(-1, HEADS, -1, -1),
        mask_of((9, 9), False)[:1],
        without(mask_of((9, 5), False), 0, 0, 3, 4),
        without(mask_of((9, 5), True), 1, 0, 3, 2),
        mask_of((9, 5), False).flip(3),
        torch.zeros(2, 1, 9, 9, dtype=torch.bool),
    ],
    ids=["a bias", "by head", "shared", "a hole", "a causal hole", "left padding", "nothing"],
)
def test_other_masks_are_left_to_torch(mask: Tensor) -> None:
    assert visible_keys(draw((9, 5))[0], mask, False) is None


@pytest.mark.parametrize("causal", [False, True])
def test_masks_may_be_added_to_the_scores(causal: bool) -> None:
    hidden = ~mask_of((9, 5), causal)
    mask = torch.zeros(hidden.shape).masked_fill(hidden, -torch.inf)
    assert visible_keys(draw((9, 5))[0], mask, False) == Visible([9, 5], causal)


def test_without_a_mask_every_token_is_real() -> None:
    query = draw((9, 5))[0]
    assert visible_keys(query, None, True) == Visible([9, 9], True)
