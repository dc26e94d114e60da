from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoModel

from tests.support.toys import WORDS, toy_config
from thawline.backbones import attention
from thawline.backbones.attention import attend

HEADS, HEAD_WIDTH = 4, 16
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
LENGTHS = {
    "short": ((40, 12, 1), [40, 12, 1]),
    "equal": ((12, 12, 12, 9, 12), [12, 9, 12]),
    "long": ((200, 130, 130, 1), [200, 130, 1]),
}
"""The lengths of the texts of a batch, and those of the groups that are computed at once."""


class Asking(nn.Module):
    """The attention module of a bidirectional model, as far as transformers looks at it."""

    is_causal = False


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the lengths of the groups of texts whose scores are computed at once."""
    lengths: list[int] = []
    original = attention._exponentials

    def counting(query: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        lengths.append(query.shape[1])
        return original(query, *args, **kwargs)

    monkeypatch.setattr(attention, "_exponentials", counting)
    return lengths


def draw(lengths: tuple[int, ...], dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
    """Query, key and value, ``(batch, heads, tokens, head width)``; and which tokens are real."""
    generator = torch.Generator().manual_seed(0)
    shape = (len(lengths), HEADS, max(lengths), HEAD_WIDTH)
    states = [torch.randn(shape, generator=generator).to(dtype) for _ in range(3)]
    return states, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("lengths", "groups"), LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("scaling", [None, 0.1])
@torch.inference_mode()
def test_padded_texts_are_attended_as_torch_does(products, dtype, lengths, groups, scaling):
    states, real = draw(lengths, dtype)
    mask = real[:, None, None, :].expand(-1, 1, max(lengths), -1)
    exact = [part.float() for part in states]
    expected = scaled_dot_product_attention(*exact, attn_mask=mask, scale=scaling).transpose(1, 2)
    attended, weights = attend(Asking(), *states, mask, scaling=scaling)
    assert weights is None
    assert attended.dtype == dtype
    assert attended.shape == (len(lengths), max(lengths), HEADS, HEAD_WIDTH)
    assert (attended.float() - expected)[real].abs().max() < TOLERANCE[dtype]
    assert products == groups
    assert not attended[~real].any()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("scores_at_once", [1, 2 * HEADS * 20**2, attention.SCORES_AT_ONCE])
@torch.inference_mode()
def test_texts_without_padding_are_attended_as_torch_does(
    products, monkeypatch, dtype, scores_at_once
):
    monkeypatch.setattr(attention, "SCORES_AT_ONCE", scores_at_once)
    states, _ = draw((20, 20, 20), dtype)
    expected = scaled_dot_product_attention(*(part.float() for part in states)).transpose(1, 2)
    attended, _ = attend(Asking(), *states, None)
    assert (attended.float() - expected).abs().max() < TOLERANCE[dtype]
    assert len(products) == {1: 3, 2 * HEADS * 20**2: 2}.get(scores_at_once, 1)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("size", [300.0, 1e4])
@pytest.mark.parametrize("sign", [1, -1])
@torch.inference_mode()
def test_scores_whose_exponentials_overflow_or_vanish_are_attended_as_torch_does(dtype, size, sign):
    """All scores of a text are near ``size`` or near ``-size``."""
    (query, key, value), _ = draw((7, 7), dtype)
    query[:], key[:, :, :, 0] = 0, 1
    query[..., 0] = sign * size
    key[..., 0] += torch.arange(7) / 8
    exact = [part.float() for part in (query, key, value)]
    expected = scaled_dot_product_attention(*exact, scale=1.0).transpose(1, 2)
    attended, _ = attend(Asking(), query, key, value, None, scaling=1.0)
    assert (attended.float() - expected).abs().max() < TOLERANCE[dtype]


@torch.inference_mode()
def test_padding_does_not_change_the_states(products):
    states, real = draw((120, 100), torch.float32)
    mask = real[:, None, None, :].expand(-1, 1, 120, -1)
    attended, _ = attend(Asking(), *states, mask)
    noisy = [part.clone() for part in states]
    for part in noisy:
        part[1, :, 100:] = torch.nan
    assert torch.equal(attend(Asking(), *noisy, mask)[0], attended)
    assert products == [120, 100] * 2


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("lengths", [(150, 150), (150, 97, 20), (30, 20)])
@torch.inference_mode()
def test_a_whole_model_gives_what_it_gives_with_torchs_own_attention(
    products, family, dtype, lengths
):
    config = toy_config(family)
    config.max_position_embeddings = 160
    torch.manual_seed(0)
    model = AutoModel.from_config(config).eval().to(dtype)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(4, len(WORDS), mask.shape) * mask
    given = None if min(lengths) == max(lengths) else mask

    assert model.config._attn_implementation == "sdpa"
    usual = model(input_ids=ids, attention_mask=given)[0]
    assert not products
    model.set_attn_implementation(attention.NAME)
    plain = model(input_ids=ids, attention_mask=given)[0]
    assert products == model.config.num_hidden_layers * list(dict.fromkeys(lengths))
    assert (plain - usual)[mask.bool()].abs().max() < 5 * TOLERANCE[dtype]
