"""Settings are read from annotations, and what they allow is described in words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt, MinLen

from thawline.config import Config, LadderConfig, PretrainConfig, TuneConfig
from thawline.config.annotations import describe_type, flatten_settings, settings_of
from thawline.config.ranges import Bytes, Count


@pytest.mark.parametrize("config_type", [Config, PretrainConfig, LadderConfig, TuneConfig])
def test_the_settings_are_those_of_the_config(config_type: Any) -> None:
    assert {key: setting.default for key, setting in settings_of(config_type).items()} == dict(
        flatten_settings(config_type().to_dict())
    )


def test_the_range_is_kept_and_none_is_not() -> None:
    settings = settings_of(Config)
    assert settings["training.batch_size"].hint == Count == settings["training.epochs"].hint
    assert settings["compute.store_limit"].hint == Bytes
    assert settings["training.epochs"].type is int
    assert settings["training.epochs"].has_range
    assert not settings["tokens.max_length"].has_range
    assert settings["training.keep"].choices == ("accuracy", "f1_macro", "loss", "last")
    assert settings["data.labels"].is_list


@pytest.mark.parametrize(
    ("hint", "numbers"),
    [
        (str, []),
        (bool, []),
        (int, []),
        (Annotated[int, Ge(1), Le(1000)], ["1", "1,000"]),
        (Annotated[int, Ge(2)], ["2"]),
        (Annotated[float, Gt(0), Lt(1)], ["0", "1"]),
        (Annotated[float, Gt(0), Le(0.5)], ["0", "0.5"]),
        (tuple[str, ...], []),
        (tuple[int, int], ["2"]),
        (Annotated[tuple[Annotated[float, Ge(0)], ...], MinLen(1)], ["0", "1"]),
        (Literal["a", "b", "c"], ["a", "b", "c"]),
    ],
)
def test_an_annotation_is_described_with_its_limits(hint: Any, numbers: list[str]) -> None:
    words = describe_type(hint).replace(", ", " ").split()
    assert words
    assert [number for number in numbers if number not in words] == []


def test_different_annotations_have_different_descriptions() -> None:
    hints: list[Any] = [
        *(str, bool, int, float, tuple[int, ...], tuple[float, ...], tuple[int, int]),
        *(Annotated[int, Ge(1)], Annotated[int, Gt(1)], Annotated[int, Le(1)]),
        *(Annotated[int, Lt(1)], Annotated[tuple[int, ...], MinLen(1)]),
    ]
    assert len({describe_type(hint) for hint in hints}) == len(hints)


def test_a_limit_without_a_description_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="3"):
        describe_type(Annotated[int, 3])


def test_only_strings_and_choices_are_strings() -> None:
    settings = settings_of(Config)
    strings = {"backbone", "head.features", "training.keep"}
    assert all(settings[key].is_string for key in strings)
    assert not any(settings[key].is_string for key in ("seed", "data.labels"))
