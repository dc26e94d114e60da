"""The confusion matrix as a picture and on the terminal."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.pictures import assert_legible, words
from tests.support.records import scores
from thawline.report.confusion import MAX_DRAWN, MAX_NUMBERED, confusion_figure, draw_confusion
from thawline.report.confusions import by_mistakes, confusion_cells, confusion_table, most_frequent
from thawline.runtime import terminal


def scores_of(classes: int, seed: int = 0):
    """Return scores whose counts are random, as a list of cells if there are many classes."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 3, (classes, classes)) * random.integers(0, 2, (classes, classes))
    counts += np.diag(random.integers(5, 1_200, classes))
    support = counts.sum(1).tolist()
    per_class = [{"precision": 0.8, "recall": 0.8, "f1": 0.8, "support": n} for n in support]
    cells = [[int(i), int(j), int(counts[i, j])] for i, j in zip(*counts.nonzero(), strict=True)]
    many = classes > 100
    found = scores(
        rows=int(counts.sum()),
        per_class=per_class,
        confusion=None if many else counts.tolist(),
        confusion_cells=cells if many else None,
    )
    return counts, found


NAMES = ["neg", "pos", "a class with a rather long name", "$x$ & <b>", "[odd]", "中文"]


def names_of(classes: int) -> list[str]:
    return [NAMES[n] if n < len(NAMES) else f"class {n}" for n in range(classes)]


@pytest.mark.parametrize("classes", [2, 3, 6, MAX_NUMBERED, MAX_NUMBERED + 1, MAX_DRAWN, 150])
def test_it_is_legible(classes, tmp_path, figures):
    _, found = scores_of(classes)
    names = [name for name in names_of(classes + 1) if name != "中文"][:classes]
    paths = draw_confusion(found, names, tmp_path, title="IMDb: head on MiniLM")
    assert [path.name for path in paths] == ["confusion.png", "confusion.svg"]
    assert_legible(figures[0])


def test_cells_have_the_counts_and_the_shares(tmp_path, figures):
    counts, found = scores_of(3)
    draw_confusion(found, ["a", "b", "c"], tmp_path, title="IMDb")
    written = words(figures[0])
    for count in counts.ravel():
        assert f"{count:,}" in written
    (axes,) = figures[0].axes
    shares = axes.collections[0].get_array().reshape(3, 3)
    np.testing.assert_allclose(shares, counts / counts.sum(1, keepdims=True))


def test_of_many_classes_those_with_most_mistakes_are_drawn():
    counts, found = scores_of(150)
    wrong = counts - np.diag(np.diag(counts))
    order = (wrong.sum(0) + wrong.sum(1))[by_mistakes(found)].tolist()
    assert order == sorted(order, reverse=True)
    (axes,) = confusion_figure(found, names_of(150), title="").axes
    assert axes.collections[0].get_array().size == MAX_DRAWN**2


@pytest.mark.parametrize("classes", [4, 150])
def test_the_most_frequent_confusions_come_first(classes):
    counts, found = scores_of(classes)
    assert sum(texts for *_, texts in confusion_cells(found)) == counts.sum()
    wrong = most_frequent(found)
    assert all(counts[true, predicted] == texts for true, predicted, texts in wrong)
    sizes = [texts for *_, texts in wrong]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == counts.sum() - np.trace(counts)


def shown(found, names, capsys) -> list[str]:
    terminal.console().print(confusion_table(found, names))
    return capsys.readouterr().out.splitlines()


def test_the_terminal_shows_the_matrix_of_a_few_classes(capsys):
    counts, found = scores_of(3)
    _, _, *lines = shown(found, ["a", "[b]", "c"], capsys)
    assert [line.split()[0] for line in lines] == ["a", "[b]", "c"]
    numbers = [[int(cell.replace(",", "")) for cell in line.split()[1:]] for line in lines]
    assert numbers == counts.tolist()


@pytest.mark.parametrize(
    ("classes", "names"), [(3, "a class with a very long name {}"), (20, "{}")]
)
def test_the_terminal_shows_confusions_of_many_or_long_classes(classes, names, capsys):
    _, found = scores_of(classes)
    lines = shown(found, [names.format(n) for n in range(classes)], capsys)
    assert all(len(line) < 80 for line in lines)
    wrong = most_frequent(found)
    if classes == 20:
        assert int(lines[2].split()[2]) == wrong[0][2]


def test_a_classifier_without_mistakes_has_no_confusions(capsys):
    found = scores(confusion=[[700, 0], [0, 800]])
    assert len(shown(found, ["a", "b"], capsys)) == 4
    per_class = [{"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 5}] * 20
    perfect = scores(per_class=per_class, confusion=np.diag([5] * 20).tolist())
    assert "none" in shown(perfect, [str(n) for n in range(20)], capsys)[0]
