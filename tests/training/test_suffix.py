"""The suffix of a classifier: it has the logits and gradients of the complete model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.tasks import make_task
from tests.support.toys import DEPTH, FAMILIES
from thawline.backbones.kernels import FastCpuKernels
from thawline.backbones.stack import Stack
from thawline.config import HeadConfig
from thawline.inference.examples import TokenBatch, TokenExamples
from thawline.training.adapt import Task
from thawline.training.blocks import make_classifier
from thawline.training.suffix import Suffix

MakeTask = Callable[..., Task]
LINES = range(DEPTH + 1)


@pytest.fixture(scope="module")
def task_of(
    toy_backbone: Callable[[str], Path],
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> MakeTask:
    """Return a function that makes a task of a family which trains everything from a line on."""
    made: dict[Any, Task] = {}
    home = tmp_path_factory.mktemp("home")

    def make(family: str, line: int, head: str = "linear") -> Task:
        if (family, line, head) not in made:
            strategy = "full" if line == 0 else f"last:{DEPTH + 1 - line}"
            given = {"train": toy_reviews(10, 1), "validation": toy_reviews(4, 2)}
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("THAWLINE_HOME", str(home))
                made[family, line, head] = make_task(
                    toy_backbone(family), given, strategy, head=HeadConfig(head)
                )
        return made[family, line, head]

    return make


def test_steps_inside_an_outer_autocast_use_the_new_weights(task_of: MakeTask) -> None:
    suffix = make_suffix(task_of("bert", DEPTH), low=True).eval()
    batch = task_of("bert", DEPTH).frozen.examples["train"].take(np.arange(4))
    with torch.autocast("cpu", enabled=False):
        before = suffix(batch)
        with torch.no_grad():
            for parameter in suffix.parameters():
                parameter.mul_(2.0)
        inside = suffix(batch)
    assert not torch.equal(inside, before)
    assert torch.equal(inside, suffix(batch))


def make_suffix(task: Task, *, low: bool = False) -> Suffix:
    """Return a suffix with dropout wherever its family has it."""
    model, _ = make_classifier(task)
    with torch.no_grad():  # enlarge the weights, because the toy texts have very similar states
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and not name.startswith(f"{model.base_model_prefix}."):
                parameter.mul_(30 if task.plan.head.kind == "native" else 1)
    return Suffix(model, task.plan.line, task.plan.pooling, use_bf16=low)


def batch_of(task: Task, *positions: int) -> TokenBatch:
    return examples_of(task).take(np.array(positions))


def examples_of(task: Task) -> TokenExamples:
    return task.frozen.examples["train"]


def whole_logits(suffix: Suffix, inputs: Mapping[str, Tensor]) -> Tensor:
    """Run the complete model from the tokens on, with each module in its current mode."""
    cache = {"use_cache": False} if Stack(suffix.model.base_model).family.causal else {}
    with FastCpuKernels():  # so that dropout uses the same random numbers as the suffix
        return suffix.model(**inputs, **cache).logits


def gradients(module: nn.Module, logits: Tensor) -> dict[str, Tensor]:
    module.zero_grad(set_to_none=True)
    weights = torch.linspace(-1.0, 2.0, logits.numel()).reshape(logits.shape)
    (logits * weights).sum().backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }


@pytest.mark.parametrize("head", ["linear", "native"])
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_gradients_equal_the_complete_model(
    task_of: MakeTask, family: str, line: int, head: str
) -> None:
    task = task_of(family, line, head)
    suffix = make_suffix(task).train()
    stack = Stack(suffix.model.base_model)
    if stack.reads_first_token(task.plan.pooling):
        # The suffix draws fewer random numbers in the last block, so these modules draw none.
        suffix.model.eval()
        for stage in range(line, DEPTH):
            for part in stack.modules_of(stage):
                part.train()
    batch = batch_of(task, 5, 0, 8)
    assert (batch.states is None) == (line < 2)
    found, expected = {}, {}
    torch.manual_seed(3)
    logits = suffix(batch)
    found = gradients(suffix, logits)
    torch.manual_seed(3)  # frozen stages use no random numbers, because they are in eval mode
    whole = whole_logits(suffix, batch.inputs)
    expected = gradients(suffix, whole)
    torch.testing.assert_close(logits, whole, rtol=1e-5, atol=1e-5)
    assert whole.detach().std(0).min() > 1e-4
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        scale = max(1.0, float(gradient.abs().max()))
        assert float((found[name] - gradient).abs().max()) < 1e-5 * scale, name


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("family", FAMILIES)
def test_frozen_stages_are_never_in_training_mode(
    task_of: MakeTask, family: str, line: int
) -> None:
    task = task_of(family, line)
    suffix = make_suffix(task)
    stack = Stack(suffix.model.base_model)
    suffix.eval()
    assert not any(module.training for module in suffix.modules())
    suffix.train()
    for stage in range(DEPTH + 1):
        for part in stack.modules_of(stage):
            assert all(module.training == (stage >= line) for module in part.modules())
    assert suffix.model.head.training
    suffix(batch_of(task, 0, 1)).sum().backward()
    got = {name for name, parameter in suffix.named_parameters() if parameter.grad is not None}
    for stage in range(line):
        for part in stack.modules_of(stage):
            assert all(parameter.grad is None for parameter in part.parameters())
            assert not any(parameter.requires_grad for parameter in part.parameters())
    assert any("head" in name for name in got)
    assert len(got) > 4


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])  # the others have no dropout
def test_dropout_above_the_line_is_active_only_in_training(task_of: MakeTask, family: str) -> None:
    task = task_of(family, DEPTH)
    suffix, batch = make_suffix(task), batch_of(task, 0, 1)
    with torch.no_grad():
        one, other = suffix.train()(batch), suffix(batch)
        assert (one - other).abs().max() > 1e-4
        one, other = suffix.eval()(batch), suffix(batch)
        assert torch.equal(one, other)


@pytest.mark.parametrize("line", [0, 1, 2, DEPTH])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_padded_in_any_way_equals_each_text_alone(
    task_of: MakeTask, family: str, line: int
) -> None:
    task = task_of(family, line)
    suffix = make_suffix(task).eval()
    lengths = examples_of(task).tokens.lengths[:10]
    assert len(set(lengths)) > 2
    with torch.inference_mode():
        alone = torch.cat([suffix(batch_of(task, position)) for position in range(10)])
        for batch in (range(10), (3, 1), (int(lengths.argmin()), int(lengths.argmax()))):
            together = suffix(batch_of(task, *batch))
            torch.testing.assert_close(together, alone[list(batch)], rtol=0, atol=1e-5)


def test_the_model_is_complete_again_after_each_batch(task_of: MakeTask) -> None:
    task = task_of("bert", 3)
    suffix = make_suffix(task)
    blocks = list(Stack(suffix.model.base_model).blocks)
    names = [name for name, _ in suffix.named_parameters()]
    suffix(batch_of(task, 0, 1))
    with pytest.raises(TypeError, match="input_ids"):
        suffix(TokenBatch({}, batch_of(task, 0).states))
    assert list(Stack(suffix.model.base_model).blocks) == blocks
    assert [name for name, _ in suffix.named_parameters()] == names


def test_autocast_multiplies_in_bf16_and_returns_fp32(task_of: MakeTask) -> None:
    task = task_of("bert", DEPTH)
    batch = batch_of(task, 0, 1, 2)
    exact, low = (make_suffix(task, low=low).eval() for low in (False, True))
    with torch.no_grad():
        one, other = exact(batch), low(batch)
    assert one.dtype == other.dtype == torch.float32
    assert 0 < float((one - other).abs().max()) < 0.05
    assert all(parameter.dtype == torch.float32 for parameter in low.parameters())
