"""Test the plot of several lines."""

from __future__ import annotations

import pytest

from tests.support.pictures import assert_legible, words
from thawline.report.figures import LINE_COLOURS
from thawline.report.lines import Line, draw_lines

EPOCHS = (0, 1, 2, 3, 4, 5)
NAMES = (
    "from scratch, random vectors",
    "from scratch, GloVe",
    "transferred, whole model",
    "transferred, final layer",
    "transferred, final layer, exact",
    "another",
)


def rising(name: str, end: float, steps: int = 6, width: float = 0.01) -> Line:
    values = [0.5 + (end - 0.5) * step / max(1, steps - 1) for step in range(steps)]
    low, high = ([value + sign * width for value in values] for sign in (-1, 1))
    return Line(name, EPOCHS[:steps], values, low, high)


CASES = {
    "usual": [rising(name, 0.8 + n / 50) for n, name in enumerate(NAMES)],
    "all end alike": [rising(name, 0.85) for name in NAMES],
    "two groups": [rising(name, 0.84 + n / 500 + n // 3 / 20) for n, name in enumerate(NAMES)],
    "two at the top": [rising(NAMES[0], 1.0), rising(NAMES[1], 1.0), rising(NAMES[2], 0.5)],
    "one": [rising(NAMES[0], 0.9)],
    "one point": [Line(NAMES[0], [3], [0.7])],
    "one ends early": [rising(NAMES[0], 0.7, steps=3), rising(NAMES[1], 0.9)],
    "a long name": [rising("a strategy with very many of its own settings " * 3, 0.9)],
    "fractions": [Line(NAMES[0], [0, 1 / 3, 2 / 3], [0.5, 0.6, 0.65])],
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("title", ["IMDb", "reviews: several systems of a long name each " * 3])
def test_lines_are_legible(case, title, tmp_path, figures):
    lines = CASES[case]
    draw_lines(lines, tmp_path, "curves", title=title, subtitle=title, x_label="epoch")
    assert_legible(figures[0])
    shown = words(figures[0])
    for line in lines:
        end = f"  {100 * line.values[-1]:.1f} %"
        assert any(one.startswith(line.name[:30]) and one.endswith(end) for one in shown)


def test_points_and_bands_are_drawn_in_the_colour_of_their_line(tmp_path, figures):
    lines = CASES["usual"]
    paths = draw_lines(lines, tmp_path, "curves", title="IMDb", x_label="epoch")
    (axes,) = figures[0].axes
    drawn = [line for line in axes.lines if len(line.get_xdata())]
    assert [tuple(line.get_xdata()) for line in drawn] == [EPOCHS] * len(lines)
    assert [list(line.get_ydata()) for line in drawn] == [line.values for line in lines]
    assert [line.get_color() for line in drawn] == list(LINE_COLOURS)
    assert len(axes.collections) == len(lines)  # bands
    assert paths == [tmp_path / "curves.png", tmp_path / "curves.svg"]


def test_names_are_in_the_order_of_the_line_ends_and_near_them(tmp_path, figures):
    lines = CASES["two groups"]
    draw_lines(lines, tmp_path, "curves", title="IMDb", x_label="epoch")
    (axes,) = figures[0].axes
    low, high = axes.get_ylim()
    heights = [text.xy[1] for text in axes.texts]
    assert heights == sorted(heights)
    for line, height in zip(lines, heights, strict=True):
        assert height == pytest.approx((line.values[-1] - low) / (high - low), abs=0.08)


def test_every_x_has_a_tick_on_a_logarithmic_axis(tmp_path, figures):
    rows = [100, 1_000, 5_000, 25_000]
    line = Line(NAMES[0], rows, [0.6, 0.7, 0.8, 0.86])
    draw_lines([line], tmp_path, "rows", title="IMDb", x_label="rows", logarithmic=True)
    (axes,) = figures[0].axes
    assert axes.get_xscale() == "log"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [
        "100",
        "1,000",
        "5,000",
        "25,000",
    ]
    assert_legible(figures[0])


@pytest.mark.parametrize("lines", [[], [Line("none", [], [])]])
def test_a_line_needs_a_point(lines, tmp_path):
    with pytest.raises(ValueError, match="at least one point"):
        draw_lines(lines, tmp_path, "curves", title="IMDb", x_label="epoch")


def test_markers_distinguish_lines_of_the_same_colour(tmp_path, figures):
    lines = [rising(f"system {number}", 0.8 + number / 100) for number in range(14)]
    draw_lines(lines, tmp_path, "x", title="IMDb", x_label="epoch")
    assert_legible(figures[0])
    drawn = [(line.get_color(), line.get_marker()) for line in figures[0].axes[0].lines]
    assert len(set(drawn)) == len(drawn) == 14


def test_the_same_lines_give_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        draw_lines(CASES["usual"], tmp_path / folder, "curves", title="IMDb", x_label="epoch")
    for name in ("curves.png", "curves.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
