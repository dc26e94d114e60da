"""Heads: parsing, shapes and parameters, standardisation, and a family's own head."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
)

from tests.support.toys import DEPTH, FAMILIES, WIDTH, as_inputs, enlarge_head
from thawline.backbones.copies import build_native
from thawline.backbones.loading import load_backbone
from thawline.backbones.pooling import POOLINGS
from thawline.backbones.stack import Stack
from thawline.data.tokens import tokenize
from thawline.errors import ThawlineError
from thawline.inference.fitted import count_parameters
from thawline.models.heads import (
    STANDARD_DEVIATION_FLOOR,
    NativeHead,
    Standardisation,
    build_head,
)
from thawline.models.specs import HeadSpec, parse_head

TEXTS = ["the film was good", "", "a dull plot and a very weak cast , not funny at all", "warm"]


def parameters(module: nn.Module, *, trainable: bool | None = None) -> int:
    return sum(
        p.numel() for p in module.parameters() if trainable is None or p.requires_grad is trainable
    )


class TestParse:
    @pytest.mark.parametrize(
        ("text", "spec"),
        [
            ("linear", HeadSpec("linear")),
            ("native", HeadSpec("native")),
            ("mlp:64", HeadSpec("mlp", 64)),
            ("mlp:1", HeadSpec("mlp", 1)),
        ],
    )
    def test_a_head_is_read_and_written_the_same(self, text: str, spec: HeadSpec) -> None:
        assert parse_head(text) == spec
        assert str(spec) == text

    @pytest.mark.parametrize("text", ["mlp", "mlp:", "mlp:0", "mlp:-3", "mlp:6.4", "mlp:wide"])
    def test_an_mlp_needs_a_width(self, text: str) -> None:
        with pytest.raises(ThawlineError) as caught:
            parse_head(text)
        assert (caught.value.setting, caught.value.found) == ("head.head", f"'{text}'")
        assert "1,000,000" in caught.value.expected
        assert "`head.head=mlp:64`" in caught.value.fix

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("linaer", "did you mean 'linear'?"),
            ("linear:3", "did you mean 'linear'?"),
            ("natif", "did you mean 'native'?"),
            ("mpl:64", "did you mean 'mlp:64'?"),
            ("", "choose linear, mlp:64 or native"),
            ("svm", "choose linear, mlp:64 or native"),
        ],
    )
    def test_another_head_is_refused(self, text: str, hint: str) -> None:
        with pytest.raises(ThawlineError) as caught:
            parse_head(text)
        error = caught.value
        assert (error.setting, error.found, error.fix) == ("head.head", f"'{text}'", hint)


class TestBuild:
    def test_an_mlp_of_64_on_128_features_has_8386_parameters(self) -> None:
        head = build_head(HeadSpec("mlp", 64), 128, 2, dropout=0.1)
        assert parameters(head) == 8_386

    def test_the_layers_of_an_mlp_and_their_dropout(self) -> None:
        head = build_head(HeadSpec("mlp", 64), 128, 2, dropout=0.1)
        kinds = [nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
        assert [type(layer) for layer in head] == kinds
        assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [0.1, 0.1]
        assert (head[1].in_features, head[1].out_features) == (128, 64)
        assert (head[4].in_features, head[4].out_features) == (64, 2)

    def test_a_linear_head_is_one_layer(self) -> None:
        head = build_head(HeadSpec("linear"), 128, 3, dropout=0.0)
        assert [type(layer) for layer in head] == [nn.Linear]
        assert head(torch.zeros(5, 128)).shape == (5, 3)

    def test_dropout_of_a_linear_head_acts_in_training_only(self) -> None:
        heads = []
        for dropout in (0.0, 0.5):
            torch.manual_seed(0)
            heads.append(build_head(HeadSpec("linear"), 128, 3, dropout))
        plain, dropped = heads
        assert plain.state_dict().keys() == dropped.state_dict().keys()
        features = torch.ones(5, 128)
        assert torch.equal(plain(features), dropped.eval()(features))
        assert not torch.equal(plain(features), dropped.train()(features))
        folded = Standardisation(torch.ones(128), 2 * torch.ones(128)).fold_into(dropped).eval()
        assert torch.allclose(folded(3 * features), plain(features), atol=1e-6)

    def test_only_an_mlp_has_dropout_by_default(self) -> None:
        assert HeadSpec("mlp", 4).dropout(None) > 0
        assert HeadSpec("linear").dropout(None) == 0
        assert HeadSpec("mlp", 4).dropout(0.0) == 0
        assert HeadSpec("linear").dropout(0.3) == 0.3


class TestStandardisation:
    @given(
        rows=st.integers(1, 40),
        block=st.integers(1, 45),
        offset=st.sampled_from([0.0, 3.0, -1e4]),
        seed=st.integers(0, 99),
    )
    def test_blocks_of_any_size_give_numpy_s_mean_and_deviation(
        self, rows: int, block: int, offset: float, seed: int
    ) -> None:
        values = torch.from_numpy(
            np.random.default_rng(seed).normal(offset, 2.0, (rows, 3)).astype(np.float32)
        )
        measured = Standardisation.of(values.split(block))
        exact = values.double().numpy()
        assert measured.mean.dtype == measured.deviation.dtype == torch.float32
        np.testing.assert_allclose(measured.mean, exact.mean(0), rtol=1e-6, atol=1e-6)
        floored = np.maximum(exact.std(0), STANDARD_DEVIATION_FLOOR)
        np.testing.assert_allclose(measured.deviation, floored, rtol=1e-5)

    def test_a_constant_feature_becomes_0_rather_than_infinite(self) -> None:
        values = torch.tensor([[0.3, 1.0], [0.3, 3.0], [0.3, 5.0]])
        standardised = Standardisation.of([values[:1], values[1:]])(values)
        assert torch.isfinite(standardised).all()
        assert standardised[:, 0].abs().max() < 0.1  # rounding of the mean over the floor
        assert standardised[:, 1].mean() == pytest.approx(0, abs=1e-6)
        assert standardised[:, 1].std(correction=0) == pytest.approx(1)

    def test_none_changes_nothing(self) -> None:
        values = torch.randn(4, 3)
        assert torch.equal(Standardisation.none()(values), values)

    @given(
        head=st.sampled_from(["linear", "mlp:5"]),
        labels=st.integers(2, 4),
        width=st.integers(1, 6),
        seed=st.integers(0, 99),
    )
    def test_folded_into_a_head_it_gives_the_same_logits(
        self, head: str, labels: int, width: int, seed: int
    ) -> None:
        torch.manual_seed(seed)
        module = build_head(parse_head(head), width, labels, dropout=0.5).eval()
        features = 5 * torch.randn(12, width) + 2
        scale = Standardisation.of([features])
        expected = module(scale(features))
        folded = scale.fold_into(module)
        torch.testing.assert_close(folded(features), expected, rtol=1e-5, atol=1e-5)

    def test_folding_leaves_the_head_as_it_was(self) -> None:
        module = build_head(HeadSpec("mlp", 5), 4, 2, dropout=0.1)
        before = copy.deepcopy(module.state_dict())
        scale = Standardisation(mean=torch.arange(4.0), deviation=torch.full((4,), 2.0))
        scale.fold_into(module)
        for name, tensor in module.state_dict().items():
            assert torch.equal(tensor, before[name])

    def test_folding_none_changes_no_weight(self) -> None:
        module = build_head(HeadSpec("linear"), 4, 2, dropout=0.0)
        folded = Standardisation.none().fold_into(module)
        assert torch.equal(folded[0].weight, module[0].weight)
        assert torch.equal(folded[0].bias, module[0].bias)


def batch_of(folder: Path) -> tuple[Tensor, Tensor]:
    """Return ids and mask of the texts, padded with the pad id."""
    backbone = load_backbone(str(folder))
    tokens = tokenize(backbone.tokenizer, TEXTS, max_length=40, truncation_side="right")
    inputs = tokens.batch(np.arange(len(TEXTS)))
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    assert (ids[mask == 0] == backbone.stack.model.config.pad_token_id).all()
    return ids, mask


class TestNative:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_pooled_states_give_what_the_whole_model_gives_of_texts(
        self, toy_backbone: Callable[[str], Path], family: str
    ) -> None:
        backbone = load_backbone(str(toy_backbone(family)))
        ids, mask = batch_of(toy_backbone(family))
        model = build_native(backbone, n_labels=3, seed=1)
        enlarge_head(NativeHead(model))
        pooling = backbone.stack.family.native_pooling(backbone.stack.model.config)
        with torch.inference_mode():
            whole = model(input_ids=ids, attention_mask=mask).logits
            states = backbone.stack.pooled(as_inputs(ids, mask))[:, -1, POOLINGS.index(pooling)]
            fed = NativeHead(model).eval()(states)
        assert whole.shape == (len(TEXTS), 3)
        assert whole.std(0).min() > 1e-3  # the logits differ, so equality is meaningful
        torch.testing.assert_close(fed, whole, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("classifier_pooling", ["cls", "mean"])
    def test_modernbert_s_head_follows_its_config(
        self, toy_backbone: Callable[[str], Path], classifier_pooling: str
    ) -> None:
        backbone = load_backbone(str(toy_backbone("modernbert")))
        config = backbone.stack.model.config
        config.classifier_pooling = classifier_pooling
        ids, mask = batch_of(toy_backbone("modernbert"))
        pooling = backbone.stack.family.native_pooling(config)
        assert pooling == {"cls": "first", "mean": "mean"}[classifier_pooling]
        model = build_native(backbone, n_labels=2, seed=1)
        enlarge_head(NativeHead(model))
        with torch.inference_mode():
            whole = model(input_ids=ids, attention_mask=mask).logits
            states = backbone.stack.pooled(as_inputs(ids, mask))[:, -1, POOLINGS.index(pooling)]
            fed = NativeHead(model).eval()(states)
        assert whole.std(0).min() > 1e-3
        torch.testing.assert_close(fed, whole, rtol=0, atol=1e-5)

    def test_what_the_head_learns_the_whole_model_knows(
        self, toy_backbone: Callable[[str], Path]
    ) -> None:
        model = build_native(load_backbone(str(toy_backbone("bert"))), n_labels=2, seed=1)
        head = NativeHead(model)
        with torch.no_grad():
            for parameter in head.parameters():
                if parameter.requires_grad:
                    parameter.fill_(0.25)
        assert torch.equal(model.classifier.bias, torch.full((2,), 0.25))
        assert model.bert is model.base_model  # the model itself keeps its base

    def test_the_head_drops_out_in_training_only(self, toy_backbone: Callable[[str], Path]) -> None:
        head = NativeHead(build_native(load_backbone(str(toy_backbone("bert"))), 2, seed=1))
        states = torch.randn(1, WIDTH).expand(64, -1)
        torch.manual_seed(0)
        assert head.train()(states).std(0).max() > 1e-4
        assert head.eval()(states).std(0).max() < 1e-6

    def test_bert_s_pooler_is_frozen_with_the_last_stage(
        self, toy_backbone: Callable[[str], Path]
    ) -> None:
        model = build_native(load_backbone(str(toy_backbone("bert"))), n_labels=2, seed=1)
        head = NativeHead(model)
        assert not any(p.requires_grad for p in model.bert.pooler.parameters())
        assert parameters(head, trainable=True) == 2 * WIDTH + 2
        Stack(model.base_model).freeze(DEPTH + 1)
        assert count_parameters(model)["trainable"] == 2 * WIDTH + 2
        head(torch.randn(3, WIDTH)).sum().backward()
        assert model.bert.pooler.dense.weight.grad is None
        assert model.classifier.weight.grad is not None

    def test_minilm_s_layout_trains_770_parameters(self) -> None:
        layout = BertConfig(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1_536
        )
        with torch.device("meta"):
            model = AutoModelForSequenceClassification.from_config(layout)
        Stack(model.base_model).freeze(7)
        assert count_parameters(model)["trainable"] == 2 * 384 + 2 == 770
        assert parameters(NativeHead(model), trainable=True) == 770

    def test_distilbert_s_layout_trains_592130_of_its_parameters(self) -> None:
        with torch.device("meta"):
            model = AutoModelForSequenceClassification.from_config(DistilBertConfig())
        Stack(model.base_model).freeze(7)
        assert count_parameters(model) == {
            "trainable": 592_130,
            "frozen": 66_362_880,
            "total": 66_362_880 + 592_130,
        }
        assert parameters(NativeHead(model), trainable=True) == 592_130

    def test_other_lines_move_whole_stages_to_what_trains(
        self, toy_backbone: Callable[[str], Path]
    ) -> None:
        model = build_native(load_backbone(str(toy_backbone("bert"))), n_labels=2, seed=1)
        whole, stack = parameters(model), Stack(model.base_model)
        stack.freeze(0)
        assert count_parameters(model) == {"trainable": whole, "frozen": 0, "total": whole}
        stack.freeze(1)
        assert count_parameters(model)["frozen"] == parameters(model.bert.embeddings)
        stack.freeze(DEPTH)
        last = parameters(model.bert.encoder.layer[-1]) + parameters(model.bert.pooler)
        assert count_parameters(model)["trainable"] == last + 2 * WIDTH + 2

    def test_the_first_weights_follow_the_seed(self, toy_backbone: Callable[[str], Path]) -> None:
        backbone = load_backbone(str(toy_backbone("bert")))
        first, same, other = (build_native(backbone, 2, seed).classifier for seed in (1, 1, 2))
        assert torch.equal(first.weight, same.weight)
        assert not torch.equal(first.weight, other.weight)
