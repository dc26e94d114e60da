"""A small file of vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.toys import WORDS

FREQUENT = ["the", "a", "well-known", "film", "zebra", "yacht", "xylophone"]


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Vectors of 12 numbers, the toys' words but for "dull" and "awful" among them."""
    words = [word for word in dict.fromkeys([*FREQUENT, *WORDS]) if word not in ("dull", "awful")]
    matrix = np.random.default_rng(1).normal(size=(len(words), 12))
    lines = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, matrix, strict=True)]
    path = tmp_path / "own.txt"
    path.write_text("".join(lines))
    return path
