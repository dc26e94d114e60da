"""Test the plot of a ladder's trainings."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.support.pictures import assert_legible, words
from tests.support.records import fit_epoch, rung_record, rung_run
from thawline.report.curves import draw_curves
from thawline.report.figure_text import spread
from thawline.runs.records import RungRecord

LONG = "lora:r=4,alpha=32,dropout=0.1,targets=query+value,from=4 training.lr=1e-3"


def rung(name: str, *seeds: list[float], accuracy: float = 0.8) -> RungRecord:
    histories = [
        [fit_epoch(epoch, validation_accuracy=value) for epoch, value in enumerate(seed)]
        for seed in seeds
    ]
    runs = [rung_run(history, seed) for seed, history in enumerate(histories or [[]])]
    return rung_record(name, accuracy, runs=runs)


FULL = rung("full", [0.5, 0.84, 0.86, 0.87])
LAST = rung("last:1", [0.5, 0.8, 0.82, 0.83])
SETS = {
    "usual": [rung("head"), LAST, rung("lora", [0.5, 0.7, 0.75, 0.8]), FULL],
    "one": [FULL],
    "equal ends": [rung(f"last:{k}", [0.5, 0.6, 0.8]) for k in range(1, 7)],
    "many": [rung(f"last:{k}", [0.5, 0.6, 0.7 + k / 500]) for k in range(1, 13)],
    "long names": [rung("head"), rung(LONG, [0.1, 1.0])],
    "near the ends": [rung("a", [0.0, 0.0]), rung("b", [1.0, 1.0])],
    "within an epoch": [rung("full", [0.5, 0.6])],
}


@pytest.mark.parametrize("case", SETS)
@pytest.mark.parametrize("title", ["IMDb", "reviews: strategies on a backbone of a long name " * 3])
def test_curves_are_legible(case, title, tmp_path, figures):
    draw_curves(SETS[case], tmp_path, title=title)
    assert_legible(figures[0])


def test_each_line_shows_its_epochs_and_is_named_with_its_last_accuracy(tmp_path, figures):
    draw_curves(SETS["usual"], tmp_path, title="IMDb")
    (axes,) = figures[0].axes
    head, last, _, full = axes.lines
    assert last.get_xydata().tolist() == [[0, 0.5], [1, 0.8], [2, 0.82], [3, 0.83]]
    assert full.get_ydata().tolist()[-1] == 0.87
    assert set(head.get_ydata()) == {0.8}
    assert head.get_linestyle() == "--"
    assert len({line.get_color() for line in axes.lines}) == 4
    shown = set(words(figures[0]))
    assert {"head  80.0 %", "last:1  83.0 %", "full  87.0 %"} <= shown
    (subtitle,) = [line for line in shown if "400" in line]
    assert "dashed" in subtitle
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    assert colours["full  87.0 %"] == full.get_color()


def test_two_long_names_are_two_lines(tmp_path, figures):
    names = [f"{LONG} training.epochs={n}" for n in (1, 2)]
    draw_curves([rung(name, [0.5, 0.6]) for name in names], tmp_path, title="IMDb")
    (axes,) = figures[0].axes
    assert len(axes.lines) == 2
    assert len({text.get_text() for text in axes.texts}) == 2


def test_the_mean_over_seeds_is_drawn_for_epochs_that_all_seeds_have(tmp_path, figures):
    draw_curves([rung("full", [0.5, 0.7, 0.9], [0.4, 0.8])], tmp_path, title="IMDb")
    (line,) = figures[0].axes[0].lines
    assert line.get_xydata().tolist() == [[0, pytest.approx(0.45)], [1, pytest.approx(0.75)]]
    (subtitle,) = [line for line in words(figures[0]) if "400" in line]
    assert "dashed" not in subtitle


def test_files_are_named_and_an_svg_keeps_its_text(tmp_path):
    drawn = draw_curves(SETS["usual"], tmp_path / "a", title="Costs $1")
    assert drawn == [tmp_path / "a" / "curves.png", tmp_path / "a" / "curves.svg"]
    tree = ElementTree.parse(drawn[1])
    written = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Costs $1", "full  87.0 %"} <= set(written)


def test_without_epochs_it_is_a_programming_error(tmp_path):
    with pytest.raises(ValueError, match="at least one rung with epochs"):
        draw_curves([rung("head")], tmp_path, title="IMDb")


def test_heights_move_as_little_as_possible():
    assert spread({"a": 1.0, "b": 5.0}, 1.0) == {"a": 1.0, "b": 5.0}
    assert spread({"a": 1.0, "b": 1.0}, 1.0) == {"a": 0.5, "b": 1.5}
    moved = spread({"a": 0.0, "b": 0.1, "c": 0.2, "d": 9.0, "e": 0.9}, 1.0)
    assert moved["d"] == 9.0
    heights = [moved[name] for name in "abce"]
    assert heights == pytest.approx([-1.2, -0.2, 0.8, 1.8])
