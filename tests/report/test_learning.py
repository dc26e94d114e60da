"""Test the plot of learning curves."""

from __future__ import annotations

import pytest

from tests.support.pictures import assert_legible
from tests.support.report_pages import CURVES
from thawline.report.learning import draw_learning, learning_lines
from thawline.runs.records import LearningCurves


def test_learning_curves_are_legible(tmp_path, figures):
    paths = draw_learning(LearningCurves(**CURVES), tmp_path, title="reviews: strategies " * 5)
    assert [path.name for path in paths] == ["learning.png", "learning.svg"]
    assert_legible(figures[0])


def test_lines_and_bands_are_those_of_the_record():
    head, full = learning_lines(LearningCurves(**CURVES))
    assert (head.name, head.x) == ("head", [100, 1_000, 4_000])
    assert head.values == pytest.approx([0.605, 0.65, 0.8])
    assert head.low == pytest.approx([0.595, 0.64, 0.79])
    assert head.high == pytest.approx([0.615, 0.66, 0.81])
    assert (full.name, full.x, full.low, full.high) == ("full", [1_000, 4_000], None, None)
