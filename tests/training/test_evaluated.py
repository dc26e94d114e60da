"""The validation logits that a training keeps of each evaluation."""

from __future__ import annotations

import numpy as np
import torch

from thawline.training import evaluated
from thawline.training.evaluated import EvaluatedLogits


def kept(evaluations: int) -> tuple[EvaluatedLogits, list[torch.Tensor]]:
    torch.manual_seed(0)
    logits, given = EvaluatedLogits(5, 3), [torch.randn(5, 3) for _ in range(evaluations)]
    for one in given:
        logits.add(one)
    return logits, given


def test_candidates_are_in_half_precision_and_the_kept_one_is_not():
    logits, given = kept(2)
    assert logits.candidates().dtype == np.float16
    np.testing.assert_allclose(logits.candidates()[1], given[1], rtol=1e-3)
    found = logits.of(1)
    assert found is not None
    assert found.dtype == np.float32
    assert np.array_equal(found, given[1])


def test_values_beyond_half_precision_stay_finite():
    logits = EvaluatedLogits(1, 2)
    logits.add(torch.tensor([[1e6, -1e6]]))
    assert np.array_equal(logits.candidates(), [[[65504, -65504]]])


def test_logits_that_are_too_large_are_not_kept(monkeypatch):
    monkeypatch.setattr(evaluated, "MAX_BYTES", 5 * 3 * 4 * 2)
    logits, given = kept(2)
    assert len(logits.candidates()) == 2
    logits.add(given[0])
    assert logits.candidates().shape == (0, 5, 3)
    assert logits.of(0) is None
    assert logits.states() == {}
    resumed = EvaluatedLogits(5, 3)
    resumed.restore({}, evaluations=3)
    resumed.add(given[0])  # those before are missing
    assert len(resumed.candidates()) == 0


def test_only_tensors_of_the_same_texts_match():
    logits, _ = kept(2)
    (stacked,) = logits.states().values()
    assert logits.matches(stacked, 2)
    assert not logits.matches(stacked, 3)
    assert not logits.matches(stacked.half(), 2)
    assert not logits.matches(stacked[:, :4], 2)
    assert not EvaluatedLogits().matches(torch.empty(2, 0, 0), 2)
