"""The plot of an exact fit against the penalty."""

from __future__ import annotations

import pytest

from tests.support.pictures import assert_legible, words
from thawline.report.choice import draw_choice
from thawline.runs.records import ExactFitStep

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01)


def steps(stages, losses, *, penalties=PENALTIES, words=None, f1=True) -> list[ExactFitStep]:
    return [
        ExactFitStep(
            stages=list(stages),
            penalty=None if penalty is None else penalty,
            words_penalty=None if words is None else words[place],
            loss=loss,
            accuracy=1 - loss,
            f1_macro=0.98 - loss if f1 else None,
        )
        for place, (penalty, loss) in enumerate(zip(penalties, losses, strict=False))
    ]


CHOICES = {
    "two stages": [
        *steps([0], [0.5, 0.45, 0.46, 0.5]),
        *steps([4], [0.5, 0.4, 0.35, 0.36, 0.37]),
    ],
    "one penalty": steps([4], [0.4]),
    "a penalty of zero": steps([4], [0.4, 0.3, 0.35], penalties=(0.1, 0.01, 0.0)),
    "without F1": steps([4], [0.5, 0.4, 0.45], f1=False),
    "equal scores": steps([1, 2], [0.5] * 5),
    "words": steps([], [0.6, 0.5, 0.55], penalties=(None,) * 3, words=(3e-4, 1e-4, 3e-5)),
    "states and words": [
        *steps([4], [0.6, 0.5, 0.55], penalties=(0.1,) * 3, words=(3e-4, 1e-4, 3e-5)),
        *steps([4], [0.61, 0.52], penalties=(0.03,) * 2, words=(3e-4, 1e-4)),
    ],
}


@pytest.mark.parametrize("case", CHOICES)
def test_it_is_legible(case, tmp_path, figures):
    paths = draw_choice(CHOICES[case], tmp_path, title="IMDb: head on MiniLM")
    assert [path.name for path in paths] == ["choice.png", "choice.svg"]
    assert_legible(figures[0])


@pytest.mark.parametrize("case", CHOICES)
def test_rings_mark_the_candidate_with_the_lowest_loss(case, tmp_path, figures):
    draw_choice(CHOICES[case], tmp_path, title="IMDb")
    best = min(CHOICES[case], key=lambda step: step.loss)
    left, right = figures[0].axes
    for axes, value in ((left, best.accuracy), (right, best.loss)):
        ((x, y),) = axes.lines[-1].get_xydata().tolist()
        assert y == pytest.approx(value)
        label = axes.get_xticklabels()[int(x)].get_text()
        penalty = best.penalty if best.words_penalty is None else best.words_penalty
        assert float(label) == pytest.approx(penalty, rel=0.05)
    assert f"{100 * best.accuracy:.1f} %" in words(figures[0])
    assert f"{best.loss:.3f}" in words(figures[0])


def test_the_strongest_penalty_is_on_the_left_and_others_are_drawn_too(tmp_path, figures):
    draw_choice(CHOICES["two stages"], tmp_path, title="IMDb")
    left, right = figures[0].axes
    assert [label.get_text() for label in left.get_xticklabels()] == [
        "1",
        "0.3",
        "0.1",
        "0.03",
        "0.01",
    ]
    accuracy, f1, _ = left.lines
    assert accuracy.get_xydata().tolist() == [[0, 0.5], [1, 0.6], [2, 0.65], [3, 0.64], [4, 0.63]]
    assert f1.get_ydata().tolist() == pytest.approx([0.48, 0.58, 0.63, 0.62, 0.61])
    other, own, _ = right.lines
    assert other.get_xydata().tolist() == [[0, 0.5], [1, 0.45], [2, 0.46], [3, 0.5]]
    assert own.get_ydata().tolist() == [0.5, 0.4, 0.35, 0.36, 0.37]


def test_only_candidates_with_the_chosen_penalty_of_states_are_drawn(tmp_path, figures):
    draw_choice(CHOICES["states and words"], tmp_path, title="IMDb")
    _, right = figures[0].axes
    assert [len(line.get_xdata()) for line in right.lines] == [3, 1]
