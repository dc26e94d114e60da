"""The loss of masked and of next tokens: against transformers, and how it is divided."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from tests.support.toys import FAMILIES, LIMIT, OWN, WORDS, toy_config, toy_tokenizer
from thawline.backbones.loading import Backbone, load_backbone
from thawline.config import TrainingConfig
from thawline.data.tokens import tokenize
from thawline.inference.examples import TokenExamples
from thawline.pretraining.model import IGNORED
from thawline.pretraining.token_model import TokenModel, build_token_model
from thawline.pretraining.token_objective import Masking, TokenPrediction
from thawline.runtime.randomness import RandomStream

Backbones = Callable[[str], Path]
Reviews = Callable[..., tuple[list[str], list[int]]]
MODELS = [family for family in FAMILIES if family not in OWN]
MASKING = Masking(0.15, mask_id=1, special_ids=(0, 2, 3), vocabulary=len(WORDS) + 4)


def objective(backbone: Backbone, texts: list[str]) -> TokenPrediction:
    model, _ = build_token_model(backbone)
    tokens = tokenize(backbone.tokenizer, texts, max_length=LIMIT, truncation_side="right")
    examples = TokenExamples(tokens, None, np.arange(len(texts)), 4_096)
    masking = None if backbone.stack.family.causal else MASKING
    return TokenPrediction(
        TokenModel(model, use_bf16=False),
        examples,
        examples,
        masking,
        TrainingConfig(batch_size=8),
        seed=3,
        random=RandomStream(0),
    )


@pytest.mark.parametrize("family", MODELS)
def test_the_loss_is_that_of_transformers(
    toy_backbone: Backbones, toy_reviews: Reviews, family: str
) -> None:
    task = objective(load_backbone(str(toy_backbone(family))), toy_reviews(8)[0])
    step = next(task.steps(1))
    ((part,),) = task.shares(step, threads=1)
    task.module.eval()
    with torch.no_grad():
        found = task.loss(task.module, part)
        model = task.module.model
        logits = model(**part.batch.inputs).logits
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), part.batch.targets.flatten(), ignore_index=IGNORED
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_a_decoder_predicts_each_next_token_of_a_text(toy_backbone: Backbones, family: str) -> None:
    backbone = load_backbone(str(toy_backbone(family)))
    task = objective(backbone, ["the film was good", "dull plot", "bad"])
    ((part,),) = task.shares(next(task.steps(1)), threads=1)
    inputs, targets = part.batch
    mask = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
    for ids, wanted, real in zip(inputs["input_ids"], targets, mask, strict=True):
        length = int(real.sum())
        assert wanted[: length - 1].tolist() == ids[1:length].tolist()
        assert (wanted[length - 1 :] == IGNORED).all()
    assert part.predicted == 3 + 1 + 0


class TestMasking:
    IDS = np.array([2, *range(4, 44), 3])

    def apply(self, seed: int, share: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
        masking = Masking(share, 1, MASKING.special_ids, MASKING.vocabulary)
        return masking.apply(self.IDS, np.random.default_rng(seed))

    def test_the_shares_are_those_of_bert(self) -> None:
        hidden = kept = masked = 0
        for seed in range(400):
            ids, targets = self.apply(seed)
            predicted = targets != IGNORED
            assert (targets[predicted] == self.IDS[predicted]).all()
            assert (ids[~predicted] == self.IDS[~predicted]).all()
            assert not predicted[[0, -1]].any()
            hidden += predicted.sum()
            masked += (ids[predicted] == 1).sum()
            kept += (ids[predicted] == self.IDS[predicted]).sum()
        assert hidden / (400 * 40) == pytest.approx(0.15, abs=0.01)
        assert masked / hidden == pytest.approx(0.8, abs=0.03)
        assert kept / hidden == pytest.approx(0.1, abs=0.03)

    def test_at_least_one_token_is_predicted(self) -> None:
        for seed in range(20):
            assert (self.apply(seed, share=1e-9)[1] != IGNORED).sum() == 1

    def test_a_text_of_special_tokens_has_nothing_to_predict(self) -> None:
        ids, targets = MASKING.apply(np.array([2, 3]), np.random.default_rng(0))
        assert ids.tolist() == [2, 3]
        assert (targets == IGNORED).all()


def gradients(task: TokenPrediction, threads: int) -> tuple[float, dict[str, Tensor]]:
    task.module.eval()
    total = 0.0
    for share in task.shares(next(task.steps(1)), threads):
        for part in share:
            loss = task.loss(task.module, part)
            loss.backward()
            total += loss.item()
    found = {n: p.grad for n, p in task.module.named_parameters() if p.grad is not None}
    return total, found


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_the_gradient_does_not_depend_on_the_threads(
    toy_backbone: Backbones,
    toy_reviews: Reviews,
    monkeypatch: pytest.MonkeyPatch,
    family: str,
) -> None:
    monkeypatch.setattr("thawline.inference.examples.MIN_TOKENS_PER_THREAD", 1)
    backbone = load_backbone(str(toy_backbone(family)))
    loss, expected = gradients(objective(backbone, toy_reviews(8)[0]), 1)
    again, found = gradients(objective(backbone, toy_reviews(8)[0]), 3)
    assert again == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)


def test_each_epoch_masks_other_tokens_and_each_evaluation_the_same(
    toy_backbone: Backbones, toy_reviews: Reviews
) -> None:
    task = objective(load_backbone(str(toy_backbone("bert"))), toy_reviews(8)[0])
    with torch.inference_mode():
        assert task.evaluate() == task.evaluate()
    batches = {}
    for epoch in (1, 2):
        ((part,),) = task.shares(next(task.steps(epoch)), threads=1)
        ((again,),) = task.shares(next(task.steps(epoch)), threads=1)
        assert torch.equal(part.batch.targets, again.batch.targets)
        batches[epoch] = {tuple(row) for row in part.batch.targets.tolist()}
    assert batches[1] != batches[2]


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_a_head_of_the_checkpoint_is_used(tmp_path: Path, family: str) -> None:
    auto = AutoModelForCausalLM if family == "qwen3" else AutoModelForMaskedLM
    torch.manual_seed(5)
    saved = auto.from_config(toy_config(family)).eval()
    saved.save_pretrained(tmp_path)
    toy_tokenizer(causal=family == "qwen3").save_pretrained(tmp_path)
    model, has_head = build_token_model(load_backbone(str(tmp_path)))
    ids = torch.randint(4, len(WORDS), (2, 9), generator=torch.Generator().manual_seed(1))
    assert has_head
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=ids).logits, saved(input_ids=ids).logits)


@pytest.mark.parametrize("family", MODELS)
def test_without_a_head_the_output_layer_shares_the_embeddings(
    toy_backbone: Backbones, family: str
) -> None:
    backbone = load_backbone(str(toy_backbone(family)))
    model, has_head = build_token_model(backbone)
    assert not has_head
    output, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    assert output.weight is embeddings.weight
    own = backbone.stack.model.state_dict()
    base = model.base_model.state_dict()
    assert all(torch.equal(base[name], own[name]) for name in base)
    assert (
        model.get_input_embeddings().weight
        is not backbone.stack.model.get_input_embeddings().weight
    )
