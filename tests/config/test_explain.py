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


def test_a_long_value_is_shown_in_part() -> None:
    problem = {"type": "x", "loc": ("backbone",), "input": None}
    found = explain_validation_error(Config, problem, {"backbone": ["a" * 200]}, {}).found
    assert len(found) <= 82
    assert found.startswith("['a")
    assert "a…a" in found
