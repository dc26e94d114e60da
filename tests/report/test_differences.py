"""Test the picture of the verdict."""

from __future__ import annotations

import pytest

from tests.support.pictures import assert_legible, words
from tests.support.records import ladder_record, rung_record
from thawline.report.differences import draw_differences, draw_verdict
from thawline.runs.records import RungRecord, Standing, Verdict

LORA = "lora:r=4,alpha=32.0,dropout=0.1,targets=q_lin,from=4"


def standing(decision: str, low: float, high: float, below: float) -> Standing:
    usual = rung_record("head", 0.8, decision).standing
    changes = {"lower_bound": low, "upper_bound": high}
    difference = usual.below_best.model_copy(update={"value": below})
    return usual.model_copy(update=changes | {"below_best": difference})


def rung(name: str, decision: str, low: float, high: float) -> RungRecord:
    return rung_record(name, 0.8, standing=standing(decision, low, high, -(low + high) / 2))


def verdict(**changes: object) -> Verdict:
    return ladder_record([rung_record("head")]).verdict.model_copy(update=changes)


SETS = {
    "usual": [
        rung("tfidf", "worse", -0.06, -0.02),
        rung("head", "undecided", -0.03, 0.01),
        rung("full", "within", -0.004, 0.03),
    ],
    "two": [rung("head", "undecided", -0.02, 0.02), rung("full", "undecided", -0.02, 0.02)],
    "far apart": [rung("head", "worse", -0.7, -0.6), rung("full", "within", 0.6, 0.7)],
    "equal": [rung("head", "within", 0.0, 0.0), rung("full", "within", 0.0, 0.0)],
    "long names": [rung(LORA * 2, "worse", -0.05, -0.01), rung("$\\frac$", "within", 0.01, 0.05)],
    "many": [rung(f"last:{k}", "undecided", -k / 100, k / 200) for k in range(1, 13)],
}


@pytest.mark.parametrize("case", SETS)
@pytest.mark.parametrize("title", ["IMDb", "reviews: strategies on a backbone of a long name " * 3])
def test_differences_are_legible(case, title, tmp_path, figures):
    draw_differences(SETS[case], verdict(), tmp_path, title=title)
    assert_legible(figures[0])


def test_bars_points_and_the_margin_are_those_of_the_record(tmp_path, figures):
    rungs = SETS["usual"]
    draw_differences(rungs, verdict(margin=0.02), tmp_path, title="IMDb")
    (axes,) = figures[0].axes
    bars = [line for line in axes.lines if line.get_linewidth() == 2.4]
    ends = [(one.standing.lower_bound, one.standing.upper_bound) for one in rungs]
    assert [tuple(line.get_xdata()) for line in bars] == ends
    points = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert points == [-one.standing.below_best.value for one in rungs]
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (-0.02, 0)
    shown = words(figures[0])
    assert [word for word in shown if word in ("worse", "undecided", "within")] == [
        one.standing.decision for one in rungs
    ]


def test_a_single_rung_has_no_difference_but_a_cost(tmp_path):
    alone = rung_record("head")
    nothing = dict.fromkeys(("below_best", "best_other", "lower_bound", "upper_bound"))
    alone = alone.model_copy(update={"standing": alone.standing.model_copy(update=nothing)})
    with pytest.raises(ValueError, match="two rungs"):
        draw_differences([alone], verdict(), tmp_path, title="IMDb")
    drawn = draw_verdict([alone], verdict(), tmp_path, title="IMDb")
    assert [path.name for path in drawn] == ["tradeoff.png", "tradeoff.svg"]


def test_the_verdict_is_drawn_as_two_plots(tmp_path):
    drawn = draw_verdict(SETS["two"], verdict(), tmp_path / "a", title="IMDb")
    names = [f"{name}.{kind}" for name in ("differences", "tradeoff") for kind in ("png", "svg")]
    assert [path.name for path in drawn] == names
    again = draw_verdict(SETS["two"], verdict(), tmp_path / "b", title="IMDb")
    assert [path.read_bytes() for path in drawn] == [path.read_bytes() for path in again]
