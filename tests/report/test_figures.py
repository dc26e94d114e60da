from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import pytest
from PIL import Image

from tests.support.pictures import assert_legible, words
from tests.support.records import fit_epoch, score, scores
from thawline.report.before_after import draw_before_after
from thawline.report.history import draw_history
from thawline.runs.records import FitEpoch, Score, Scores


def scored(accuracy: float, f1: float, width: float = 0.02, rows: int = 2_000) -> Scores:
    def within(value: float) -> Score:
        return score(value, max(0, value - width), min(1, value + width))

    return scores(rows=rows, accuracy=within(accuracy), f1_macro=within(f1))


def history(accuracies, validation_losses, train_losses) -> list[FitEpoch]:
    points = zip(accuracies, validation_losses, train_losses, strict=True)
    return [
        fit_epoch(
            epoch,
            validation_accuracy=accuracy,
            validation_f1_macro=0.98 * accuracy,
            validation_loss=validation,
            train_loss=train,
        )
        for epoch, (accuracy, validation, train) in enumerate(points)
    ]


def at_epochs(epochs, rows: list[FitEpoch]) -> list[FitEpoch]:
    return [
        row.model_copy(update={"epoch": epoch}) for epoch, row in zip(epochs, rows, strict=True)
    ]


def kept_at(index: int, rows: list[FitEpoch]) -> list[FitEpoch]:
    return [row.model_copy(update={"kept": n == index}) for n, row in enumerate(rows)]


THREE_EPOCHS = history([0.5, 0.72, 0.741, 0.7465], [0.7, 0.6, 0.55, 0.53], [None, 0.62, 0.56, 0.5])
LONG = "A title that names the backbone all-MiniLM-L6-v2, the set and the strategy lora:r=4 " * 2


BEFORE_AFTER = {
    "usual": (scored(0.5, 0.333), scored(0.8535, 0.8532)),
    "near a half": (scored(0.5, 0.49), scored(0.51, 0.5)),
    "near one": (scored(0.99, 0.98, 0.005), scored(1.0, 0.999, 0.001)),
    "near zero": (scored(0.0, 0.0), scored(0.01, 0.02)),
    "wide intervals": (scored(0.51, 0.49, 0.3, 12), scored(1.0, 1.0, 0.26, 12)),
}


@pytest.mark.parametrize("case", BEFORE_AFTER)
@pytest.mark.parametrize("title", ["IMDb", LONG])
def test_before_after_is_legible(case, title, tmp_path, figures):
    baseline, adapted = BEFORE_AFTER[case]
    draw_before_after(baseline, adapted, tmp_path, title=title, subtitle=title)
    assert_legible(figures[0])
    for side in (baseline, adapted):
        for name in ("accuracy", "f1_macro"):
            assert f"{100 * getattr(side, name).value:.1f} %" in words(figures[0])


HISTORIES = {
    "three epochs": THREE_EPOCHS,
    "near a half": history(
        [0.5, 0.51, 0.505, 0.507, 0.52, 0.51],
        [0.7, 0.69, 0.69, 0.688, 0.6, 0.7],
        [None, 0.69, 0.69, 0.688, 0.65, 0.7],
    ),
    "near one": history(
        [0.995, 1.0, 0.999, 1.0, 0.998],
        [0.01, 0.005, 0.004, 0.006, 0.007],
        [None, 0.03, 0.005, 0.004, 0.0071],
    ),
    "flat": history([0.5] * 8, [0.7] * 8, [None, *[0.7] * 7]),
    "best beside last": history([0.5, 0.6, 0.7, 0.75, 0.76, 0.761, 0.759], [0.7] * 7, [0.7] * 7),
    "thirty epochs": history(
        [0.5 + epoch / 90 for epoch in range(30)],
        [1 / (1 + epoch) for epoch in range(30)],
        [0] * 30,
    ),
    "one epoch": history([0.5], [0.7], [None]),
    "kept before the last": kept_at(8, history(*[[0.5 + e / 50 for e in range(10)]] * 3)),
    "within epochs": kept_at(
        2,
        at_epochs(
            [0, 2 / 3, 1, 4 / 3, 2],
            history([0.5, 0.6, 0.62, 0.61, 0.65], [0.7, 0.65, 0.6, 0.62, 0.55], [None, *[0.6] * 4]),
        ),
    ),
    "stopped in the first": kept_at(
        1, at_epochs([0, 0.2, 0.4], history([0.5, 0.6, 0.55], [0.7] * 3, [None, 0.6, 0.5]))
    ),
}


@pytest.mark.parametrize("case", HISTORIES)
@pytest.mark.parametrize("title", ["IMDb", LONG])
def test_history_is_legible(case, title, tmp_path, figures):
    draw_history(HISTORIES[case], tmp_path, title=title, subtitle=title)
    assert_legible(figures[0])


def test_files_are_png_of_160_dots_an_inch_and_svg_with_text(tmp_path):
    folder = tmp_path / "a" / "b"
    drawn = [
        *draw_before_after(*BEFORE_AFTER["usual"], folder, title="Costs $1 & <2>"),
        *draw_history(THREE_EPOCHS, folder, title="Costs $1 & <2>"),
    ]
    names = ["before_after.png", "before_after.svg", "history.png", "history.svg"]
    assert drawn == [folder / name for name in names]
    for path in drawn[::2]:
        with Image.open(path) as picture:
            assert round(picture.info["dpi"][0]) == 160
    for path in drawn[1::2]:
        tree = ElementTree.parse(path)
        written = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
        assert "Costs $1 & <2>" in written
        assert {"50.0 %", "0 %"} & set(written)
        assert "date" not in path.read_text(encoding="utf-8")


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    def draw(folder):
        return [
            *draw_before_after(*BEFORE_AFTER["usual"], folder, title="IMDb"),
            *draw_history(THREE_EPOCHS, folder, title="IMDb"),
        ]

    first = [path.read_bytes() for path in draw(tmp_path / "first")]
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 9, "savefig.dpi": 30}):
        own_settings = [path.read_bytes() for path in draw(tmp_path / "second")]
    assert own_settings == first


def test_global_state_is_unchanged(tmp_path):
    before = dict(matplotlib.rcParams)
    draw_history(THREE_EPOCHS, tmp_path, title="IMDb")
    assert dict(matplotlib.rcParams) == before
    modules = ", ".join(f"thawline.report.{name}" for name in ("before_after", "history", "rungs"))
    program = f"import sys, {modules}; print('matplotlib.pyplot' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.strip() == "False", answer.stderr


def test_subtitle_has_the_number_of_texts_and_the_level_of_the_intervals(tmp_path, figures):
    adapted = scored(0.8, 0.8)
    draw_before_after(scored(0.5, 0.3), adapted, tmp_path, title="IMDb")
    (subtitle,) = [line for line in words(figures[0]) if "2,000" in line]
    assert "95 %" in subtitle
    draw_before_after(scored(0.5, 0.3), adapted, tmp_path, title="IMDb", subtitle="Mine")
    assert "Mine" in words(figures[-1])
    assert not any("2,000" in line for line in words(figures[-1]))


def test_bars_and_whiskers_show_the_scores(tmp_path, figures):
    baseline, adapted = scored(0.5, 0.333, 0.03), scored(0.85, 0.84, 0.01)
    draw_before_after(baseline, adapted, tmp_path, title="IMDb")
    (axes,) = figures[0].axes
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [0.5, 0.85, 0.333, 0.84]
    ends = [whisker.get_segments()[0][:, 1].tolist() for whisker in axes.collections]
    expected = [
        [getattr(side, name).low, getattr(side, name).high]
        for name in ("accuracy", "f1_macro")
        for side in (baseline, adapted)
    ]
    assert [pytest.approx(pair) for pair in expected] == ends


def test_every_measured_point_has_a_marker_and_none_has_no_point(tmp_path, figures):
    rows = history([0.5, 0.7, 0.6, 0.8], [0.7, 0.6, 0.55, 0.5], [None, 0.65, 0.6, None])
    draw_history(rows, tmp_path, title="IMDb")
    left, right = figures[0].axes
    accuracy, f1 = left.lines
    assert accuracy.get_xydata().tolist() == [[0, 0.5], [1, 0.7], [2, 0.6], [3, 0.8]]
    assert f1.get_xydata().tolist() == [[n, row.validation_f1_macro] for n, row in enumerate(rows)]
    validation, train = right.lines
    assert validation.get_xydata().tolist() == [[0, 0.7], [1, 0.6], [2, 0.55], [3, 0.5]]
    assert train.get_xydata().tolist() == [[1, 0.65], [2, 0.6]]
    assert {line.get_marker() for line in (accuracy, validation, train)} == {"o"}


@pytest.mark.parametrize("epochs", [1, 2, 4, 30])
def test_epochs_are_integers_on_the_axis(epochs, tmp_path, figures):
    draw_history(history(*[[0.5] * epochs] * 3), tmp_path, title="IMDb")
    for axes in figures[0].axes:
        ticks = axes.get_xticks().tolist()
        assert ticks[0] == 0
        assert all(tick == int(tick) and tick < epochs for tick in ticks)
        assert [label.get_text() for label in axes.get_xticklabels()] == [f"{t:.0f}" for t in ticks]
        assert axes.get_xlabel() == "epoch (0: untrained)"


def test_the_axis_describes_epoch_0(tmp_path, figures):
    draw_history(history(*[[0.5] * 2] * 3), tmp_path, title="IMDb", start="head fitted")
    assert {axes.get_xlabel() for axes in figures[0].axes} == {"epoch (0: head fitted)"}


def test_points_within_epochs_are_drawn(tmp_path, figures):
    draw_history(HISTORIES["within epochs"], tmp_path, title="IMDb")
    left, _ = figures[0].axes
    assert left.lines[0].get_xdata().tolist() == [0, 2 / 3, 1, 4 / 3, 2]
    assert left.get_xticks().tolist() == [0, 1, 2]


def test_ticks_are_within_the_epoch_if_only_one_is_shown(tmp_path, figures):
    draw_history(HISTORIES["stopped in the first"], tmp_path, title="IMDb")
    labels = [label.get_text() for label in figures[0].axes[0].get_xticklabels()]
    assert len(labels) >= 3
    assert {"0", "0.2", "0.4"} <= set(labels)


@pytest.mark.parametrize("index", [1, 8, 9])
def test_a_ring_marks_the_kept_epoch_even_if_it_is_not_the_best(index, tmp_path, figures):
    entries = kept_at(index, history(*[[0.9, *[0.5 + e / 50 for e in range(9)]]] * 3))
    draw_history(entries, tmp_path, title="IMDb")
    left, right = figures[0].axes
    _, _, ring = left.lines
    value = entries[index].validation_accuracy
    assert ring.get_xydata().tolist() == [[index, value]]
    assert ring.get_markerfacecolor() == "none"
    bold = {text.get_text() for text in left.texts if text.get_weight() == "bold"}
    assert bold == {f"{100 * value:.1f} %", "accuracy", "macro F1"}
    assert len(right.lines) == 2


def test_accuracy_is_in_per_cent_and_never_above_100(tmp_path, figures):
    draw_history(HISTORIES["near one"], tmp_path, title="IMDb")
    left = figures[0].axes[0]
    assert max(left.get_yticks()) == pytest.approx(1)
    assert "100 %" in [label.get_text() for label in left.get_yticklabels()]


def test_a_training_without_train_losses_has_one_line_of_losses(tmp_path, figures):
    draw_history([fit_epoch(1, train_loss=None)], tmp_path, title="IMDb")
    left, right = figures[0].axes
    assert [text.get_text() for text in right.texts] == ["validation"]
    assert left.get_xlabel() == "epoch"


def test_an_empty_history_is_a_programming_error(tmp_path):
    with pytest.raises(ValueError, match="at least one epoch"):
        draw_history([], tmp_path, title="IMDb")
