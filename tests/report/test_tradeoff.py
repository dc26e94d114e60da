"""Test the plot of accuracy against cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from tests.support.pictures import assert_legible, words
from tests.support.records import rung_record, score
from thawline.report.tradeoff import (
    Candidate,
    candidates,
    draw_tradeoff,
    pareto_front,
    tradeoff_figure,
)
from thawline.runs.records import RungCost

NOTE = "2,000 test texts; whiskers are 95 % confidence intervals"


def candidate(name: str, accuracy: float, cost: float, width: float = 0.015) -> Candidate:
    return Candidate(name, score(accuracy, accuracy - width, accuracy + width), cost)


SETS = {
    "usual": [
        candidate("tfidf", 0.842, 3.1),
        candidate("head", 0.856, 24),
        candidate("last:1", 0.871, 61),
        candidate("lora", 0.866, 240),
        candidate("full", 0.861, 410),
    ],
    # Two rungs that cost nearly the same, and a name that is as long as the space between them.
    "measured": [
        candidate("tfidf", 0.875, 6.3),
        candidate("head", 0.869, 85),
        candidate("head+tfidf", 0.876, 93),
        candidate("last:1", 0.873, 115),
    ],
    "one": [candidate("head", 0.85, 10)],
    "equal": [candidate(name, 0.85, 10) for name in ("head", "last:1", "full")],
    "near the ends": [candidate("head", 0.0, 0.001, 0.0), candidate("full", 1.0, 1e6, 0.0)],
    "close together": [candidate(f"last:{k}", 0.85 + k / 1e4, 100 + k) for k in range(6)],
    "many": [candidate(f"rung number {k}", 0.7 + k / 90, 1.6**k) for k in range(1, 13)],
    "odd names": [candidate("$\\frac$", 0.8, 1), candidate("a name of many words " * 2, 0.9, 9)],
}


@pytest.mark.parametrize("case", SETS)
@pytest.mark.parametrize("cost", ["seconds", "latency"])
def test_points_are_legible(case, cost, tmp_path, figures):
    draw_tradeoff(SETS[case], cost, tmp_path, title="IMDb", subtitle=NOTE)
    assert_legible(figures[0])
    assert {one.name.strip() for one in SETS[case]} <= {word.strip() for word in words(figures[0])}


@pytest.mark.parametrize("case", ["usual", "measured", "equal"])
def test_no_name_covers_a_whisker(case, tmp_path, figures):
    draw_tradeoff(SETS[case], "seconds", tmp_path, title="IMDb", subtitle=NOTE)
    (axes,) = figures[0].axes
    renderer = FigureCanvasAgg(figures[0]).get_renderer()
    names = [note for note in axes.texts if note.get_text() in {one.name for one in SETS[case]}]
    assert len(names) == len(SETS[case])
    boxes = {note.get_text(): note.get_window_extent(renderer) for note in names}
    for one in SETS[case]:
        ends = [(one.cost, one.accuracy.low), (one.cost, one.accuracy.high)]
        whisker = Bbox(axes.transData.transform(ends))
        for name, box in boxes.items():
            assert not box.overlaps(whisker), f"{name} covers the whisker of {one.name}"


def test_the_points_are_those_of_the_rungs_and_the_line_is_the_front(tmp_path, figures):
    draw_tradeoff(SETS["usual"], "seconds", tmp_path, title="IMDb", subtitle=NOTE)
    (axes,) = figures[0].axes
    points = [line.get_xydata().tolist()[0] for line in axes.lines if line.get_marker() == "o"]
    assert points == [[one.cost, one.accuracy.value] for one in SETS["usual"]]
    (front,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert front.get_xdata().tolist() == [3.1, 24, 61]


def test_the_cost_is_the_one_of_the_verdict():
    cost = RungCost(seconds=7.0, prefix=1.0, training=2.0, latency=0.5, predicted=None)
    rungs = [rung_record("head", cost=cost), rung_record("full")]
    assert [one.cost for one in candidates(rungs, "seconds")] == [7.0, 1_234.56]
    assert [one.cost for one in candidates(rungs, "parameters")] == [22_713_986] * 2
    assert [one.name for one in candidates(rungs, "latency")] == ["head"]
    with pytest.raises(ValueError, match="at least one"):
        draw_tradeoff([], "seconds", ".", title="", subtitle="")


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_no_point_of_the_front_is_beaten_and_every_other_one_is(values):
    points = [candidate(str(k), a / 10, c) for k, (c, a) in enumerate(values)]
    front = pareto_front(points)

    def beats(one: Candidate, other: Candidate) -> bool:
        pairs = [(-one.cost, -other.cost), (one.accuracy.value, other.accuracy.value)]
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

    assert front == sorted(front, key=lambda one: one.cost)
    for point in points:
        assert (point in front) != any(beats(other, point) for other in points)


@pytest.mark.parametrize("case", ["usual", "equal", "near the ends", "close together"])
def test_a_narrow_plot_is_legible(case):
    figure = tradeoff_figure(SETS[case], "seconds", title="", subtitle="", width=4.9)
    figure.draw_without_rendering()  # which places the labels of axes
    assert_legible(figure)
