"""Test that documents do not attend to each other and that the loss equals transformers'."""

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


def test_document_mask():
    seen = document_mask(torch.tensor([[9, 1, 5, 1, 6, 7]]), 1)
    assert seen.shape == (1, 1, 6, 6)
    assert seen[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0],  # the end of a document that starts in an earlier window
        [0, 1, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 1, 1, 0],
        [0, 0, 0, 1, 1, 1],
    ]


def test_logits_of_packed_documents_equal_those_of_single_ones():
    module = toy_module(window=64).eval()
    with torch.inference_mode():
        parts = [ids_of(text) for text in SHORT]
        pack = torch.cat(parts, 1)
        together = module.model(pack, attention_mask=document_mask(pack, 1)).logits
        alone = torch.cat([module.model(part).logits for part in parts], 1)
        unmasked = module.model(pack).logits
    assert_close(together, alone, rtol=0, atol=1e-5)
    assert (unmasked - alone).abs().max() > 1e-3  # without the mask the logits differ


def test_bos_and_padding_are_not_predicted():
    windows = torch.tensor([[1, 5, 2, 1, 6, 2, 0, 0]])
    assert toy_module().targets(windows).tolist() == [[5, 2, IGNORED, 6, 2, IGNORED, IGNORED]]


def test_loss_equals_that_of_transformers():
    module = toy_module().eval()
    ids = ids_of(SHORT[1])
    with torch.inference_mode():
        nats, right = module(ids)
        theirs = module.model(ids, labels=ids)
        guessed = theirs.logits[0, :-1].argmax(-1)
    assert_close(nats, theirs.loss * (ids.shape[1] - 1), rtol=1e-5, atol=0)
    assert int(right) == int((guessed == ids[0, 1:]).sum())


def test_loss_of_packed_documents_is_their_sum():
    module = toy_module(window=64).eval()
    parts = [ids_of(text) for text in SHORT]
    with torch.inference_mode():
        whole, _ = module(torch.cat(parts, 1))
        each = [module(part)[0] for part in parts]
    assert_close(whole, torch.stack(each).sum(), rtol=1e-5, atol=0)


def test_padding_has_no_loss():
    module = toy_module().eval()
    ids = ids_of(SHORT[0])
    filled = torch.nn.functional.pad(ids, (0, 9))
    with torch.inference_mode():
        assert_close(module(filled)[0], module(ids)[0], rtol=1e-5, atol=0)


def test_correct_predictions_are_not_counted_in_training():
    assert int(toy_module().train()(ids_of(SHORT[0]))[1]) == 0


def test_new_model_has_tied_embeddings():
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
    ("changes", "setting", "found"),
    [
        (
            {"num_attention_heads": 4, "num_key_value_heads": 3},
            "architecture.num_key_value_heads",
            "3",
        ),
        ({"head_dim": 7}, "architecture.head_dim", "7"),
    ],
)
def test_invalid_architecture(changes, setting, found):
    check_architecture(SHAPE)
    wrong = replace(SHAPE, **changes)
    for check in (
        lambda: check_architecture(wrong),
        lambda: new_model(wrong, toy_vocabulary(), WINDOW, 0),
    ):
        with pytest.raises(ThawlineError) as caught:
            check()
        assert (caught.value.setting, caught.value.found) == (setting, found)


@pytest.mark.slow
@pytest.mark.parametrize(("low", "rtol"), [(False, 1e-5), (True, 2e-2)])
def test_compiled_loss_equals_the_plain_one(low, rtol):
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
        similarity = torch.cosine_similarity(one.flatten(), other.flatten(), 0)
        assert similarity > (0.99 if low else 0.999_99), name
