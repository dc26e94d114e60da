"""Training the last blocks, adapters and the whole backbone of toy models."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.support.command_line import ProverHere, save_here, write_set
from tests.support.tasks import FP32, make_task
from tests.support.toys import DEPTH
from thawline import TextClassifier
from thawline.backbones.operations import forward_operations, trained_stages, training_operations
from thawline.backbones.stack import Stack
from thawline.config import Config, DataConfig, HeadConfig, TrainingConfig
from thawline.errors import ThawlineError
from thawline.inference.predictor import example_logits
from thawline.jobs.evaluate import evaluate_run
from thawline.jobs.fit import fit_run
from thawline.runtime.progress import Reporter
from thawline.strategies import Gradual
from thawline.training.adapt import adapt
from thawline.training.blocks import make_classifier
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.suffix import Suffix
from thawline.training.thawing import Thawing

pytestmark = pytest.mark.e2e

Backbones = Callable[..., Path]
Reviews = Callable[..., tuple[list[str], list[int]]]
WAYS = {
    "last:1": ("last:1", "native", 3e-3),
    "last:2": ("last:2", "linear", 3e-3),
    "lora": ("lora:r=8", "linear", 3e-2),
    "lora:from=3": ("lora:r=4,from=3", "mlp:16", 3e-2),
    "dora": ("lora:r=8,dora=true", "linear", 3e-2),
    "full": ("full", "linear", 1e-3),
    "gradual": ("gradual", "linear", 3e-3),
    "bitfit": ("bitfit", "linear", 3e-2),
}
WITHOUT_BIASES = {"modernbert", "qwen3", "llama"}


@pytest.fixture(autouse=True)
def _prove_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)


@pytest.mark.parametrize("way", WAYS)
def test_it_learns_saves_loads_and_predicts_the_same(
    toy_backbone: Backbones, toy_reviews: Reviews, tmp_path: Path, way: str
) -> None:
    strategy, head, lr = WAYS[way]
    classifier = TextClassifier(
        toy_backbone("distilbert"),
        strategy,
        head=head,
        pooling=None if head == "native" else "mean",
        epochs=8,
        lr=lr,
        batch_size=8,
        dtype="float32",
    )
    classifier.fit(*toy_reviews(160, 1))
    texts, labels = toy_reviews(60, 2)
    assert (classifier.predict(texts) == labels).mean() >= 0.75
    save_here(classifier, tmp_path / "saved")
    loaded = TextClassifier.load(tmp_path / "saved")
    shares = classifier.predict_proba(texts, dtype="float32")
    np.testing.assert_allclose(loaded.predict_proba(texts, dtype="float32"), shares, atol=1e-6)
    assert (loaded.predict(texts) == classifier.predict(texts)).all()


def state(task: Any) -> dict[str, Tensor]:
    return copy.deepcopy(task.backbone.stack.model.state_dict())


@pytest.mark.parametrize("family", ["bert", "modernbert", "qwen3"])
@pytest.mark.parametrize("way", WAYS)
def test_weights_before_the_line_stay_and_those_above_it_move(
    toy_backbone: Backbones, toy_reviews: Reviews, family: str, way: str
) -> None:
    strategy, head, _ = WAYS[way]
    if strategy == "bitfit" and family in WITHOUT_BIASES:
        with pytest.raises(ThawlineError) as caught:
            make_task(toy_backbone(family), {}, strategy)
        assert (caught.value.setting, family in caught.value.found) == ("strategy", True)
        return
    parts = {"train": toy_reviews(16, 1), "validation": toy_reviews(6, 2)}
    task = make_task(
        toy_backbone(family), parts, strategy, head=HeadConfig(head), epochs=1, lr=1e-2
    )
    before = state(task)
    adapted = adapt(task, Reporter())
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(task).items())
    model = adapted.fitted.model
    stack, pretrained = Stack(model.base_model), task.backbone.stack
    for stage in range(DEPTH + 1):
        for part, old in zip(stack.modules_of(stage), pretrained.modules_of(stage), strict=False):
            now = {
                name.replace("base_layer.", ""): tensor
                for name, tensor in part.state_dict().items()
            }
            same = [torch.equal(now[name], tensor) for name, tensor in old.state_dict().items()]
            adapters = [tensor for name, tensor in now.items() if ".lora_B" in name]
            if stage < task.plan.line or adapted.fitted.adapter is not None:
                assert all(same), (stage, way)
            elif part is not getattr(model.base_model, "pooler", None):
                assert not all(same), (stage, way)
            assert all(tensor.any() for tensor in adapters)
            if adapters:
                assert stage >= task.plan.line
    assert not any(module.training for module in model.modules())


def test_bitfit_trains_the_biases_of_all_blocks_and_the_head(
    toy_backbone: Backbones, toy_reviews: Reviews
) -> None:
    parts = {"train": toy_reviews(16, 1), "validation": toy_reviews(6, 2)}
    task = make_task(toy_backbone("bert"), parts, "bitfit", epochs=1, lr=1e-2, keep="last")
    adapted = adapt(task, Reporter())
    trained = {n for n, p in adapted.fitted.model.named_parameters() if p.requires_grad}
    in_blocks = {name for name in trained if ".encoder." in name}
    biases = {
        name
        for name, _ in adapted.fitted.model.named_parameters()
        if ".encoder." in name and name.endswith(".bias")
    }
    assert in_blocks == biases
    assert len(biases) == DEPTH * 8
    assert not any(".embeddings." in name for name in trained)
    before, now = state(task), adapted.fitted.model.base_model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], now[name])}
    assert changed
    assert all(name.startswith("encoder.") and name.endswith(".bias") for name in changed)


class Snapshots:
    """Keep the weights of the first evaluation and of the end of each epoch."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []

    def restore(self, training: Any) -> None:
        self.save(training)

    def save(self, training: Any) -> None:
        tensors, _ = training.state()
        self.weights.append({name: tensor.clone() for name, tensor in tensors.items()})


@pytest.mark.parametrize(("stages", "epochs"), [(None, 3), (2, 4), (None, DEPTH + 2)])
def test_gradual_trains_one_more_stage_in_each_epoch(
    toy_backbone: Backbones, toy_reviews: Reviews, stages: int | None, epochs: int
) -> None:
    strategy = "gradual" if stages is None else f"gradual:stages={stages}"
    parts = {"train": toy_reviews(24, 1), "validation": toy_reviews(10, 2)}
    task = make_task(toy_backbone("bert"), parts, strategy, epochs=epochs, lr=1e-3)
    most = min(epochs, DEPTH + 1) if stages is None else stages
    assert task.plan.line == DEPTH + 1 - most
    kept = Snapshots()
    adapted = adapt(task, Reporter(), kept)
    trained = [min(epoch, most) for epoch in range(1, epochs + 1)]
    assert [row["stages"] for row in adapted.history] == [0, *trained]
    for epoch, number in enumerate(trained, 1):
        before, after = kept.weights[epoch - 1], kept.weights[epoch]
        changed = {
            stage
            for name in before
            if name.startswith("learnt.") and not torch.equal(before[name], after[name])
            for stage in [stage_of(name)]
            if stage is not None
        }
        assert changed == set(range(DEPTH + 1 - number, DEPTH + 1))
    # All stages that were planned to train count as trainable, also if the best epoch is early.
    as_last = make_task(toy_backbone("bert"), parts, f"last:{min(most, DEPTH)}", epochs=1, lr=1e-3)
    trainable = adapt(as_last, Reporter()).parameters["trainable"]
    embeddings = sum(p.numel() for p in task.backbone.stack.model.embeddings.parameters())
    assert adapted.parameters["trainable"] == trainable + embeddings * (most > DEPTH)


class Stopped(Exception):
    pass


def test_gradual_is_resumed_bit_for_bit(
    toy_backbone: Backbones, toy_reviews: Reviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"train": toy_reviews(24, 1), "validation": toy_reviews(10, 2)}
    settings = {"epochs": 3, "lr": 1e-3, "keep": "last", "checkpoint_every": 2}
    task = make_task(toy_backbone("bert"), parts, "gradual", **settings)
    whole = adapt(task, Reporter()).fitted.model.state_dict()
    original = CheckpointFolder.save

    def save(self: CheckpointFolder, training: Any) -> None:
        original(self, training)
        if training.done == 4:  # within the second epoch
            raise Stopped

    monkeypatch.setattr(CheckpointFolder, "save", save)
    with pytest.raises(Stopped):
        adapt(task, Reporter(), CheckpointFolder(tmp_path / "checkpoints"))
    resumed = adapt(task, Reporter(), CheckpointFolder(tmp_path / "checkpoints"))
    assert [row["stages"] for row in resumed.history] == [0, 1, 2, 3]
    found = resumed.fitted.model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())


def stage_of(name: str) -> int | None:
    """Return the stage of a weight. None for those of the head, and of the pooler."""
    if ".embeddings." in name:
        return 0
    return int(name.partition(".layer.")[2].partition(".")[0]) + 1 if ".layer." in name else None


def test_the_operations_of_gradual_are_those_of_the_stages_of_each_epoch(
    toy_backbone: Backbones, toy_reviews: Reviews
) -> None:
    parts = {"train": toy_reviews(24, 1), "validation": toy_reviews(10, 2)}
    task = make_task(toy_backbone("bert"), parts, "gradual", epochs=2, lr=1e-3)
    adapted = adapt(task, Reporter())
    stack, line = Stack(adapted.fitted.model.base_model), DEPTH - 1
    lengths = {part: task.frozen.lengths(part) for part in parts}
    evaluation = forward_operations(stack, lengths["validation"], trained_stages(line, DEPTH))
    both = training_operations(stack, lengths["train"], line)
    stack.freeze(DEPTH)
    one = training_operations(stack, lengths["train"], line)
    assert one < both
    assert adapted.operations == pytest.approx(one + both + 3 * evaluation)


def test_gradual_gives_lower_blocks_lower_learning_rates(
    toy_backbone: Backbones, toy_reviews: Reviews
) -> None:
    task = make_task(toy_backbone("bert"), {"train": toy_reviews(8, 1)}, "gradual", epochs=9)
    model, _ = make_classifier(task)
    suffix = Suffix(model, 0, "mean", use_bf16=False)
    factors = Thawing(suffix, Gradual(DEPTH + 1)).factors()
    found = {
        (stage_of(name), round(factors.get(id(parameter), 1.0) * 2.6**DEPTH, 6))
        for name, parameter in suffix.named_parameters()
        if "pooler" not in name
    }
    rates = {stage: round(2.6**stage, 6) for stage in range(DEPTH + 1)}
    assert found == {*rates.items(), (None, rates[DEPTH])}


@pytest.mark.parametrize("strategy", ["last:1", "lora", "full", "bitfit"])
def test_the_operations_are_those_of_all_steps_and_evaluations(
    toy_backbone: Backbones, toy_reviews: Reviews, strategy: str
) -> None:
    parts = {"train": toy_reviews(24, 1), "validation": toy_reviews(10, 2)}
    task = make_task(toy_backbone("bert"), parts, strategy, epochs=3, lr=1e-3)
    adapted = adapt(task, Reporter())
    stack, line = Stack(adapted.fitted.model.base_model), task.plan.line
    lengths = {part: task.frozen.lengths(part) for part in parts}
    epoch = training_operations(stack, lengths["train"], line)
    evaluation = forward_operations(stack, lengths["validation"], trained_stages(line, DEPTH))
    assert adapted.operations == pytest.approx(3 * epoch + 4 * evaluation)
    assert min(epoch, evaluation) > 0


@pytest.mark.parametrize("way", WAYS)
def test_the_classifier_is_the_best_evaluation_of_its_history(
    toy_backbone: Backbones, toy_reviews: Reviews, way: str
) -> None:
    strategy, head, lr = WAYS[way]
    parts = {"train": toy_reviews(24, 1), "validation": toy_reviews(10, 2)}
    settings = {"head": HeadConfig(head), "epochs": 3, "lr": lr, "evaluate_every": 2}
    task = make_task(toy_backbone("bert"), parts, strategy, **settings)
    adapted = adapt(task, Reporter())
    assert [row["step"] for row in adapted.history] == [0, 2, 3, 4, 6, 8, 9]
    (kept,) = [row for row in adapted.history if row["kept"]]
    for logits, row in ((adapted.logits, kept), (adapted.untrained, adapted.history[0])):
        found = torch.from_numpy(logits("validation"))
        loss = torch.nn.functional.cross_entropy(found, task.ids("validation"))
        assert float(loss) == pytest.approx(row["validation_loss"], abs=1e-6)
    # Asking for the untrained classifier leaves the trained one in place.
    assert np.array_equal(adapted.logits("train"), adapted.logits("train"))
    assert not np.array_equal(adapted.untrained("train"), adapted.logits("train"))
    assert adapted.density == task.objective(torch.nn.Identity(), task.frozen.examples).density()


def learnt(run: str) -> dict[str, Tensor]:
    return {
        f"{path.name} {name}": tensor
        for path in Path(run, "model").rglob("*.safetensors")
        for name, tensor in load_file(path).items()
    }


@pytest.fixture
def config(toy_backbone: Backbones, toy_reviews: Reviews) -> Callable[..., Config]:
    splits = {"train": toy_reviews(40, 1), "test": toy_reviews(16, 2)}
    data = DataConfig(data=str(write_set(Path("reviews"), splits)), labels=("neg", "pos"))

    def make(strategy: str, **training: Any) -> Config:
        given = TrainingConfig(**{"epochs": 2, "lr": 1e-3, "batch_size": 8} | training)
        return Config(str(toy_backbone()), strategy, data=data, compute=FP32, training=given)

    return make


@pytest.mark.parametrize("strategy", ["last:2", "lora:from=3"])
def test_states_computed_again_end_where_stored_ones_do(
    config: Callable[..., Config], strategy: str
) -> None:
    stored = config(strategy)
    again = replace(stored, compute=replace(FP32, store_limit=0))
    with pytest.warns(UserWarning, match=r"\bline 3\b"):
        second = fit_run(again, Path("again"), Reporter()).to_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = fit_run(stored, Path("stored"), Reporter()).to_dict()
    assert (first["store"] is None, second["store"] is None) == (False, True)
    one, other = learnt("stored"), learnt("again")
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=0, atol=1e-5, msg=name)
    assert second["test"]["accuracy"] == first["test"]["accuracy"]


@pytest.mark.parametrize("strategy", ["last:1", "lora:r=2", "full", "gradual:stages=1"])
def test_a_run_records_what_trained_and_scores_the_same_when_it_is_loaded(
    config: Callable[..., Config], strategy: str
) -> None:
    record = fit_run(config(strategy), Path("run"), Reporter()).to_dict()
    assert record["status"] == "finished"
    assert record["proof"]["difference"] <= 1e-5
    trained = record["parameters"]["trained"]
    part = "adapters" if strategy.startswith("lora") else "backbone"
    assert set(trained) == {part, "head"}
    assert sum(trained.values()) == record["parameters"]["trainable"]
    assert (record["store"] is None) == (strategy in ("lora:r=2", "full"))
    again = evaluate_run(Path("run"), None, "test", FP32, Reporter()).to_dict()
    assert again["accuracy"] == record["test"]["accuracy"]
    assert again["loss"]["value"] == pytest.approx(record["test"]["loss"]["value"], abs=1e-5)


def test_the_blocks_below_the_line_run_once_for_the_whole_job(
    config: Callable[..., Config],
) -> None:
    first = fit_run(config("last:1", epochs=1), Path("first"), Reporter()).to_dict()
    assert first["prefix"]["texts"] == 56
    more = fit_run(config("last:1", epochs=3), Path("more"), Reporter()).to_dict()
    assert more["prefix"]["texts"] == 0
    assert more["store"] == first["store"]


def test_autocast_gives_the_labels_of_fp32(toy_backbone: Backbones, toy_reviews: Reviews) -> None:
    parts = {"train": toy_reviews(160, 1), "validation": toy_reviews(300, 2)}
    strategy, head, lr = WAYS["last:2"]
    task = make_task(toy_backbone("bert"), parts, strategy, head=HeadConfig(head), epochs=4, lr=lr)
    adapted = adapt(task, Reporter())
    exact = adapted.logits("validation").argmax(1)
    assert (exact == task.parts["validation"].labels).mean() > 0.75
    low = Suffix(adapted.fitted.model, task.plan.line, task.plan.pooling, use_bf16=True)
    found = example_logits(low, task.frozen.examples["validation"], FP32.density).argmax(1)
    assert (found == exact).mean() >= 0.99
