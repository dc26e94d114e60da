"""Test how strategies are parsed and written, their thaw lines and their errors."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from thawline.config import LEARNING_RATES
from thawline.errors import ThawlineError
from thawline.strategies import (
    MAX_ALPHA,
    BitFit,
    Full,
    Gradual,
    Head,
    HeadFirst,
    HeadTfidf,
    Last,
    Lora,
    Strategy,
    Tapt,
    Tfidf,
    as_strategy,
    parse_strategy,
)

COUNTS = st.integers(1, 1_000)
LORAS = st.builds(
    Lora,
    r=COUNTS,
    alpha=st.floats(0, MAX_ALPHA, exclude_min=True),
    dropout=st.floats(0, 1, exclude_max=True),
    targets=st.none() | st.from_regex(r"[a-z_.]+(\+[a-z_.]+)*", fullmatch=True),
    from_=COUNTS,
    dora=st.booleans(),
    rslora=st.booleans(),
)
GRADUAL = st.builds(Gradual, stages=st.none() | COUNTS)
THAWING = st.builds(Last, k=COUNTS) | LORAS | st.sampled_from([Full(), BitFit()]) | GRADUAL
ADAPTED = st.just(Head()) | THAWING | st.builds(HeadFirst, then=THAWING)
ANY = ADAPTED | st.builds(Tapt, then=ADAPTED) | st.sampled_from([Tfidf(), HeadTfidf()])


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("head", Head()),
        (" head ", Head()),
        ("head:", Head()),
        ("tfidf", Tfidf()),
        ("head+tfidf", HeadTfidf()),
        ("last", Last(1)),
        ("last:2", Last(2)),
        ("last:k=2", Last(2)),
        ("full", Full()),
        ("gradual", Gradual()),
        ("gradual:stages=3", Gradual(3)),
        ("bitfit", BitFit()),
        ("lora", Lora()),
        ("lora:r=8", Lora(r=8)),
        ("lora:r=4,alpha=16,from=3", Lora(r=4, alpha=16, from_=3)),
        ("lora:dropout=0", Lora(dropout=0.0)),
        ("lora:targets=query+value", Lora(targets="query+value")),
        ("lora:dora=true,rslora=false", Lora(dora=True)),
        ("lp+full", HeadFirst(Full())),
        ("lp+last:3", HeadFirst(Last(3))),
        ("lp+lora:r=2,from=2", HeadFirst(Lora(r=2, from_=2))),
        ("lp+gradual", HeadFirst(Gradual())),
        ("tapt+head", Tapt(Head())),
        ("tapt+lora:targets=query+value", Tapt(Lora(targets="query+value"))),
        ("tapt+lp+full", Tapt(HeadFirst(Full()))),
    ],
)
def test_parse_strategy(text: str, strategy: Strategy) -> None:
    assert parse_strategy(text) == strategy


@given(ANY)
def test_written_form_parses_to_the_same_strategy(strategy: Strategy) -> None:
    assert parse_strategy(str(strategy)) == strategy


@pytest.mark.parametrize(
    ("strategy", "written"),
    [
        (Head(), "head"),
        (Last(2), "last:2"),
        (Lora(alpha=16), "lora:r=4,alpha=16,dropout=0.1,from=1"),
        (Lora(targets="q_proj"), "lora:r=4,alpha=32,dropout=0.1,targets=q_proj,from=1"),
        (Lora(dora=True), "lora:r=4,alpha=32,dropout=0.1,from=1,dora=true"),
        (Lora(rslora=True), "lora:r=4,alpha=32,dropout=0.1,from=1,rslora=true"),
        (Gradual(), "gradual"),
        (Gradual(2), "gradual:stages=2"),
        (HeadFirst(Last(1)), "lp+last:1"),
        (Tapt(HeadFirst(Last(1))), "tapt+lp+last:1"),
    ],
)
def test_written_form(strategy: Strategy, written: str) -> None:
    assert str(strategy) == written


@pytest.mark.parametrize(
    ("text", "found", "hint"),
    [
        ("haed", "'haed'", "'head'"),
        ("ful", "'ful'", "'full'"),
        ("lroa:r=4", "'lroa:r=4'", "'lora'"),
        ("lp", "'lp'", "'lp+full'"),
        ("", "''", "head, last, lora, bitfit, full, gradual, tfidf, head+tfidf, lp+full"),
        ("lora:rank=4", "'rank=4' in 'lora:rank=4'", "r, alpha, dropout, targets, from, dora"),
        ("lora:alhpa=4", "'alhpa=4' in 'lora:alhpa=4'", "'alpha'"),
        ("lora:r", "'r' in 'lora:r'", "r="),
        ("lora:from_=2", "'from_=2' in 'lora:from_=2'", "'from'"),
        ("lora:r=4,r=8", "'lora:r=4,r=8'", ""),
        ("full:k=1", "'k=1' in 'full:k=1'", "full"),
        ("last:1.5", "'1.5' in 'last:1.5'", "last:1"),
        ("lp+head", "'lp+head'", "lp+full"),
        ("lp+tfidf", "'lp+tfidf'", "lp+full"),
        ("lp+head+tfidf", "'lp+head+tfidf'", "lp+full"),
        ("tapt+tfidf", "'tapt+tfidf'", "tapt+head"),
        ("tapt+head+tfidf", "'tapt+head+tfidf'", "tapt+head"),
        ("last:1+tfidf", "'last:1+tfidf'", "head+tfidf"),
        ("full+tfidf", "'full+tfidf'", "head+tfidf"),
        ("lp+tapt+full", "'lp+tapt+full'", "lp+full"),
        ("tapt+tapt+full", "'tapt+tapt+full'", "tapt+head"),
        ("tapt+", "''", "tapt+head"),
        ("lp+lp+full", "'lp+lp+full'", "lp+full"),
    ],
)
def test_invalid_strategy(text: str, found: str, hint: str) -> None:
    with pytest.raises(ThawlineError) as caught:
        parse_strategy(text)
    error = caught.value
    assert (error.setting, error.found) == ("strategy", found)
    assert hint in error.fix


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("last:0", "k", "0"),
        ("last:k=-1", "k", "-1"),
        ("last:k=two", "k", "two"),
        ("lora:r=0", "r", "0"),
        ("lora:r=2.5", "r", "2.5"),
        ("lora:r=", "r", ""),
        ("lora:from=0", "from", "0"),
        ("lora:alpha=0", "alpha", "0"),
        ("lora:alpha=inf", "alpha", "inf"),
        ("lora:alpha=1e7", "alpha", "1e7"),
        ("lora:alpha=nan", "alpha", "nan"),
        ("lora:dropout=1", "dropout", "1"),
        ("lora:dropout=-0.1", "dropout", "-0.1"),
        ("lora:targets=", "targets", ""),
        ("lora:dora=1", "dora", "1"),
        ("lora:rslora=True", "rslora", "True"),
        ("gradual:stages=0", "stages", "0"),
        ("lp+lora:r=0", "r", "0"),
    ],
)
def test_invalid_value_of_a_key(text: str, key: str, value: str) -> None:
    with pytest.raises(ThawlineError) as caught:
        parse_strategy(text)
    error = caught.value
    assert error.setting == "strategy"
    assert f"`{key}`" in error.expected
    assert error.found == f"'{value}' in '{text.removeprefix('lp+')}'"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("head", 7),
        ("last:1", 6),
        ("last:2", 5),
        ("last:6", 1),
        ("lora", 1),
        ("lora:from=4", 4),
        ("full", 0),
        ("gradual", 0),
        ("gradual:stages=2", 5),
        ("gradual:stages=7", 0),
        ("bitfit", 1),
        ("tapt+head", 7),
        ("tapt+lp+last:2", 5),
        ("lp+last:2", 5),
        ("lp+lora:from=4", 4),
    ],
)
def test_thaw_line_on_six_blocks(text: str, line: int) -> None:
    strategy = parse_strategy(text)
    strategy.check(depth=6)
    assert strategy.line(depth=6) == line


@given(ANY.filter(lambda strategy: strategy.reads_states), st.integers(1, 64))
def test_line_of_a_valid_strategy_is_on_the_backbone(strategy: Strategy, depth: int) -> None:
    try:
        strategy.check(depth)
    except ThawlineError:
        return
    assert 0 <= strategy.line(depth) <= depth + 1


@pytest.mark.parametrize(
    ("strategy", "key", "value", "example"),
    [
        (Last(7), "k", "7", "last:6"),
        (Last(0), "k", "0", "last:1"),
        (Lora(from_=7), "from", "7", "lora:from=6"),
        (HeadFirst(Last(9)), "k", "9", "last:6"),
        (Tapt(Gradual(8)), "stages", "8", "gradual:stages=7"),
    ],
)
def test_block_outside_the_backbone(strategy: Strategy, key: str, value: str, example: str) -> None:
    with pytest.raises(ThawlineError) as caught:
        strategy.check(depth=6)
    error = caught.value
    assert (error.setting, error.found) == ("strategy", value)
    assert f"`{key}`" in error.expected
    assert "6" in error.expected
    assert example in error.fix


@pytest.mark.parametrize(
    ("text", "adapters"),
    [
        *(("head", None), ("last:2", None), ("full", None), ("gradual", None), ("lp+full", None)),
        ("lora:r=2", Lora(r=2)),
        ("lp+lora:r=2", Lora(r=2)),
        ("tapt+lora:r=2", Lora(r=2)),
    ],
)
def test_only_lora_has_adapters(text: str, adapters: Lora | None) -> None:
    assert parse_strategy(text).adapters == adapters


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        *(("head", "head"), ("last:2", "last"), ("lora:r=2", "lora"), ("full", "full")),
        *(("lp+last:2", "last"), ("lp+lora", "lora"), ("lp+full", "full")),
        *(("bitfit", "bitfit"), ("gradual:stages=2", "gradual"), ("tapt+lp+full", "full")),
    ],
)
def test_default_learning_rates(text: str, rate: str) -> None:
    assert parse_strategy(text).rate("bert") == LEARNING_RATES[rate]


@pytest.mark.parametrize(
    ("strategy", "epochs", "line", "first_stages"),
    [
        (Gradual(), 3, 4, [6, 5, 4]),
        (Gradual(), 9, 0, [6, 5, 4, 3, 2, 1, 0, 0, 0]),
        (Gradual(2), 4, 5, [6, 5, 5, 5]),
    ],
)
def test_gradual_thaws_one_stage_in_each_epoch(
    strategy: Gradual, epochs: int, line: int, first_stages: list[int]
) -> None:
    planned = strategy.planned(6, epochs)
    assert planned.line(6) == line
    assert [planned.first_trained(6, epoch) for epoch in range(1, epochs + 1)] == first_stages
    assert Tapt(HeadFirst(strategy)).planned(6, epochs).line(6) == line


@pytest.mark.parametrize("strategy", [Last(2), Lora(), Full(), BitFit(), HeadFirst(Full())])
def test_the_epochs_change_no_other_strategy(strategy: Strategy) -> None:
    assert strategy.planned(6, 3) == strategy


class TestParameters:
    def test_get_params_returns_the_fields(self) -> None:
        assert Head().get_params() == {}
        assert Last(2).get_params() == {"k": 2}
        fields = {"r": 4, "alpha": 16, "dropout": 0.1, "targets": None, "from_": 1}
        fields |= {"dora": False, "rslora": False}
        assert Lora(alpha=16).get_params(deep=False) == fields

    def test_get_params_includes_nested_parameters(self) -> None:
        strategy = HeadFirst(Last(3))
        assert strategy.get_params() == {"then": Last(3), "then__k": 3}
        assert strategy.get_params(deep=False) == {"then": Last(3)}

    @given(ANY)
    def test_clone_is_equal(self, strategy: Strategy) -> None:
        assert clone(strategy) == strategy
        assert strategy.with_params(**strategy.get_params()) == strategy

    @pytest.mark.parametrize(
        ("strategy", "params", "result"),
        [
            (Last(2), {"k": 3}, Last(3)),
            (Last(2), {}, Last(2)),
            (Lora(r=2), {"alpha": 8, "from_": 3}, Lora(r=2, alpha=8, from_=3)),
            (HeadFirst(Last(1)), {"then__k": 2}, HeadFirst(Last(2))),
            (HeadFirst(Last(1)), {"then__r": 2, "then": Lora()}, HeadFirst(Lora(r=2))),
        ],
    )
    def test_with_params_returns_a_changed_copy(
        self, strategy: Strategy, params: dict[str, Any], result: Strategy
    ) -> None:
        before = str(strategy)
        assert strategy.with_params(**params) == result
        assert str(strategy) == before
        with pytest.raises(dataclasses.FrozenInstanceError):
            strategy.name = "another"  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("strategy", "name", "owner", "found", "hint"),
        [
            (Lora(), "alhpa", "'lora:r=4,alpha=32,dropout=0.1,from=1'", "'alhpa'", "'alpha'"),
            (Last(2), "depth", "'last:2'", "'depth'", "k"),
            (Last(2), "k__k", "'last:2'", "'k__k'", "k"),
            (HeadFirst(Last(2)), "then__r", "'last:2'", "'r'", "k"),
            (Head(), "k", "'head'", "'k'", ""),
        ],
    )
    def test_unknown_parameter(
        self, strategy: Strategy, name: str, owner: str, found: str, hint: str
    ) -> None:
        with pytest.raises(ThawlineError) as caught:
            strategy.with_params(**{name: 1})
        error = caught.value
        assert owner in error.expected
        assert error.found == found
        assert hint in error.fix

    def test_as_strategy_takes_both_forms(self) -> None:
        assert as_strategy("last:2") == as_strategy(Last(2)) == Last(2)
        with pytest.raises(ThawlineError) as caught:
            as_strategy("lst")
        assert "'last'" in caught.value.fix

    @pytest.mark.parametrize("value", [3, None, Last])
    def test_as_strategy_rejects_other_types(self, value: Any) -> None:
        with pytest.raises(ThawlineError) as caught:
            as_strategy(value)
        assert caught.value.found == f"{value!r} ({type(value).__name__})"
