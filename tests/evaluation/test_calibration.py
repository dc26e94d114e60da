"""Test accuracy and confidence by bins of confidence."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.evaluation import metrics
from thawline.evaluation.calibration import reliability
from thawline.evaluation.intervals import wilson


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_weighted_gaps_are_the_calibration_error(classes, bins):
    generator = np.random.default_rng(7)
    logits = generator.normal(size=(300, classes)).astype(np.float32)
    truth = generator.integers(classes, size=300)
    found = reliability(logits, truth, bins, 0.95)
    assert sum(one.rows for one in found) == 300
    error = sum(one.rows * abs(one.confidence - one.accuracy) for one in found) / 300
    expected = metrics.evaluate(logits, truth, n_classes=classes, resamples=10, bins=bins)
    assert error == pytest.approx(expected.calibration_error.value)
    for one in found:
        assert one.low < one.confidence <= one.high
        assert one.interval == wilson(round(one.accuracy * one.rows), one.rows, 0.95)


def test_confidence_and_accuracy_of_a_bin_are_means():
    logits = np.log(np.array([[0.7, 0.3], [0.64, 0.36], [0.1, 0.9]]))
    found = reliability(logits, np.array([0, 1, 1]), 5, 0.95)
    assert [(one.low, one.high, one.rows) for one in found] == [(0.6, 0.8, 2), (0.8, 1.0, 1)]
    assert [one.accuracy for one in found] == [0.5, 1.0]
    assert found[0].confidence == pytest.approx(0.67)
