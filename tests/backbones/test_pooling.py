from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from thawline.backbones.pooling import POOLINGS, pool, pool_all


def by_hand(states: Tensor, lengths: list[int], pooling: str) -> Tensor:
    rows = []
    for text, length in zip(states.tolist(), lengths, strict=True):
        real = text[:length]
        means = [sum(unit) / length for unit in zip(*real, strict=True)]
        rows.append({"first": real[0], "last": real[-1], "mean": means}[pooling])
    return torch.tensor(rows)


def mask_of(lengths: list[int], tokens: int) -> Tensor:
    return (torch.arange(tokens) < torch.tensor(lengths)[:, None]).long()


@st.composite
def batches(draw):
    """Lengths of texts, the width they are padded to, and a hidden size."""
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=5))
    return lengths, max(lengths) + draw(st.integers(0, 3)), draw(st.integers(1, 6))


@pytest.mark.parametrize("pooling", POOLINGS)
@given(case=batches(), seed=st.integers(0, 99))
def test_a_pooling_is_what_a_loop_over_the_real_tokens_gives(pooling, case, seed):
    lengths, tokens, hidden = case
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(len(lengths), tokens, hidden, generator=generator)
    mask = mask_of(lengths, tokens)
    expected = by_hand(states, lengths, pooling)
    pooled = pool(states, mask, pooling)
    torch.testing.assert_close(pooled, expected, rtol=0, atol=1e-6)

    noisy = torch.where(mask.bool()[:, :, None], states, torch.tensor(1e4))
    torch.testing.assert_close(pool(noisy, mask, pooling), pooled, rtol=0, atol=0)
    if min(lengths) == tokens:
        torch.testing.assert_close(pool(states, None, pooling), expected, rtol=0, atol=1e-6)


@given(case=batches())
def test_all_poolings_stand_side_by_side_in_their_order(case):
    lengths, tokens, hidden = case
    states, mask = torch.randn(len(lengths), tokens, hidden), mask_of(lengths, tokens)
    pooled = pool_all(states, mask)
    assert pooled.shape == (len(lengths), 3, hidden)
    for index, pooling in enumerate(("first", "last", "mean")):
        assert torch.equal(pooled[:, index], pool(states, mask, pooling))


@pytest.mark.parametrize("masked", [True, False])
def test_the_mean_of_bf16_states_is_rounded_once(masked):
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(2, 300, 64, generator=generator).bfloat16()
    mask = mask_of([300, 299], 300) if masked else None
    exact = pool(states.double(), mask, "mean").bfloat16()
    # With a sum in bf16 it is 56 %.
    assert (pool(states, mask, "mean") == exact).float().mean() > 0.98


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_pooling_keeps_the_states_dtype(pooling):
    for dtype in (torch.bfloat16, torch.float32):
        states = torch.randn(2, 5, 3).to(dtype)
        for mask in (None, mask_of([5, 2], 5)):
            pooled = pool(states, mask, pooling)
            assert pooled.dtype == dtype
            torch.testing.assert_close(pooled, pool(states.float(), mask, pooling).to(dtype))


def test_a_gradient_reaches_the_real_tokens_alone():
    states = torch.randn(2, 4, 3, requires_grad=True)
    pool(states, mask_of([4, 2], 4), "mean").sum().backward()
    assert torch.equal(states.grad[0], torch.full((4, 3), 0.25))
    assert torch.equal(states.grad[1, :2], torch.full((2, 3), 0.5))
    assert not states.grad[1, 2:].any()


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match=r"'max'.*first, last, mean"):
        pool(torch.zeros(1, 2, 3), None, "max")
