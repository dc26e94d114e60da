"""Fixtures for the tests of scoring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import save_here
from thawline import TextClassifier


@pytest.fixture(scope="module")
def artifact(
    tmp_path_factory: pytest.TempPathFactory,
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
) -> Path:
    """Return the folder of a classifier of words, which is fast."""
    texts, labels = toy_reviews(60)
    folder = tmp_path_factory.mktemp("scored") / "words"
    words = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(texts, labels)
    return save_here(words, folder)
