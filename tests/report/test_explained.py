"""The words with the largest effects on a prediction, as lines of text."""

from __future__ import annotations

from thawline.inference.explaining import TextPart
from thawline.report.explained import MAX_CHARACTERS, MAX_WORDS, explained_lines


def parts(*scores: float) -> list[TextPart]:
    return [TextPart(n, n + 1, f"w{n}", score) for n, score in enumerate(scores)]


def test_words_for_and_against_are_ranked() -> None:
    first, second = explained_lines(parts(0.1, -0.25, 0.3, 0.0004, -0.5))
    assert first.index("w2 +0.300") < first.index("w0 +0.100")
    assert second.index("w4 -0.500") < second.index("w1 -0.250")
    assert "w3" not in first + second


def test_only_the_most_important_words_are_shown() -> None:
    (line,) = explained_lines(parts(*[0.01 * n for n in range(1, 10)]))
    assert line.count("+0.") == MAX_WORDS
    assert "w8" in line
    assert "w0" not in line


def test_words_without_influence_are_not_shown() -> None:
    for none in (parts(0.0, 0.0004), []):
        (line,) = explained_lines(none)
        assert "w" not in line.replace("word", "")


def test_a_part_of_several_words_is_cut_and_stays_on_its_line() -> None:
    (line,) = explained_lines([TextPart(0, 99, "a\nlong part " * 9, 0.5)])
    assert "\n" not in line
    assert len(line) < MAX_CHARACTERS + 20
