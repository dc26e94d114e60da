"""The score of a trial."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from thawline.tuning.trials import measure, trained_logits

LABELS = np.array([0, 1, 1, 1])
UNTRAINED, FIRST, SECOND = (
    np.array([[1.0, 0.0]] * wrong + [[0.0, 1.0]] * (4 - wrong)) for wrong in (1, 3, 2)
)


def adapted(kept: int, first: object = None) -> Any:
    """Return a training of two epochs, of which one evaluation was kept."""
    history = [{"step": 10 * epoch, "kept": epoch == kept} for epoch in range(3)]
    candidates = np.stack([UNTRAINED, FIRST, SECOND]).astype(np.float16)
    return SimpleNamespace(history=history, candidates=candidates, first=first)


@pytest.mark.parametrize("score", ["accuracy", "f1_macro", "loss"])
def test_an_untrained_start_is_not_the_score_of_a_trial(score):
    logits = trained_logits(adapted(kept=0), LABELS, score)
    assert logits is not None
    assert np.array_equal(logits, SECOND)
    assert measure(logits, LABELS, "accuracy") == 0.75


def test_a_kept_epoch_and_a_fitted_start_are_the_score_of_a_trial():
    assert trained_logits(adapted(kept=1), LABELS, "accuracy") is None
    assert trained_logits(adapted(kept=0, first="head"), LABELS, "accuracy") is None
    exact = SimpleNamespace(history=[], candidates=np.zeros((5, 4, 2)), first=None)
    assert trained_logits(exact, LABELS, "accuracy") is None
