from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoModel

from tests.support.toys import WORDS, toy_config
from thawline.backbones import attention
from thawline.backbones.attention import MIN_TOKENS, attend

HEADS, HEAD_WIDTH = 4, 16
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
LENGTHS = {
    "short": (MIN_TOKENS - 1, 40, 1),
    "just long": (MIN_TOKENS, MIN_TOKENS - 1, 3),
    "long": (200, 130, 1),
}


class Asking(nn.Module):
    """The attention module of a bidirectional model, as far as transformers looks at it."""

    is_causal = False


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the lengths of the texts that go through plain products."""
    lengths: list[int] = []
    original = torch.baddbmm

    def counting(weights: Tensor, *args, **kwargs) -> Tensor:
        lengths.append(weights.shape[-1])
        return original(weights, *args, **kwargs)

    monkeypatch.setattr(torch, "baddbmm", counting)
    return lengths


def draw(lengths: tuple[int, ...], dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
    """Query, key and value, ``(batch, heads, tokens, head width)``; and which tokens are real."""
    generator = torch.Generator().manual_seed(0)
    shape = (len(lengths), HEADS, max(lengths), HEAD_WIDTH)
    states = [torch.randn(shape, generator=generator).to(dtype) for _ in range(3)]
    return states, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("scaling", [None, 0.1])
@torch.inference_mode()
def test_padded_texts_are_attended_as_torch_does(products, dtype, lengths, scaling):
    states, real = draw(lengths, dtype)
    mask = real[:, None, None, :].expand(-1, 1, max(lengths), -1)
    exact = [part.float() for part in states]
    expected = scaled_dot_product_attention(*exact, attn_mask=mask, scale=scaling).transpose(1, 2)
    attended, weights = attend(Asking(), *states, mask, scaling=scaling)
    assert weights is None
    assert attended.dtype == dtype
    assert attended.shape == (len(lengths), max(lengths), HEADS, HEAD_WIDTH)
    assert (attended.float() - expected)[real].abs().max() < TOLERANCE[dtype]
    assert products == ([] if max(lengths) < MIN_TOKENS else list(lengths))
    if products:
        assert not attended[~real].any()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("tokens", [MIN_TOKENS - 1, MIN_TOKENS, 150])
@torch.inference_mode()
def test_texts_without_padding_are_attended_as_torch_does(products, dtype, tokens):
    states, _ = draw((tokens, tokens), dtype)
    expected = scaled_dot_product_attention(*(part.float() for part in states)).transpose(1, 2)
    attended, _ = attend(Asking(), *states, None)
    assert (attended.float() - expected).abs().max() < TOLERANCE[dtype]
    assert products == ([] if tokens < MIN_TOKENS else [tokens, tokens])


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
    assert len(products) == (4 * len(lengths) if max(lengths) >= MIN_TOKENS else 0)
    assert (plain - usual)[mask.bool()].abs().max() < 5 * TOLERANCE[dtype]
