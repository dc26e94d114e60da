"""Test the steps, the gradients and the metrics of next-token prediction."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from tests.support.language_toys import WINDOW, row_of, toy_module, toy_texts
from thawline.config import PretrainingConfig
from thawline.pretraining.objective import LanguageModelling
from thawline.pretraining.packing import Windows, all_windows

TOKENS = row_of(toy_texts(30))
HELD_OUT = row_of(toy_texts(5, seed=1))


def objective(*, per_pass: int = 4, seed: int = 0, n_bytes: int = 700) -> LanguageModelling:
    settings = PretrainingConfig(window=WINDOW, batch_size=8)
    held_out = all_windows(HELD_OUT, WINDOW, 0)
    return LanguageModelling(
        toy_module(),
        Windows(TOKENS, WINDOW),
        held_out,
        n_bytes,
        settings,
        per_pass=per_pass,
        seed=seed,
    )


def gradients(task: LanguageModelling) -> tuple[float, dict[str, torch.Tensor]]:
    step = next(task.steps(1))
    total = 0.0
    (passes,) = task.shares(step, threads=1)
    for part in passes:
        loss = task.loss(task.module, part)
        loss.backward()
        total += loss.item()
    return total, {name: p.grad for name, p in task.module.named_parameters()}


@pytest.mark.parametrize("per_pass", [1, 2])
def test_gradient_does_not_depend_on_the_passes(per_pass):
    loss, expected = gradients(objective(per_pass=8))
    again, found = gradients(objective(per_pass=per_pass))
    assert again == pytest.approx(loss, rel=1e-5)
    assert_close(found, expected, rtol=1e-4, atol=1e-7)


def test_loss_of_a_step_is_the_mean_over_predicted_tokens():
    task = objective(per_pass=8)
    step = next(task.steps(1))
    ((part,),) = task.shares(step, threads=1)
    loss = task.loss(task.module, part)
    windows = torch.from_numpy(Windows(TOKENS, WINDOW).take(step.windows, step.start))
    predicted = (windows[:, 1:] > 1).sum()  # neither pad nor bos
    nats, _ = task.module(windows)
    assert_close(loss, nats / predicted)
    assert task.size(step) == 8 * WINDOW


def test_each_epoch_has_its_own_order_of_windows():
    task = objective()
    epochs = [list(task.steps(epoch)) for epoch in (1, 2)]
    assert [len(steps) for steps in epochs] == [task.steps_per_epoch] * 2
    count = len(Windows(TOKENS, WINDOW))
    assert task.steps_per_epoch == count // 8 > 1
    taken = [np.concatenate([step.windows for step in steps]) for steps in epochs]
    for windows in taken:
        assert len(set(windows.tolist())) == len(windows) == count // 8 * 8
        assert windows.max() < count
    assert taken[0].tolist() != taken[1].tolist()
    starts = {step.start for epoch in range(1, 9) for step in task.steps(epoch)}
    assert len(starts) > 3
    assert all(0 <= start < WINDOW for start in starts)


def test_order_depends_on_the_seed():
    def order(seed):
        return [step.windows.tolist() for step in objective(seed=seed).steps(1)]

    assert order(0) == order(0) != order(1)


def test_metrics_equal_those_computed_by_hand():
    task = objective(per_pass=3, n_bytes=700)
    model = task.module.model.eval()
    nats, right, predicted = 0.0, 0, 0
    with torch.inference_mode():
        scores = task.evaluate()
        for window in all_windows(HELD_OUT, WINDOW, 0):
            # Each document of a window is scored alone, so no mask is needed.
            firsts = [0, *(np.flatnonzero(window[1:] == 1) + 1).tolist(), len(window)]
            for begin, end in pairwise(firsts):
                piece = torch.from_numpy(window[begin:end])
                piece = piece[: int((piece > 0).sum())]
                if len(piece) < 2:
                    continue
                log_probabilities = model(piece[None, :-1]).logits[0].log_softmax(-1)
                nats -= float(log_probabilities.gather(1, piece[1:, None]).sum())
                right += int((log_probabilities.argmax(-1) == piece[1:]).sum())
                predicted += len(piece) - 1
    assert predicted == task.predicted
    assert scores == pytest.approx(
        {
            "validation_loss": nats / predicted,
            "validation_accuracy": right / predicted,
            "validation_perplexity": math.exp(nats / predicted),
            "validation_bits_per_byte": nats / math.log(2) / 700,
        },
        rel=1e-4,
    )


def test_all_held_out_tokens_but_bos_are_predicted():
    assert objective().predicted == int((HELD_OUT != 1).sum())


@pytest.mark.parametrize("per_pass", [1, 2, 8])
def test_metrics_do_not_depend_on_the_passes(per_pass):
    with torch.inference_mode():
        expected = objective(per_pass=4).evaluate()
        found = objective(per_pass=per_pass).evaluate()
    assert found == pytest.approx(expected, rel=1e-5)
