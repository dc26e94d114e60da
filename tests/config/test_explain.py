"""Every setting can be described, and a value that does not fit it is explained."""

from __future__ import annotations

from typing import Any

import pytest

from thawline.config import Config
from thawline.config.annotations import describe_type, settings_of
from thawline.config.explain import explain_validation_error


@pytest.mark.parametrize("key", settings_of(Config))
def test_a_wrong_value_of_every_setting_is_explained(key: str) -> None:
    *tables, name = key.split(".")
    nested: dict[str, Any] = {name: {}}
    for table in reversed(tables):
        nested = {table: nested}
    problem = {"type": "some_type", "loc": (*tables, name), "input": {}}
    error = explain_validation_error(Config, problem, nested, {key: "--this"})
    assert describe_type(settings_of(Config)[key].hint) in error.expected
    assert "--this" in error.expected
    assert (error.setting, error.found) == (key, "{}")
    assert error.fix


@pytest.mark.parametrize(
    ("key", "value", "mentioned"),
    [
        ("data.labels", "[neg, pos]", True),
        ("data.labels", "neg, pos", False),
        ("exact.penalties", "[0.1, x]", False),
    ],
)
def test_strings_without_quotation_marks_in_a_list_are_explained(
    key: str, value: str, mentioned: bool
) -> None:
    table, _, name = key.partition(".")
    problem = {"type": "x", "loc": (table, name), "input": value}
    error = explain_validation_error(Config, problem, {table: {name: value}}, {})
    assert ("quotation marks" in error.fix) is mentioned


def test_a_setting_of_a_table_is_proposed_as_an_assignment() -> None:
    problem = {"type": "x", "loc": ("training",), "input": 1}
    fix = explain_validation_error(Config, problem, {"training": 1}, {}).fix
    key, _, value = fix.split("`")[1].partition("=")
    assert key in settings_of(Config)
    assert value == "…"


def test_a_long_value_is_shown_in_part() -> None:
    problem = {"type": "x", "loc": ("backbone",), "input": None}
    found = explain_validation_error(Config, problem, {"backbone": ["a" * 200]}, {}).found
    assert len(found) <= 82
    assert found.startswith("['a")
    assert "a…a" in found
