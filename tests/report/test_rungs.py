"""Test the plot that compares rungs."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.support.pictures import assert_legible, words
from tests.support.records import score
from thawline.report.rungs import RungBar, draw_rungs

LORA = "lora:r=4,alpha=32.0,dropout=0.1,targets=q_lin,from=4"
LONG = "last:2 --set training.lr=2e-5 --set training.schedule=cosine --set training.patience=3"


NOTE = "2,000 test texts; whiskers are 95 % confidence intervals"


def bar(name: str, accuracy: float, seconds: float, trainable: int, width: float = 0.02) -> RungBar:
    interval = score(accuracy, max(0.0, accuracy - width), min(1.0, accuracy + width))
    return RungBar(name, interval, seconds, trainable)


SETS = {
    "usual": [
        bar("head", 0.854, 166, 5_378),
        bar("last:1", 0.871, 410.4, 1_922_690),
        bar(LORA, 0.879, 2_391, 36_864),
        bar("full", 0.9, 1_003, 22_713_986),
    ],
    "one": [bar("head", 0.854, 166, 5_378)],
    "near the ends": [bar("head", 0.0, 0.4, 1), bar("full", 1.0, 9_999, 66_955_010)],
    "equal": [bar("head", 0.5, 10, 770), bar("last:1", 0.5, 10, 770)],
    "far apart": [bar("head", 0.5, 0.02, 770, 0.4), bar("full", 0.5, 123_456, 7_000_000_000)],
    "long names": [bar(LONG, 0.8, 60, 770), bar(LORA * 3, 0.8, 60, 770)],
    "many": [bar(f"last:{k}", 0.8 + k / 100, 100 * k, 10**6 * k) for k in range(1, 13)],
}


@pytest.mark.parametrize("case", SETS)
@pytest.mark.parametrize("title", ["IMDb", "reviews: strategies on a backbone of a long name " * 3])
def test_rungs_are_legible(case, title, tmp_path, figures):
    draw_rungs(SETS[case], tmp_path, subtitle=NOTE, title=title)
    assert_legible(figures[0])


def test_bars_whiskers_points_and_counts_show_the_records_in_their_order(tmp_path, figures):
    records = SETS["usual"]
    draw_rungs(records, tmp_path, subtitle=NOTE, title="IMDb")
    accuracy, seconds, parameters = figures[0].axes
    assert [(bar.get_y() + bar.get_height() / 2, bar.get_width()) for bar in accuracy.patches] == [
        (pytest.approx(row), one.accuracy.value) for row, one in enumerate(records)
    ]
    ends = [whisker.get_segments()[0][:, 0].tolist() for whisker in accuracy.collections]
    assert ends == [pytest.approx([one.accuracy.low, one.accuracy.high]) for one in records]
    points = [line.get_xydata().tolist()[0] for line in seconds.lines]
    assert points == [[one.seconds, row] for row, one in enumerate(records)]
    assert seconds.get_xscale() == "log"
    counts = ["5,378", "1,922,690", "36,864", "22,713,986"]
    assert [text.get_text() for text in parameters.texts] == counts
    assert accuracy.yaxis_inverted()
    names = [label.get_text() for label in accuracy.get_yticklabels()]
    assert [name.replace("\n", "") for name in names] == [one.name for one in records]
    assert {"85.4 %", "166", "2,391", NOTE} <= set(words(figures[0]))


def test_the_seconds_axis_has_whole_decades(tmp_path, figures):
    ticks = {"usual": [100, 1_000, 10_000], "one": [100, 1_000], "far apart": [0.01, 100, 1e6]}
    for case, expected in ticks.items():
        draw_rungs(SETS[case], tmp_path, subtitle=NOTE, title="IMDb")
        assert figures[-1].axes[1].get_xticks().tolist() == expected
    assert {"0.01", "100", "1,000,000"} <= set(words(figures[-1]))


def test_a_very_long_name_is_shortened(tmp_path, figures):
    bars = [bar("head at its best", 0.5, 10, 770), bar(LONG * 3, 0.5, 10, 770)]
    draw_rungs(bars, tmp_path, subtitle=NOTE, title="IMDb")
    first, second = (label.get_text() for label in figures[0].axes[0].get_yticklabels())
    assert first == "head at its best"
    assert second.startswith("last:2 --set")
    assert second.endswith("…")
    assert second.count("\n") <= 2


def test_files_are_named_and_an_svg_keeps_its_text(tmp_path):
    drawn = draw_rungs(SETS["usual"], tmp_path / "a", subtitle=NOTE, title="Costs $1")
    assert drawn == [tmp_path / "a" / "rungs.png", tmp_path / "a" / "rungs.svg"]
    tree = ElementTree.parse(drawn[1])
    written = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Costs $1", "85.4 %", "22,713,986"} <= set(written)
    again = draw_rungs(SETS["usual"], tmp_path / "b", subtitle=NOTE, title="Costs $1")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in drawn]


def test_no_rungs_are_a_programming_error(tmp_path):
    with pytest.raises(ValueError, match="rung"):
        draw_rungs([], tmp_path, subtitle=NOTE, title="IMDb")
