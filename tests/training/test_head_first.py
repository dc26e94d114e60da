"""Training the head first: it is at its optimum when the strategy that follows starts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
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
from tests.support.toys import FAMILIES
from thawline import HeadFirst, Lora, TextClassifier, artifact
from thawline.config import (
    ArtifactConfig,
    ComputeConfig,
    Config,
    DataConfig,
    HeadConfig,
    TrainingConfig,
)
from thawline.inference.fitted import head_weights
from thawline.jobs.evaluate import evaluate_run
from thawline.jobs.fit import fit_run
from thawline.runtime.progress import Reporter
from thawline.training.adapt import Adapted, Task, adapt
from thawline.training.steps import Training

pytestmark = pytest.mark.e2e

Backbones = Callable[..., Path]
Reviews = Callable[..., tuple[list[str], list[int]]]
MakeTask = Callable[..., Task]
STRATEGIES = ["lp+last:2", "lp+lora:r=4", "lp+lora:r=4,from=3", "lp+full"]
HEADS = ["linear", "mlp:8", "native"]
STILL = {"epochs": 1, "batch_size": 40, "lr": 1e-9}
"""Settings under which the only training step changes no weight by more than rounding."""


class Notebook(Reporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def message(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def _prove_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)


@pytest.fixture
def make(toy_backbone: Backbones, toy_reviews: Reviews) -> MakeTask:
    """Return a function that makes a task with 40 training and 16 validation reviews."""

    def give(strategy: str, head: str = "linear", family: str = "bert", **settings: Any) -> Task:
        parts = {"train": toy_reviews(40, 1), "validation": toy_reviews(16, 2)}
        own = HeadConfig(head, features="last", dropout=settings.pop("dropout", None))
        return make_task(toy_backbone(family), parts, strategy, head=own, **settings)

    return give


def run(task: Task) -> Adapted:
    return adapt(task, Reporter())


def first_epochs(head: str) -> dict[str, int]:
    """Return the setting of two epochs of the head alone, if it is trained by epochs."""
    return {} if head == "linear" else {"head_first_epochs": 2}


def weights_of_head(adapted: Adapted) -> dict[str, Tensor]:
    return head_weights(adapted.fitted.model, adapted.fitted.head)


@pytest.mark.parametrize(
    ("strategy", "family"),
    [*((one, "bert") for one in STRATEGIES), *(("lp+last:2", family) for family in FAMILIES[1:])],
)
def test_what_follows_starts_from_the_logits_of_the_exact_head(
    make: MakeTask, strategy: str, family: str
) -> None:
    alone, adapted = (
        run(make("head", "linear", family)),
        run(make(strategy, family=family, **STILL)),
    )
    for part in ("train", "validation"):
        np.testing.assert_allclose(adapted.logits(part), alone.logits(part), atol=1e-4)
    assert adapted.first is not None
    assert adapted.first.choice == alone.choice
    assert adapted.first.history == adapted.choice == []
    best = min(alone.choice, key=lambda step: step["loss"])
    row = adapted.history[0]
    assert (row["epoch"], row["train_loss"]) == (0, None)
    assert row["validation_loss"] == pytest.approx(best["loss"], abs=1e-4)
    assert row["validation_accuracy"] == pytest.approx(best["accuracy"])


def test_in_bf16_it_starts_there_within_what_bf16_can_tell(make: MakeTask) -> None:
    low = ComputeConfig(dtype="bfloat16", device="cpu")
    exact = run(make("head", compute=low))
    adapted = run(make("lp+lora:r=4", compute=low, **STILL))
    expected, found = exact.logits("validation"), adapted.logits("validation")
    np.testing.assert_allclose(found, expected, atol=0.15)
    assert (found.argmax(1) == expected.argmax(1)).all()


@pytest.mark.parametrize("head", ["mlp:8", "native"])
@pytest.mark.parametrize("family", ["bert", "distilbert", "qwen3"])
def test_a_head_without_an_exact_fit_is_trained_by_epochs_first(
    make: MakeTask, family: str, head: str
) -> None:
    alone = run(make("head", head, family, epochs=4, batch_size=40))
    adapted = run(make("lp+full", head, family, head_first_epochs=4, **STILL))
    assert adapted.first is not None
    assert adapted.first.choice == []
    timeless = [
        [{name: row[name] for name in row if name != "seconds"} for row in history]
        for history in (adapted.first.history, alone.history)
    ]
    assert timeless[0] == timeless[1]
    assert [row["epoch"] for row in adapted.first.history] == [0, 1, 2, 3, 4]
    for part in ("train", "validation"):
        np.testing.assert_allclose(adapted.logits(part), alone.logits(part), atol=1e-4)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("strategy", ["lp+lora:r=4,from=3", "lp+full"])
def test_the_baseline_is_that_of_the_strategy_alone(
    make: MakeTask, strategy: str, head: str
) -> None:
    settings = {"epochs": 1, "lr": 1e-3}
    plain = run(make(strategy.removeprefix("lp+"), head, **settings))
    adapted = run(make(strategy, head, **settings))
    assert np.array_equal(adapted.untrained("validation"), plain.untrained("validation"))
    assert adapted.parameters == plain.parameters
    assert adapted.history[0] != plain.history[0]
    first, other = (row["validation_loss"] for row in (adapted.history[0], plain.history[0]))
    assert first < other
    assert plain.first is None


def test_it_trains_the_head_and_the_blocks_from_there(make: MakeTask) -> None:
    task = make("lp+last:2", epochs=3, lr=1e-2, keep="last")
    adapted, alone = run(task), run(make("head"))
    assert [row["epoch"] for row in adapted.history] == [0, 1, 2, 3]
    (kept,) = [row for row in adapted.history if row["kept"]]
    assert kept["epoch"] > 0
    weights, before = weights_of_head(adapted), weights_of_head(alone)
    assert weights.keys() == before.keys()
    assert not any(torch.equal(weights[name], before[name]) for name in weights)
    # The one backbone of both trainings is as it was.
    base = make("head").backbone.stack.model.state_dict()
    assert all(
        torch.equal(tensor, base[name])
        for name, tensor in task.backbone.stack.model.state_dict().items()
    )


@pytest.mark.parametrize("head", HEADS)
def test_it_is_the_same_whatever_was_drawn_before(make: MakeTask, head: str) -> None:
    settings = {"epochs": 1, "lr": 1e-2} | first_epochs(head)
    found = []
    for disturb in (1, 2):
        task = make("lp+lora:dropout=0.3", head, **settings)
        torch.manual_seed(disturb)
        found.append(run(task).logits("validation"))
    assert np.array_equal(*found)


def test_the_dropout_of_the_head_is_the_config_s(make: MakeTask) -> None:
    adapted = run(make("lp+full", "mlp:8", dropout=0.35, epochs=1, lr=1e-3))
    head = adapted.fitted.head_module()
    assert [m.p for m in head.modules() if isinstance(m, torch.nn.Dropout)] == [0.35, 0.35]


@pytest.mark.parametrize(("head", "by"), [("linear", "exact"), ("mlp:8", "epochs")])
def test_the_scores_of_the_head_are_reported(make: MakeTask, head: str, by: str) -> None:
    notebook = Notebook()
    first = adapt(make("lp+full", head, **STILL), notebook).first
    assert first is not None
    if by == "exact":
        best = min(first.choice, key=lambda step: step["loss"])
        loss, accuracy = best["loss"], best["accuracy"]
    else:
        (kept,) = [row for row in first.history if row["kept"]]
        loss, accuracy = kept["validation_loss"], kept["validation_accuracy"]
    scores = f"{loss:.3f}", f"{accuracy:.3f}"
    about_the_head = [note for note in notebook.notes if "head" in note]
    assert sum(all(score in note for score in scores) for note in about_the_head) == 1


# -- the whole job ---------------------------------------------------------------------------------


@pytest.fixture
def config(toy_backbone: Backbones, toy_reviews: Reviews, undrawn: None) -> Callable[..., Config]:
    splits = {"train": toy_reviews(40, 1), "test": toy_reviews(16, 2)}
    data = DataConfig(data=str(write_set(Path("reviews"), splits)), labels=("neg", "pos"))

    def give(strategy: str, head: str = "linear", **training: Any) -> Config:
        given = TrainingConfig(**{"epochs": 1, "lr": 1e-3, "batch_size": 8} | training)
        head_config = HeadConfig(head)
        return Config(
            str(toy_backbone()), strategy, data=data, compute=FP32, training=given, head=head_config
        )

    return give


@pytest.mark.parametrize(
    ("strategy", "head"),
    [
        *(("lp+last:1", "linear"), ("lp+last:1", "native")),
        *(("lp+lora:r=2", "linear"), ("lp+lora:r=2", "mlp:8"), ("lp+full", "linear")),
    ],
)
def test_a_run_records_both_phases_and_scores_the_same_when_it_is_loaded(
    config: Callable[..., Config], strategy: str, head: str
) -> None:
    record = fit_run(
        config(strategy, head, **first_epochs(head)), Path("run"), Reporter()
    ).to_dict()
    assert json.loads(json.dumps(record)) == json.loads(Path("run/record.json").read_text())
    fitted = artifact.load(Path("run"))
    assert record["status"] == "finished"
    assert record["strategy"] == fitted.strategy
    assert fitted.strategy.startswith(strategy)
    assert not fitted.is_frozen()
    assert (fitted.adapter is None) == ("lora" not in strategy)
    first = record["head_first"]
    assert (bool(first["choice"]), bool(first["history"])) == (head == "linear", head != "linear")
    assert record["seconds"]["head_first"] > 0
    assert record["seconds"]["total"] > sum(record["seconds"].values()) / 2
    assert first["store"] is not None
    assert (record["store"] is None) == ("last" not in strategy)
    assert record["store"] != first["store"]
    again = evaluate_run(Path("run"), None, "test", FP32, Reporter()).to_dict()
    assert again["accuracy"] == record["test"]["accuracy"]
    assert again["loss"]["value"] == pytest.approx(record["test"]["loss"]["value"], abs=1e-5)


def test_other_strategies_have_no_head_first(config: Callable[..., Config]) -> None:
    record = fit_run(config("last:1"), Path("run"), Reporter()).to_dict()
    assert record["head_first"] is None
    assert "head_first" not in record["seconds"]


def test_adapters_may_be_folded_in(config: Callable[..., Config]) -> None:
    merged = replace(config("lp+lora:r=2"), artifact=ArtifactConfig(merge=True))
    record = fit_run(merged, Path("run"), Reporter()).to_dict()
    assert record["proof"]["difference"] <= 1e-5
    assert artifact.load(Path("run")).adapter is None
    assert not Path("run/model/adapter").exists()


def test_both_entries_of_the_store_are_filled_once(config: Callable[..., Config]) -> None:
    first = fit_run(config("lp+last:1"), Path("first"), Reporter()).to_dict()
    assert first["prefix"]["texts"] == 56
    alone = fit_run(config("head"), Path("alone"), Reporter()).to_dict()
    assert alone["prefix"]["texts"] == 0
    assert alone["store"] == first["head_first"]["store"]
    again = fit_run(config("lp+last:1", epochs=2), Path("again"), Reporter()).to_dict()
    assert again["prefix"]["texts"] == 0
    assert again["store"] == first["store"]
    assert again["head_first"] == first["head_first"]
    plain = fit_run(config("last:1"), Path("plain"), Reporter()).to_dict()
    assert plain["prefix"]["texts"] == 0
    assert plain["store"] == first["store"]
    full = fit_run(config("lp+full"), Path("full"), Reporter()).to_dict()
    assert full["prefix"]["texts"] == 0
    assert (full["store"], full["head_first"]["store"]) == (None, alone["store"])


def test_without_room_in_the_store_it_ends_where_it_does_with_it(
    config: Callable[..., Config],
) -> None:
    stored = config("lp+last:2")
    again = replace(stored, compute=replace(FP32, store_limit=0))
    with pytest.warns(UserWarning, match=r"\bline 3\b"):
        second = fit_run(again, Path("again"), Reporter()).to_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = fit_run(stored, Path("stored"), Reporter()).to_dict()
    for row, other in zip(first["history"], second["history"], strict=True):
        assert row["validation_loss"] == pytest.approx(other["validation_loss"], abs=1e-5)
    assert second["test"]["accuracy"] == first["test"]["accuracy"]


@pytest.mark.parametrize(("head", "updates"), [("linear", [3, 4]), ("mlp:8", [2, 12, 13])])
def test_a_run_that_is_stopped_in_either_phase_ends_at_the_same_bits(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, head: str, updates: list[int]
) -> None:
    # 36 texts: 5 steps an epoch; the head of an MLP takes 10 before what follows takes its own 10.
    given = config(
        "lp+lora:dropout=0.2", head, epochs=2, lr=1e-2, checkpoint_every=2, **first_epochs(head)
    )
    whole = fit_run(given, Path("whole"), Reporter()).to_dict()
    update = Training.update
    for last in updates:
        left = iter(range(last))

        def stopped(training: Training, step: Any, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            update(training, step)

        with monkeypatch.context() as patch:
            patch.setattr(Training, "update", stopped)
            with pytest.raises(KeyboardInterrupt):
                fit_run(given, Path("stopped"), Reporter(), resume=True)
    again = fit_run(given, Path("stopped"), Reporter(), resume=True).to_dict()
    assert len(again["resumed"]) == len(updates)
    for key in ("test", "validation", "baseline", "store", "parameters"):
        assert again[key] == whole[key], key
    assert again["head_first"]["choice"] == whole["head_first"]["choice"]
    for path in Path("whole/model").rglob("*.safetensors"):
        other = load_file(Path("stopped/model", path.relative_to("whole/model")))
        assert all(torch.equal(tensor, other[name]) for name, tensor in load_file(path).items())


def test_the_estimator_takes_it_in_both_forms_with_its_parameters(
    toy_backbone: Backbones, toy_reviews: Reviews, tmp_path: Path
) -> None:
    settings = {"epochs": 2, "lr": 1e-2, "batch_size": 8, "dtype": "float32", "device": "cpu"}
    written = TextClassifier(toy_backbone(), "lp+lora:r=2", **settings)
    written.set_params(strategy__then__r=3)
    built = TextClassifier(toy_backbone(), HeadFirst(Lora(r=3)), **settings)
    texts, labels = toy_reviews(60, 3)
    shares = []
    for classifier in (written, built):
        classifier.fit(*toy_reviews(80, 1))
        assert [row["epoch"] for row in classifier.history_] == [0, 1, 2]
        shares.append(classifier.predict_proba(texts))
    assert np.array_equal(*shares)
    assert (shares[0].argmax(1) == labels).mean() >= 0.75
    save_here(built, tmp_path / "saved")
    loaded = TextClassifier.load(tmp_path / "saved")
    assert loaded.strategy == "lp+lora:r=3,alpha=32,dropout=0.1,from=1"
    np.testing.assert_allclose(loaded.predict_proba(texts), shares[0], atol=1e-6)


@pytest.mark.parametrize("keep", ["accuracy", "f1_macro", "loss"])
def test_a_start_that_is_the_best_is_kept(make: MakeTask, keep: str) -> None:
    task = make("lp+full", epochs=2, lr=1.0, keep=keep)  # a learning rate that ruins the weights
    adapted = run(task)
    column = {"accuracy": "validation_accuracy", "f1_macro": "validation_f1_macro"}.get(keep)
    start, *epochs = adapted.history
    scores = [row[column] if column else -row["validation_loss"] for row in (start, *epochs)]
    assert scores[0] == max(scores)
    assert [row["step"] for row in adapted.history if row["kept"]] == [0]
    logits = torch.from_numpy(adapted.logits("validation"))
    loss = torch.nn.functional.cross_entropy(logits, task.ids("validation"))
    assert float(loss) == pytest.approx(start["validation_loss"], abs=1e-5)


def test_the_last_weights_may_be_kept_instead(make: MakeTask) -> None:
    adapted = run(make("lp+full", epochs=2, lr=1.0, keep="last"))
    assert adapted.history[-1]["kept"]
