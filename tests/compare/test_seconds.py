"""The seconds of a fit, predicted from its work."""

from __future__ import annotations

import pytest

from thawline.compare import seconds
from thawline.compare.seconds import measure_slowdown, predict_seconds


def test_a_slower_core_prolongs_everything_but_matrix_products() -> None:
    work = {
        "prefix": {"products_fp32": 10.0},
        "training": {"products_bf16": 10.0},
        "words": {"fits": 1.0, "characters": 1e6},
    }
    usual, slow = predict_seconds(work), predict_seconds(work, slowdown=2.0)
    assert slow["prefix"] == usual["prefix"]
    assert slow["training"] == usual["training"]
    assert slow["words"] == pytest.approx(2 * usual["words"])


def test_the_efficiency_of_products_depends_on_their_dtype() -> None:
    given = {"training": {"products_fp32": 1.1, "products_bf16": 2.0, "steps": 0.01}}
    for dtype, expected in (("products_fp32", 1.1), ("products_bf16", 2.0)):
        predicted = predict_seconds({"training": {dtype: 3.0, "steps": 5}}, seconds=given)
        assert predicted == {"training": pytest.approx(3 * expected + 0.05)}


def test_the_slowdown_compares_a_core_with_the_reference_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = seconds.REFERENCE_WORD_RATE / 2
    monkeypatch.setattr(seconds, "word_rate", lambda *, bursts: half)
    assert measure_slowdown() == 2.0
