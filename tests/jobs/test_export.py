"""What `thawline export` measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from thawline import TextClassifier
from thawline.jobs import export


@pytest.mark.parametrize(("words", "most", "tokens"), [(20, 40, 22), (50, 16, 16)])
def test_the_tokens_of_the_timed_text_are_those_after_truncation(
    trained_toy: Callable[..., TextClassifier],
    monkeypatch: pytest.MonkeyPatch,
    words: int,
    most: int,
    tokens: int,
) -> None:
    monkeypatch.setattr(export, "REPEATS", 1)
    monkeypatch.setattr(export, "WORDS", words)
    fitted = trained_toy().fitted_
    fitted = replace(fitted, reading=replace(fitted.reading, max_length=most))
    seconds = export._measure_seconds(fitted, {}, ["good film", "bad film"])
    assert seconds.tokens == tokens
    assert seconds.run > 0
    assert seconds.float32 is None
