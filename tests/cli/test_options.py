"""Options whose values people write in a special form."""

from __future__ import annotations

from typing import Any

import pytest

from thawline.cli.commands import _with_values
from thawline.cli.options import SettingOption
from thawline.config import Config, LadderConfig
from thawline.config.annotations import settings_of
from thawline.config.resolve import change_config
from thawline.errors import ThawlineError
from thawline.models.specs import parse_head

OPTIONS = {key: SettingOption(setting) for key, setting in settings_of(LadderConfig).items()}


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("budget", "10m", 600),
        ("budget", "1h30m", 5_400),
        ("budget", "0", 0),
        ("seeds", "3", [0, 1, 2]),
        ("seeds", "0,7", [0, 7]),
        ("seeds", "5, 6", [5, 6]),
    ],
)
def test_a_written_value_is_read(key: str, written: str, value: Any) -> None:
    assert OPTIONS[key].read(written) == value


@pytest.mark.parametrize(
    ("key", "written"),
    [
        *(("budget", written) for written in ("", "soon", "-1", "10 d")),
        *(("seeds", written) for written in ("", "0", "-1", "1,x", "1001", "1.5")),
    ],
)
def test_an_invalid_value_is_an_error_of_its_setting(key: str, written: str) -> None:
    with pytest.raises(ThawlineError) as caught:
        OPTIONS[key].read(written)
    assert caught.value.setting == key
    assert f"'{written}'" in caught.value.found


LONG = "9" * 5_000
"""A number with more digits than Python reads."""


@pytest.mark.parametrize(
    ("key", "written"),
    [
        *(("seeds", written) for written in (LONG, f"1,{LONG}")),
        *(("sizes", written) for written in (LONG, f"100,{LONG},all")),
        ("fit.data.limit", f"40,{LONG}"),
    ],
)
def test_a_number_of_too_many_digits_is_an_error_of_its_setting(key: str, written: str) -> None:
    with pytest.raises(ThawlineError) as caught:
        OPTIONS[key].read(written)
    assert caught.value.setting == key


@pytest.mark.parametrize("key", ["seed", "training.epochs", "head.dropout"])
def test_a_written_number_of_too_many_digits_is_an_error(key: str) -> None:
    with pytest.raises(ThawlineError) as caught:
        change_config(Config(), [f"{key}={LONG}"])
    assert caught.value.setting == key


def test_a_head_of_too_many_digits_is_an_error() -> None:
    with pytest.raises(ThawlineError) as caught:
        parse_head(f"mlp:{LONG}")
    assert caught.value.setting == "head.head"


def test_no_empty_list_is_proposed_as_a_default() -> None:
    with pytest.raises(ThawlineError) as caught:
        change_config(LadderConfig(), ["sizes=[0]"])
    assert "[]" not in caught.value.fix


def test_the_help_shows_the_default_as_people_write_it() -> None:
    assert OPTIONS["budget"].help_text.endswith("10m.")
    assert OPTIONS["seeds"].help_text.endswith("3.")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a b --ray", ["a", "b", "--ray", ""]),
        ("--ray --top 1 a b", ["--ray", "", "--top", "1", "a", "b"]),
        ("a b --ray local", ["a", "b", "--ray", "local"]),
    ],
)
def test_the_value_of_an_option_can_be_omitted(written: str, read: list[str]) -> None:
    assert _with_values(written.split()) == read
