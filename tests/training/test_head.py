"""Training the head alone: what changes, what is reported, and the baseline."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.support import tasks
from tests.support.tasks import LABELS
from tests.support.toys import DEPTH, FAMILIES, OWN, WIDTH
from thawline.config import HeadConfig
from thawline.data import LabelledTexts, Labels, Text
from thawline.inference.predictor import head_logits
from thawline.models.heads import NativeHead, build_head
from thawline.runtime.progress import Reporter
from thawline.store import text_key
from thawline.training.adapt import Adapted, Task, adapt

MakeTask = Callable[..., Task]


@pytest.fixture
def make_task(
    toy_backbone: Callable[[str], Path], toy_reviews: Callable[..., tuple[list[str], list[int]]]
) -> MakeTask:
    """Return a function that makes a task with 48 training and 16 validation reviews."""

    def make(
        family: str = "bert",
        head: str = HeadConfig.head,
        features: str | None = "last",
        epochs: int | None = None,
        lr: float | None = None,
        seed: int = 0,
        classes: int = 2,
        **settings: Any,
    ) -> Task:
        parts = {
            name: (toy_reviews(rows, seed=rows)[0], (np.arange(rows) % classes).tolist())
            for name, rows in {"train": 48, "validation": 16}.items()
        }
        return tasks.make_task(
            toy_backbone(family),
            parts,
            seed=seed,
            head=HeadConfig(head=head, features=features, **settings),
            labels=LABELS if classes == 2 else Labels(("a", "b", "c"), (0, 1, 2)),
            epochs=epochs,
            lr=lr,
        )

    return make


def weights_of(task: Task) -> dict[str, Tensor]:
    return copy.deepcopy(task.backbone.stack.model.state_dict())


def accuracy(logits: NDArray[np.float32], labelled: LabelledTexts) -> float:
    return float((logits.argmax(1) == labelled.labels).mean())


def run(task: Task) -> Adapted:
    return adapt(task, Reporter())


KINDS = {
    "exact": {"head": "linear"},
    "linear": {"head": "linear", "epochs": 2, "lr": 1e-2},
    "mlp": {"head": "mlp:6", "epochs": 2, "lr": 1e-2},
    "native": {"head": "native", "epochs": 2, "lr": 1e-2},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["bert", "modernbert", "qwen3"])
def test_the_backbone_stays_as_it_was(make_task: MakeTask, family: str, kind: str) -> None:
    task = make_task(family, **KINDS[kind])
    before = weights_of(task)
    adapted = run(task)
    for name, tensor in adapted.fitted.as_backbone().stack.model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert not adapted.fitted.model.training


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_learns_what_its_features_tell(make_task: MakeTask, kind: str) -> None:
    longer = KINDS[kind] if kind == "exact" else KINDS[kind] | {"epochs": 8, "lr": 3e-2}
    task = make_task("qwen3", **longer)
    adapted = run(task)
    assert accuracy(adapted.logits("train"), task.parts["train"]) > 0.8


@pytest.mark.parametrize(
    ("settings", "trainable"),
    [
        ({"head": "linear"}, 2 * WIDTH + 2),
        ({"head": "linear", "features": "layers"}, 2 * WIDTH * (DEPTH + 1) + 2),
        ({"head": "mlp:6", "epochs": 1}, WIDTH * 6 + 6 + 6 * 2 + 2),
        ({"head": "native", "epochs": 1}, 2 * WIDTH + 2),
    ],
)
def test_parameters_are_counted_on_either_side_of_the_line(
    make_task: MakeTask, settings: dict[str, Any], trainable: int
) -> None:
    task = make_task(**settings)
    backbone = sum(p.numel() for p in task.backbone.stack.model.parameters())
    assert run(task).parameters == {
        "trainable": trainable,
        "frozen": backbone,
        "total": backbone + trainable,
    }


def test_an_exact_fit_tells_its_choice_and_has_no_history(make_task: MakeTask) -> None:
    adapted = run(make_task(features=None))
    assert adapted.history == []
    tried = {tuple(step["stages"]) for step in adapted.choice}
    assert tried == {(stage,) for stage in range(DEPTH + 1)} | {tuple(range(DEPTH + 1))}
    least = min(adapted.choice, key=lambda step: step["loss"])
    assert adapted.fitted.reading.stages == tuple(least["stages"])
    assert adapted.seconds > 0


@pytest.mark.parametrize("kind", ["linear", "mlp", "native"])
def test_training_by_epochs_tells_its_history_and_has_no_choice(
    make_task: MakeTask, kind: str
) -> None:
    adapted = run(make_task(**KINDS[kind]))
    assert [row["epoch"] for row in adapted.history] == [0, 1, 2]
    assert adapted.choice == []


@pytest.mark.parametrize("kind", ["linear", "mlp", "native"])
def test_the_baseline_is_the_head_of_epoch_0(make_task: MakeTask, kind: str) -> None:
    task = make_task(**KINDS[kind])
    adapted = run(task)
    logits, validation = adapted.untrained("validation"), task.parts["validation"]
    assert accuracy(logits, validation) == adapted.history[0]["validation_accuracy"]
    log_shares = torch.from_numpy(logits).log_softmax(1)
    loss = -float(log_shares[torch.arange(16), torch.from_numpy(validation.labels)].mean())
    assert loss == pytest.approx(adapted.history[0]["validation_loss"], abs=1e-5)


@pytest.mark.parametrize("kind", ["linear", "mlp", "native"])
def test_the_classifier_is_the_best_epoch_of_its_history(make_task: MakeTask, kind: str) -> None:
    task = make_task("qwen3", **(KINDS[kind] | {"epochs": 4}))
    adapted = run(task)
    logits = torch.from_numpy(adapted.logits("validation"))
    best = max(adapted.history[1:], key=lambda row: (row["validation_accuracy"], row["step"]))
    loss = torch.nn.functional.cross_entropy(logits, task.ids("validation"))
    assert float(loss) == pytest.approx(best["validation_loss"], abs=1e-5)
    assert [row["step"] for row in adapted.history if row["kept"]] == [best["step"]]


@pytest.mark.parametrize(("wanted", "stage"), [(None, DEPTH), ("1", 1)])
def test_the_baseline_of_an_exact_fit_is_a_fresh_head_on_one_stage(
    make_task: MakeTask, wanted: str | None, stage: int
) -> None:
    task = make_task(features=wanted, seed=5)
    adapted = run(task)
    entry = task.frozen.entry
    assert entry is not None
    torch.manual_seed(5)
    fresh = build_head(task.plan.head, WIDTH, 2, 0.0).eval()
    features = entry.features(task.parts["validation"].texts, (stage,), "mean")
    assert np.array_equal(adapted.untrained("validation"), head_logits(fresh, features))
    assert not torch.equal(fresh[0].weight, adapted.fitted.head_module()[0].weight)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_head(make_task: MakeTask, kind: str) -> None:
    heads = []
    for disturb, seed in ((1, 3), (2, 3), (1, 4)):
        task = make_task(seed=seed, **KINDS[kind])
        torch.manual_seed(disturb)
        heads.append(run(task).fitted.head_module().state_dict())
    first, same, other = heads
    assert all(torch.equal(first[name], same[name]) for name in first)
    # The exact fit has one optimum, whatever the seed.
    equal = all(torch.equal(first[name], other[name]) for name in first)
    assert equal == (kind == "exact")


@pytest.mark.parametrize("kind", ["exact", "linear", "mlp"])
def test_standardising_the_features_changes_the_head(make_task: MakeTask, kind: str) -> None:
    heads = [
        run(make_task(standardise=choice, **KINDS[kind])).fitted.head_module()
        for choice in (True, False)
    ]
    one, other = (next(p for p in head.parameters() if p.dim() == 2) for head in heads)
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_a_native_head_is_trained_whole(make_task: MakeTask, family: str) -> None:
    adapted = run(make_task(family, **KINDS["native"]))
    model = adapted.fitted.model
    assert type(model).__name__.endswith("ForSequenceClassification")
    home = "thawline.backbones.glove" if family in OWN else "transformers.models"
    assert type(model).__module__.startswith(f"{home}.")
    trains = [name for name, p in NativeHead(model).named_parameters() if p.requires_grad]
    beyond_the_base = {
        name for name, _ in model.named_parameters() if not name.startswith(model.base_model_prefix)
    }
    assert {name.removeprefix("shell.") for name in trains} == beyond_the_base


@pytest.mark.parametrize("kind", KINDS)
def test_labels_go_into_the_model_s_config(make_task: MakeTask, kind: str) -> None:
    config = run(make_task(**KINDS[kind])).fitted.model.config
    assert config.id2label == {0: "neg", 1: "pos"}
    assert config.label2id == {"neg": 0, "pos": 1}
    assert config.num_labels == 2


@pytest.mark.parametrize("kind", KINDS)
def test_how_texts_are_read_goes_with_the_classifier(make_task: MakeTask, kind: str) -> None:
    task = make_task("qwen3", **KINDS[kind])
    fitted = run(task).fitted
    assert (fitted.reading.max_length, fitted.reading.truncation_side) == (40, "right")
    assert fitted.reading.pooling == ("last" if kind == "native" else "mean")
    assert fitted.reading.stages == (DEPTH,)
    assert (str(fitted.head), fitted.strategy) == (KINDS[kind]["head"], "head")
    assert fitted.labels == LABELS


def test_the_dropout_of_an_mlp_is_the_config_s(make_task: MakeTask) -> None:
    task = make_task(**KINDS["mlp"], dropout=0.35)
    adapted = run(task)
    assert [m.p for m in adapted.fitted.head_module() if isinstance(m, torch.nn.Dropout)] == [
        0.35,
        0.35,
    ]
    assert adapted.fitted.model.config.head_dropout == 0.35


@pytest.mark.parametrize("kind", ["exact", "native"])
def test_three_classes(make_task: MakeTask, kind: str) -> None:
    task = make_task(classes=3, **KINDS[kind])
    adapted = run(task)
    assert adapted.logits("train").shape == (48, 3)
    assert adapted.parameters["trainable"] == 3 * WIDTH + 3
    assert adapted.fitted.model.config.num_labels == 3


def test_an_exact_fit_hashes_each_text_once(
    make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Text] = []

    def counted(text: Text) -> bytes:
        hashed.append(text)
        return text_key(text)

    # Nothing else may hash a text: these are all the places that know the function.
    modules = [module for name, module in sys.modules.items() if name.startswith("thawline")]
    for module in modules:
        if vars(module).get("text_key") is text_key:
            monkeypatch.setattr(module, "text_key", counted)
    task = make_task(features=None)  # It chooses from all stages.
    adapted = run(task)
    for split in ("train", "validation"):
        adapted.logits(split)
        task.frozen.lengths(split)
    assert task.frozen.describe() is not None
    assert len(task.plan.candidates) == DEPTH + 2
    assert sorted(hashed) == sorted(text for part in task.parts.values() for text in part.texts)
