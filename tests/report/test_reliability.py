"""Test the calibration plot."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.pictures import assert_legible
from tests.support.records import scores
from thawline.evaluation.calibration import reliability
from thawline.report.reliability import draw_reliability


def logits(classes: int, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(classes)
    return generator.normal(size=(rows, classes)), generator.integers(classes, size=rows)


@pytest.mark.parametrize("classes", [2, 3, 20])
@pytest.mark.parametrize("rows", [1, 400])
def test_the_plot_is_legible(classes, rows, tmp_path, figures):
    found = reliability(*logits(classes, rows), 15, 0.95)
    draw_reliability(found, scores(), tmp_path, title="reviews: a strategy " * 6)
    assert_legible(figures[0])


def test_points_and_bars_are_the_bins(tmp_path, figures):
    found = reliability(*logits(3), 10, 0.95)
    paths = draw_reliability(found, scores(), tmp_path, title="reviews")
    assert [path.name for path in paths] == ["reliability.png", "reliability.svg"]
    upper, lower = figures[0].axes
    (curve,) = [line for line in upper.lines if line.get_linewidth() == 1.6]
    drawn = list(zip(curve.get_xdata(), curve.get_ydata(), strict=True))
    assert drawn == [(one.confidence, one.accuracy) for one in found]
    assert [bar.get_height() for bar in lower.patches] == [one.rows for one in found]


def test_a_plot_needs_a_bin(tmp_path):
    with pytest.raises(ValueError, match="at least one bin"):
        draw_reliability([], scores(), tmp_path, title="reviews")
