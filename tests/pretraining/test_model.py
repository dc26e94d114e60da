"""The language model: no document sees another, and its loss is transformers' own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from tests.support.language_toys import (
    SHAPE,
    WINDOW,
    document,
    toy_module,
    toy_texts,
    toy_vocabulary,
)
from thawline.errors import ThawlineError
from thawline.pretraining.model import (
    IGNORED,
    check_architecture,
    document_mask,
    new_model,
)

SHORT = ["a film", "the plot was dull", "so it was"]


def ids_of(text: str) -> torch.Tensor:
    return torch.tensor([document(text)])


def test_a_token_sees_itself_and_what_is_before_it_in_its_document():
    seen = document_mask(torch.tensor([[9, 1, 5, 1, 6, 7]]), 1)
    assert seen.shape == (1, 1, 6, 6)
    assert seen[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0],  # the end of a document that began in the window before
        [0, 1, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 1, 1, 0],
        [0, 0, 0, 1, 1, 1],
    ]


def test_a_document_in_a_pack_gets_the_logits_that_it_gets_alone():
    module = toy_module(window=64).eval()
    with torch.inference_mode():
        parts = [ids_of(text) for text in SHORT]
        pack = torch.cat(parts, 1)
        together = module.model(pack, attention_mask=document_mask(pack, 1)).logits
        alone = torch.cat([module.model(part).logits for part in parts], 1)
        unmasked = module.model(pack).logits
    assert_close(together, alone, rtol=0, atol=1e-5)
    assert (unmasked - alone).abs().max() > 1e-3  # the mask is what does it


def test_the_begin_of_a_document_and_what_fills_up_are_not_predicted():
    windows = torch.tensor([[1, 5, 2, 1, 6, 2, 0, 0]])
    assert toy_module().targets(windows).tolist() == [[5, 2, IGNORED, 6, 2, IGNORED, IGNORED]]


def test_its_nats_are_transformers_own_loss_on_a_document():
    module = toy_module().eval()
    ids = ids_of(SHORT[1])
    with torch.inference_mode():
        nats, right = module(ids)
        theirs = module.model(ids, labels=ids)
        guessed = theirs.logits[0, :-1].argmax(-1)
    assert_close(nats, theirs.loss * (ids.shape[1] - 1), rtol=1e-5, atol=0)
    assert int(right) == int((guessed == ids[0, 1:]).sum())


def test_nats_of_a_pack_are_the_sum_of_its_documents():
    module = toy_module(window=64).eval()
    parts = [ids_of(text) for text in SHORT]
    with torch.inference_mode():
        whole, _ = module(torch.cat(parts, 1))
        each = [module(part)[0] for part in parts]
    assert_close(whole, torch.stack(each).sum(), rtol=1e-5, atol=0)


def test_padding_costs_nothing():
    module = toy_module().eval()
    ids = ids_of(SHORT[0])
    filled = torch.nn.functional.pad(ids, (0, 9))
    with torch.inference_mode():
        assert_close(module(filled)[0], module(ids)[0], rtol=1e-5, atol=0)


def test_what_is_foretold_is_not_counted_while_it_learns():
    assert int(toy_module().train()(ids_of(SHORT[0]))[1]) == 0


def test_a_new_model_is_the_config_s_with_one_matrix_for_both_embeddings():
    model = new_model(SHAPE, toy_vocabulary(), WINDOW, seed=3)
    config = model.config
    assert model.lm_head.weight is model.model.embed_tokens.weight
    for name in vars(SHAPE):
        assert getattr(config, name) == getattr(SHAPE, name), name
    assert (config.vocab_size, config.max_position_embeddings) == (300, WINDOW)
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 1, 2)
    same, other = (new_model(SHAPE, toy_vocabulary(), WINDOW, seed).state_dict() for seed in (3, 4))
    weights = model.state_dict()
    assert all(torch.equal(tensor, same[name]) for name, tensor in weights.items())
    assert not torch.equal(weights["lm_head.weight"], other["lm_head.weight"])


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"num_attention_heads": 4, "num_key_value_heads": 3},
            "expected architecture.num_key_value_heads to divide the 4 attention heads, found 3; "
            "give 1, or as many as there are attention heads",
        ),
        (
            {"head_dim": 7},
            "expected architecture.head_dim to be even, as rotary positions turn pairs, found 7; "
            "give an even one",
        ),
    ],
)
def test_heads_that_make_no_attention_are_refused(changes, line):
    check_architecture(SHAPE)
    wrong = replace(SHAPE, **changes)
    for refuse in (
        lambda: check_architecture(wrong),
        lambda: new_model(wrong, toy_vocabulary(), WINDOW, 0),
    ):
        with pytest.raises(ThawlineError) as caught:
            refuse()
        assert str(caught.value) == line


@pytest.mark.slow
@pytest.mark.parametrize(("low", "rtol"), [(False, 1e-5), (True, 2e-2)])
def test_compiled_and_in_bf16_it_loses_the_same(low, rtol):
    windows = torch.tensor([(document(text) * 12)[: WINDOW + 1] for text in toy_texts(4)])
    plain, compiled = toy_module(), toy_module(low=low, compiled=True)
    losses = []
    for module in (plain, compiled):
        nats, _ = module.train()(windows)
        nats.backward()
        losses.append(nats.detach())
    assert_close(losses[1], losses[0], rtol=rtol, atol=0)
    names = [name for name, _ in plain.named_parameters()]
    assert names
    for name in names:
        one, other = (dict(module.named_parameters())[name].grad for module in (plain, compiled))
        likeness = torch.cosine_similarity(one.flatten(), other.flatten(), 0)
        assert likeness > (0.99 if low else 0.999_99), name
