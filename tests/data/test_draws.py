"""Several samples of train and validation, with the same test rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tests.support.review_files import Write
from thawline.config import DataConfig
from thawline.data import Dataset, load, load_draws
from thawline.errors import ThawlineError


@pytest.fixture
def table(write: Write) -> Path:
    """300 texts in three classes of different sizes."""
    labels = (["a"] * 6 + ["b"] * 3 + ["c"]) * 30
    texts = [f"text number {number}" for number in range(300)]
    return write("table.csv", {"text": texts, "label": labels})


def labelled(data: Dataset) -> set[int]:
    """Return the rows of train and validation."""
    return {*data.train.rows.tolist(), *data.validation.rows.tolist()}


def test_draws_have_other_rows_and_the_same_test(table: Path) -> None:
    config = DataConfig(data=str(table), limit=(70, 40))
    draws = load_draws(config, 3)  # 240 rows remain after test
    assert draws[0].digest == load(config).digest
    assert draws[2].digest == load(replace(config, draw=2)).digest
    assert [one.protocol.get("draw") for one in draws] == [None, 1, 2]
    rows = [labelled(one) for one in draws]
    assert [len(one) for one in rows] == [70] * 3
    assert all(not one & other for one, other in combinations(rows, 2))
    assert {one.separate_draws for one in draws} == {3}
    for one in draws:
        assert one.test.rows.tolist() == draws[0].test.rows.tolist()
        assert one.test.texts == draws[0].test.texts
        assert len(one.validation) == 7
        counts = np.bincount(one.train.labels) + np.bincount(one.validation.labels, minlength=3)
        assert np.abs(counts - [42, 21, 7]).max() <= 1


def test_more_draws_than_there_are_rows_have_some_in_common(table: Path) -> None:
    draws = load_draws(DataConfig(data=str(table), limit=(70, 40)), 6)
    rows = [labelled(one) for one in draws]
    assert len({one.digest for one in draws}) == 6
    assert [len(one) for one in rows] == [70] * 6
    for first in (0, 3):  # three draws without common rows, shuffled twice
        assert all(not a & b for a, b in combinations(rows[first : first + 3], 2))
    assert 0 < sum(len(one & rows[5]) for one in rows[:3]) <= 70


def test_a_split_for_validation_is_drawn_if_it_is_larger_than_the_limit(
    write: Write, tmp_path: Path
) -> None:
    for name, rows in (("train", 100), ("validation", 60), ("test", 60)):
        texts = [f"{name} {number}" for number in range(rows)]
        write(f"{name}.csv", {"text": texts, "label": ["x", "y"] * (rows // 2)})
    first, second = load_draws(DataConfig(data=str(tmp_path), limit=(40, 20)), 2)
    for name in ("train", "validation"):
        assert not {*first.parts[name].texts} & {*second.parts[name].texts}
    assert first.test.texts == second.test.texts
    first, second = load_draws(DataConfig(data=str(tmp_path), limit=(40, 60)), 2)
    assert first.validation.texts == second.validation.texts
    assert first.train.texts != second.train.texts


@pytest.mark.parametrize("limit", [None, (240, 40), (500, 40)])
def test_without_other_rows_there_are_no_draws(table: Path, limit: tuple[int, int] | None) -> None:
    config = DataConfig(data=str(table), limit=limit)
    assert len(load_draws(config, 1)) == 1
    with pytest.raises(ThawlineError) as caught:
        load_draws(config, 2)
    assert caught.value.setting == "data.limit"
    assert "240" in caught.value.expected
