"""The work of a fit, counted before it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import write_set
from tests.support.toys import DEPTH, WIDTH
from thawline.backbones.opening import open_backbone
from thawline.compare import costs
from thawline.compare.costs import count_work, estimate_lengths, trained_stack
from thawline.compare.seconds import SECONDS, Work, predict_seconds
from thawline.config import ComputeConfig, Config, DataConfig, TrainingConfig
from thawline.data import Dataset, load
from thawline.pretraining.tapt import plan_adaptation
from thawline.runtime.progress import Reporter
from thawline.strategies import parse_strategy
from thawline.training.preparation import Prepared, prepare

TRAIN, TEST = 45, 20
"""Rows of train without validation, and of test."""


@pytest.fixture
def count(toy_backbone: Callable[..., Path], toy_reviews, tmp_path: Path) -> Callable[..., Work]:
    folder = write_set(tmp_path / "films", {"train": toy_reviews(50), "test": toy_reviews(20, 1)})
    dataset: Dataset = load(DataConfig(data=str(folder), labels=("neg", "pos")))

    def counted(strategy: str, family: str = "bert", augment: str | None = None) -> Work:
        training = TrainingConfig(augment=augment)
        config = Config(
            training=training,
            backbone=str(toy_backbone(family)),
            strategy=strategy,
            data=DataConfig(data=str(folder)),
            compute=ComputeConfig(dtype="float32"),
        )
        if strategy == "tfidf":
            data = DataConfig(data=str(folder))
            config = Config(strategy=strategy, data=data, training=training)
        fit = prepare(config, lambda: open_backbone(config, lambda: [], Reporter()))
        adaptation = None
        if isinstance(fit, Prepared):
            adaptation = plan_adaptation(fit.backbone, fit.plan, config, dataset.parts)
        return count_work(fit, dataset, estimate_lengths(fit, dataset), adaptation)

    return counted


def test_each_strategy_has_its_parts(count: Callable[..., Work]) -> None:
    parts = {
        "tfidf": {"words", "scores"},
        "head": {"tokenising", "prefix", "head", "scores"},
        "head+tfidf": {"tokenising", "prefix", "joint", "scores"},
        "last:1": {"tokenising", "prefix", "training", "scores"},
        "lora": {"tokenising", "training", "scores"},
        "full": {"tokenising", "training", "scores"},
        "gradual": {"tokenising", "prefix", "training", "scores"},
        "tapt+head": {"tapt", "tokenising", "prefix", "head", "scores"},
        "lp+full": {"tokenising", "prefix", "head", "training", "scores"},
    }
    for strategy, expected in parts.items():
        # The toy of BERT has no mask token.
        work = count(strategy, "qwen3" if strategy.startswith("tapt") else "bert")
        assert set(work) == expected | {"other"}, strategy
        for part, things in work.items():
            assert set(things) <= set(SECONDS[part]), (strategy, part)
            assert all(amount > 0 for amount in things.values()), (strategy, part)
        assert set(predict_seconds(work)) == set(work)


def test_more_trained_blocks_are_more_work(count: Callable[..., Work]) -> None:
    products = [count(f"last:{k}")["training"]["products_fp32"] for k in (1, 2, DEPTH)]
    products.append(count("full")["training"]["products_fp32"])
    assert products == sorted(products)
    assert products[0] < count("gradual")["training"]["products_fp32"] < products[-1]
    prefix = [count(f"last:{k}")["prefix"]["products_fp32"] for k in (2, 1)] + [
        count("head")["prefix"]["products_fp32"]
    ]
    assert prefix == sorted(prefix)
    # One pass computes the states at the line and the pooled states.
    assert count("lp+last:1")["prefix"] == count("head")["prefix"]


def test_work_on_activations_counts_only_on_a_cpu(
    count: Callable[..., Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_cpu = count("last:1")
    monkeypatch.setattr(costs, "pick_device", lambda device: "cuda")
    monkeypatch.setattr(costs, "matrix_rate", lambda dtype, device, bursts: 1e12)
    on_gpu = count("last:1")
    for part in ("prefix", "training", "scores"):
        assert set(on_cpu[part]) - set(on_gpu[part]) == {"tokens"}, part


def test_steps_and_features_are_counted_exactly(count: Callable[..., Work]) -> None:
    training = count("last:1")["training"]
    assert training["steps"] == 3 * 3  # epochs, and steps of 16 texts
    assert training["updates"] / training["steps"] > 4 * WIDTH**2
    head = count("head")["head"]
    stages = DEPTH + 1
    assert head["candidates"] == stages + 1
    assert head["features"] == TRAIN * WIDTH * 2 * stages
    assert head["logits"] == 2 * head["features"]


def test_altered_copies_are_more_texts(count: Callable[..., Work]) -> None:
    augment = "swap=0.1,copies=2"
    training = count("last:1", augment=augment)["training"]
    assert training["steps"] == 3 * 9  # epochs, and steps of 16 texts
    assert count("head", augment=augment)["prefix"]["texts"] == 3 * TRAIN + 5 + TEST
    plain, more = count("tfidf"), count("tfidf", augment=augment)
    assert more["words"]["outputs"] == 3 * plain["words"]["outputs"]
    assert more["scores"] == plain["scores"]


def test_the_layout_has_no_weights_and_marks_what_trains(
    toy_backbone: Callable[[], Path],
) -> None:
    config = Config(backbone=str(toy_backbone()))
    backbone = open_backbone(config, lambda: [], Reporter())
    stack = trained_stack(parse_strategy("last:1"), backbone)
    assert all(parameter.is_meta for parameter in stack.model.parameters())
    trained = {n for n, p in stack.model.named_parameters() if p.requires_grad}
    assert trained
    assert all(f".{DEPTH - 1}." in name or "pooler" in name for name in trained)
