"""Checkpoints that somebody changed and signed again are refused, before a value is used."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from tests.support.loops import objective
from thawline.config import TrainingConfig
from thawline.errors import ThawlineError
from thawline.training import checkpoints
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.steps import Training

FOLDER = Path("checkpoints")
State = tuple[dict[str, Tensor], dict[str, Any]]


def make(optimizer: str = "adamw") -> Training:
    task = objective(dropout=0.3)
    config = TrainingConfig(batch_size=8, evaluate_every=3, optimizer=optimizer)  # type: ignore[arg-type]
    return Training(task, config, epochs=3, lr=0.05, device="cpu")


def saved(optimizer: str = "adamw", steps: int = 4) -> Path:
    training = make(optimizer)
    training.evaluate()
    for _, step in zip(range(steps), training.steps(), strict=False):
        training.update(step)
        if training.is_due(3):
            training.evaluate()
    CheckpointFolder(FOLDER).save(training)
    (path,) = FOLDER.iterdir()
    return path


def change(path: Path, edit: Callable[[dict[str, Tensor], dict[str, Any]], object]) -> None:
    """Change a checkpoint and sign it again."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        values = json.loads(file.metadata()["thawline"])
    edit(tensors, values)
    metadata = {"thawline": json.dumps(values), "sha256": checkpoints._NO_DIGEST}
    path.write_bytes(checkpoints._with_digest(save(tensors, metadata=metadata)))


def set_value(key: str, value: Any) -> Callable[[dict[str, Tensor], dict[str, Any]], None]:
    def edit(tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        *parents, last = key.split(".")
        place: Any = values
        for parent in parents:
            place = place[int(parent) if isinstance(place, list) else parent]
        place[int(last) if isinstance(place, list) else last] = copy.deepcopy(value)

    return edit


VALUES: list[tuple[str, Any]] = [
    ("done", -1),
    ("done", 10**9),
    ("done", "4"),
    ("done", 4.0),
    ("done", True),
    ("done", None),
    ("history", []),
    ("history", {}),
    ("history.0", 5),
    ("history.0.step", "x"),
    ("history.0.step", -1),
    ("history.0.validation_accuracy", None),
    ("history.0.more", 1),
    ("groups", []),
    ("groups.0", {}),
    ("groups.0.0.lr", float("nan")),
    ("groups.0.0.lr", "x"),
    ("groups.0.0.betas", [0.9]),
    ("groups.0.0.more", 1),
    ("schedules", None),
    ("schedules.0.optimizer", 5),
    ("schedules.0.last_epoch", "4"),
    ("best_merit", "x"),
    ("best_step", "x"),
    ("waited", -1),
    ("since", [0.0, 0]),
    ("since.1", -8),
    ("since.0", float("inf")),
    ("right", [4]),
    ("right", [4, 5]),
    ("right.1", -1),
    ("more", 1),
]


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "sgd"])
@pytest.mark.parametrize("steps", [0, 1, 4, 15])
def test_the_own_checkpoint_is_accepted(optimizer: str, steps: int) -> None:
    path = saved(optimizer, steps)
    change(path, lambda tensors, values: None)
    training = make(optimizer)
    CheckpointFolder(FOLDER).restore(training)
    assert training.done == steps


def test_a_parameter_without_a_state_is_accepted() -> None:
    """The loss does not reach every parameter: BERT's pooler is unused with most heads."""
    path, training = saved(), make()

    def forget(tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        for name in [name for name in tensors if name.startswith("optimizer.0.1.")]:
            del tensors[name]

    change(path, forget)
    CheckpointFolder(FOLDER).restore(training)
    assert training.done == 4


@pytest.mark.parametrize(("key", "value"), VALUES, ids=lambda value: str(value)[:30])
def test_a_wrong_value_is_refused(key: str, value: Any) -> None:
    path, training = saved(), make()
    change(path, set_value(key, value))
    before = {name: tensor.clone() for name, tensor in training.state()[0].items()}
    with pytest.raises(ThawlineError) as caught:
        CheckpointFolder(FOLDER).restore(training)
    assert str(path) in caught.value.expected
    assert all(torch.equal(tensor, before[name]) for name, tensor in training.state()[0].items())
    assert training.done == 0


@pytest.mark.parametrize("kind", ["learnt", "best", "optimizer", "random", "evaluated"])
@pytest.mark.parametrize("how", ["shape", "type", "missing", "more", "all missing"])
def test_a_wrong_tensor_is_refused(kind: str, how: str) -> None:
    def edit(tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        names = sorted(name for name in tensors if name.startswith(f"{kind}."))
        tensor = tensors[names[0]]
        if how == "shape":
            tensors[names[0]] = torch.zeros(*tensor.shape, 2, dtype=tensor.dtype)
        elif how == "type":
            tensors[names[0]] = tensor.to(torch.float64)
        elif how == "more":
            tensors[f"{kind}.more"] = tensor.clone()
        else:
            for name in names if how == "all missing" else names[:1]:
                del tensors[name]

    path, training = saved(), make()
    change(path, edit)
    is_optional = how in ("missing", "all missing") and kind == "evaluated"  # if it is too large
    if is_optional or (how == "all missing" and kind in ("best", "optimizer")):
        CheckpointFolder(FOLDER).restore(training)  # as in a checkpoint before the first step
        assert training.done == 4
    else:
        with pytest.raises(ThawlineError):
            CheckpointFolder(FOLDER).restore(training)


@pytest.mark.parametrize("content", [b"", b"x", b'{"sha256":"' + b"0" * 64 + b'"}'])
def test_a_signed_file_that_is_no_checkpoint_is_refused(content: bytes) -> None:
    path, training = saved(), make()
    path.write_bytes(checkpoints._with_digest(b'"sha256":"' + b"0" * 64 + b'"' + content))
    with pytest.raises(ThawlineError):
        CheckpointFolder(FOLDER).restore(training)


def test_another_task_is_refused() -> None:
    saved()
    wider = Training(
        objective(rows=64), TrainingConfig(batch_size=8), epochs=3, lr=0.05, device="cpu"
    )
    wider.optimized()[0][1][0].data = torch.zeros(3, 3)
    with pytest.raises(ThawlineError):
        CheckpointFolder(FOLDER).restore(wider)
