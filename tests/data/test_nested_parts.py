"""Nested parts of a data set, for learning curves."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.data import load_data
from thawline.data.stratified import nested_order
from thawline.errors import ThawlineError


def test_every_beginning_of_the_order_is_stratified() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    order = nested_order(labels, 7)
    assert sorted(order) == list(range(100))
    for rows in (10, 20, 50, 90):
        counts = np.bincount(labels[order[:rows]], minlength=3)
        assert np.abs(counts - rows * np.array([0.5, 0.3, 0.2])).max() <= 1
    assert nested_order(labels, 7).tolist() == order.tolist()
    assert nested_order(labels, 8).tolist() != order.tolist()


def test_parts_are_nested_and_have_the_same_test_rows() -> None:
    texts = [f"text {number}" for number in range(200)]
    data = load_data((texts, [number % 2 for number in range(200)]))
    parts = [data.nested_part(rows) for rows in (20, 40)]
    for part, rows in zip(parts, (20, 40), strict=True):
        assert len(part.train) + len(part.validation) == rows
        assert len(part.validation) == max(2, rows // 10)
        assert part.test.texts == data.test.texts
        splits = part.protocol["splits"]
        assert [splits[name]["rows"] for name in ("train", "validation")] == [
            *(len(part.train), len(part.validation))
        ]
    for name in ("train", "validation"):
        rows = [set(part.parts[name].rows.tolist()) for part in (*parts, data)]
        assert rows[0] < rows[1] < rows[2]
    assert len({part.digest for part in (*parts, data)}) == 3
    assert data.nested_part(160).digest == data.digest


def test_too_few_and_too_many_rows_are_refused() -> None:
    data = load_data(([f"text {n}" for n in range(50)], [0] * 40 + [1] * 10))
    for rows in (0, 3, 51):
        with pytest.raises(ThawlineError):
            data.nested_part(rows)


def test_validation_rows_can_be_added_to_train() -> None:
    data = load_data(([f"text {n}" for n in range(50)], [0, 1] * 25))
    joined = data.with_validation_in_train()
    assert joined.train.texts == data.train.texts + data.validation.texts
    assert joined.validation.texts == data.validation.texts
    assert joined.protocol["splits"]["train"]["rows"] == len(joined.train)
    assert len(joined.warnings) == len(data.warnings) + 1
    assert joined.digest != data.digest
