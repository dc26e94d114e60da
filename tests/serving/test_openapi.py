"""The server answers as its OpenAPI description says, whatever is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("schemathesis", reason="it is not installed")

import hypothesis
import schemathesis

from tests.support.live_server import live_server
from thawline import TextClassifier

description = schemathesis.pytest.from_fixture("_description")


@pytest.fixture(scope="module")
def _description(
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
) -> Iterator[Any]:
    words = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(60))
    with live_server({"words": words.fitted_}) as address:
        yield schemathesis.openapi.from_url(f"{address}openapi.json")


@pytest.mark.slow
@description.parametrize()
@hypothesis.settings(
    max_examples=50, deadline=None, suppress_health_check=[*hypothesis.HealthCheck]
)
def test_answers_conform_to_the_description(case: Any) -> None:
    case.call_and_validate()
