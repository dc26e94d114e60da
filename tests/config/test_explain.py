"""What a setting takes, in words: read from its annotation, whatever that is."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from annotated_types import Ge, Gt, Le, Lt, MinLen

from thawline.config import Config
from thawline.config import explain as misfit


def leaves(values: dict[str, Any], prefix: str = "") -> set[str]:
    return {
        leaf
        for key, value in values.items()
        for leaf in (
            leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}"}
        )
    }


def test_the_settings_are_those_of_the_config() -> None:
    assert set(misfit.hints(Config)) == leaves(Config().to_dict())


@pytest.mark.parametrize("key", misfit.hints(Config))
def test_every_setting_can_be_described_and_its_misfit_explained(key: str) -> None:
    *tables, name = key.split(".")
    nested: dict[str, Any] = {name: {}}
    for table in reversed(tables):
        nested = {table: nested}
    problem = {"type": "some_type", "loc": (*tables, name), "input": {}}
    error = misfit.explain(Config, problem, nested, {})
    assert error.expected.startswith(f"{key} to be ")
    assert error.found == "{}"
    assert error.fix


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (str, "a text"),
        (bool, "true or false"),
        (int, "a whole number"),
        (Annotated[int, Ge(1), Le(1000)], "a whole number from 1 to 1,000"),
        (Annotated[int, Ge(2)], "a whole number of at least 2"),
        (Annotated[float, Gt(0), Lt(1)], "a number above 0 and below 1"),
        (Annotated[float, Gt(0), Le(0.5)], "a number above 0 and at most 0.5"),
        (tuple[str, ...], "a list of texts"),
        (tuple[int, int], "a list of 2 whole numbers"),
        (
            Annotated[tuple[Annotated[float, Ge(0)], ...], MinLen(1)],
            "a list of numbers, each of at least 0, 1 or more of them",
        ),
    ],
)
def test_an_annotation_in_words(hint: Any, words: str) -> None:
    assert misfit._described(hint) == words


def test_a_limit_without_words_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="a limit without words: 3"):
        misfit._described(Annotated[int, 3])


def test_only_a_setting_of_text_takes_a_text() -> None:
    assert misfit.is_text(Config, "backbone")
    assert misfit.is_text(Config, "head.features")
    assert not misfit.is_text(Config, "seed")
    assert not misfit.is_text(Config, "data.labels")
    assert not misfit.is_text(Config, "nothing")


def test_a_long_value_is_shown_in_part() -> None:
    problem = {"type": "x", "loc": ("backbone",), "input": None}
    found = misfit.explain(Config, problem, {"backbone": ["a" * 200]}, {}).found
    assert len(found) == 80
    assert found.endswith("a…")
