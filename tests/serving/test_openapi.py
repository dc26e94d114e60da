"""The server answers as its OpenAPI description says, whatever is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("schemathesis", reason="it is not installed")

import hypothesis
import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.live_server import live_server
from thawline import TextClassifier

Reviews = Callable[..., tuple[list[str], list[int]]]


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_answers_conform_to_the_description(toy_reviews: Reviews) -> None:
    check_answers(toy_reviews, examples=40)


def check_answers(toy_reviews: Reviews, examples: int) -> None:
    words = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(60))
    with live_server({"words": words.fitted_}) as address:
        description = schemathesis.openapi.from_url(f"{address}openapi.json")
        operations = [found.ok() for found in description.get_all_operations()]
        assert {"/predict", "/tei/{model}/predict"} <= {one.path for one in operations}
        for operation in operations:
            check_operation(operation, examples)


def check_operation(operation: Any, examples: int) -> None:
    """Send valid and invalid requests, and check the status and the form of each answer."""

    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=[*hypothesis.HealthCheck],
    )
    @hypothesis.given(case=operation.as_strategy())
    def check(case: Any) -> None:
        # A pair is valid, but not for a classifier of single texts.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    check()
