"""The encoder as a model: its positions, its dropout, and the fast path that it avoids."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from tests.support.toys import DEPTH, WIDTH, as_inputs, toy_config
from thawline.backbones.glove.configuration import GloveConfig
from thawline.backbones.glove.modeling import (
    GloveForSequenceClassification,
    GloveModel,
    SelfAttention,
    sinusoidal_positions,
)
from thawline.backbones.stack import Stack

IDS = torch.randint(4, 50, (3, 11), generator=torch.Generator().manual_seed(2))
MASK = (torch.arange(11) < torch.tensor([11, 7, 2])[:, None]).long()


def model(**changes) -> GloveModel:
    config = toy_config("thawline-glove")
    config.update(changes)
    torch.manual_seed(0)
    return GloveModel(config)


def test_positions_are_the_sines_of_the_paper():
    found = sinusoidal_positions(7, 6, torch.device("cpu"))
    for place in range(7):
        for pair in range(3):
            angle = place / 10_000 ** (2 * pair / 6)
            assert found[place, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert found[place, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)
    assert sinusoidal_positions(7, 5, torch.device("cpu")).shape == (7, 5)


def test_the_auto_classes_know_it(tmp_path):
    made = model()
    made.save_pretrained(tmp_path)
    assert type(AutoConfig.from_pretrained(tmp_path)) is GloveConfig
    loaded = AutoModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(loaded(IDS)[0], made.eval()(IDS)[0])
    classifier = AutoModelForSequenceClassification.from_config(made.config)
    assert type(classifier) is GloveForSequenceClassification


@pytest.mark.parametrize("norm_first", [True, False])
@torch.no_grad()
def test_wherever_the_norms_are_it_is_cut_at_each_line(norm_first):
    stack = Stack(model(norm_first=norm_first).eval())
    inputs = as_inputs(IDS * MASK, MASK)
    whole, real = stack.forward(inputs), MASK.bool()
    for line in range(1, DEPTH + 1):
        cut = stack.suffix(line, stack.prefix(line, inputs), inputs)
        assert torch.equal(cut[real], whole[real])
    names = [type(module).__name__ for module in stack.modules_of(DEPTH)]
    assert names == ["TransformerEncoderLayer", *(["LayerNorm"] if norm_first else [])]


@torch.no_grad()
def test_vectors_as_wide_as_the_blocks_need_no_projection():
    made = model(vector_size=WIDTH).eval()
    assert not list(made.embeddings.projection.parameters())
    assert made(IDS)[0].shape == (*IDS.shape, WIDTH)


@torch.no_grad()
def test_dropout_acts_in_training_only():
    made = model(dropout=0.5)
    assert torch.equal(made.eval()(IDS)[0], made(IDS)[0])
    made.train()
    assert not torch.equal(made(IDS)[0], made(IDS)[0])


def test_heads_attend_as_torchs_do():
    ours = SelfAttention(16, 2, batch_first=True)
    torchs = nn.MultiheadAttention(16, 2, batch_first=True)
    torchs.load_state_dict(ours.state_dict())
    states = torch.randn(3, 7, 16, requires_grad=True)
    padding = torch.zeros(3, 7).masked_fill(torch.arange(7) > 4, -torch.inf)
    found = []
    for heads in (ours, torchs):
        mixed, weights = heads(states, states, states, key_padding_mask=padding, need_weights=False)
        assert weights is None
        gradients = torch.autograd.grad(mixed.square().sum(), [states, *heads.parameters()])
        found.append([mixed, *gradients])
    torch.testing.assert_close(*found)


@torch.inference_mode()
def test_no_block_takes_a_path_that_reads_its_weights_itself():
    """A module in the place of a linear layer is called, in evaluation mode too."""
    made, called = model().eval(), []

    class Called(nn.Linear):
        def forward(self, states):
            called.append(self)
            return super().forward(states)

    for block in made.encoder.layers:
        block.linear1, block.linear2 = Called(WIDTH, 64), Called(64, WIDTH)
    made(IDS, attention_mask=MASK)
    made(IDS)
    assert len(called) == 2 * 2 * DEPTH


@pytest.mark.parametrize("line", range(DEPTH + 2))
def test_frozen_vectors_stay_frozen_wherever_the_line_is(line):
    frozen, free = Stack(model(freeze_vectors=True)), Stack(model())
    for stack in (frozen, free):
        stack.freeze(line)
    assert not frozen.model.embeddings.words.weight.requires_grad
    assert free.model.embeddings.words.weight.requires_grad == (line == 0)
    assert frozen.model.embeddings.projection.weight.requires_grad == (line == 0)
    assert frozen.model.encoder.layers[-1].linear1.weight.requires_grad == (line <= DEPTH)


@torch.no_grad()
def test_padding_has_a_vector_of_zeros_and_learns_nothing():
    made = model()
    assert not made.embeddings.words.weight[0].any()
    with torch.enable_grad():
        made(IDS * MASK, attention_mask=MASK)[0].sum().backward()
    assert not made.embeddings.words.weight.grad[0].any()


@torch.no_grad()
def test_the_classifier_reads_the_mean_of_the_real_tokens():
    torch.manual_seed(0)
    classifier = GloveForSequenceClassification(toy_config("thawline-glove")).eval()
    states = classifier.glove(IDS * MASK, attention_mask=MASK)[0]
    means = torch.stack(
        [row[:length].mean(0) for row, length in zip(states, (11, 7, 2), strict=True)]
    )
    out = classifier(IDS * MASK, attention_mask=MASK, labels=torch.tensor([0, 1, 0]))
    torch.testing.assert_close(out.logits, classifier.classifier(means), rtol=0, atol=1e-6)
    assert out.loss.item() > 0
