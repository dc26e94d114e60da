"""The strategies' one reader and one writer, their thaw lines and what they refuse."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from thawline.config import LEARNING_RATES
from thawline.errors import ThawlineError
from thawline.strategies import (
    Full,
    Gradual,
    Head,
    HeadFirst,
    Last,
    Lora,
    Strategy,
    as_strategy,
    parse_strategy,
    require_built,
)

COUNTS = st.integers(1, 1_000)
LORAS = st.builds(
    Lora,
    r=COUNTS,
    alpha=st.floats(0, exclude_min=True, allow_infinity=False),
    dropout=st.floats(0, 1, exclude_max=True),
    targets=st.none() | st.from_regex(r"[a-z_.]+(\+[a-z_.]+)*", fullmatch=True),
    from_=COUNTS,
)
THAWING = st.builds(Last, k=COUNTS) | LORAS | st.just(Full())
ANY = st.just(Head()) | st.just(Gradual()) | THAWING | st.builds(HeadFirst, then=THAWING)


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("head", Head()),
        (" head ", Head()),
        ("head:", Head()),
        ("last", Last(1)),
        ("last:2", Last(2)),
        ("last:k=2", Last(2)),
        ("full", Full()),
        ("gradual", Gradual()),
        ("lora", Lora()),
        ("lora:r=8", Lora(r=8)),
        ("lora:r=4,alpha=16,from=3", Lora(r=4, alpha=16, from_=3)),
        ("lora:dropout=0", Lora(dropout=0.0)),
        ("lora:targets=query+value", Lora(targets="query+value")),
        ("lp+full", HeadFirst(Full())),
        ("lp+last:3", HeadFirst(Last(3))),
        ("lp+lora:r=2,from=2", HeadFirst(Lora(r=2, from_=2))),
    ],
)
def test_a_strategy_is_read(text: str, strategy: Strategy) -> None:
    assert parse_strategy(text) == strategy


@given(ANY)
def test_what_is_written_reads_back_the_same(strategy: Strategy) -> None:
    assert parse_strategy(str(strategy)) == strategy


@pytest.mark.parametrize(
    ("strategy", "written"),
    [
        (Head(), "head"),
        (Last(2), "last:2"),
        (Lora(alpha=16), "lora:r=4,alpha=16,dropout=0.1,from=1"),
        (Lora(targets="q_proj"), "lora:r=4,alpha=32,dropout=0.1,targets=q_proj,from=1"),
        (HeadFirst(Last(1)), "lp+last:1"),
    ],
)
def test_a_strategy_is_written(strategy: Strategy, written: str) -> None:
    assert str(strategy) == written


NAMES = "expected a strategy (head, last:1, lora:r=4,alpha=32, full, gradual, lp+full)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("haed", f"{NAMES}, found 'haed'; did you mean 'head'?"),
        ("ful", f"{NAMES}, found 'ful'; did you mean 'full'?"),
        ("lroa:r=4", f"{NAMES}, found 'lroa:r=4'; did you mean 'lora'?"),
        ("lp", f"{NAMES}, found 'lp'; choose from head, last, lora, full, gradual, lp+full"),
        ("", f"{NAMES}, found ''; choose from head, last, lora, full, gradual, lp+full"),
        (
            "lora:rank=4",
            "expected key=value after 'lora:', found 'rank=4' in 'lora:rank=4'; "
            "choose from r, alpha, dropout, targets, from",
        ),
        (
            "lora:alhpa=4",
            "expected key=value after 'lora:', found 'alhpa=4' in 'lora:alhpa=4'; "
            "did you mean 'alpha'?",
        ),
        (
            "lora:r",
            "expected key=value after 'lora:', found 'r' in 'lora:r'; did you mean 'r'?",
        ),
        (
            "lora:from_=2",
            "expected key=value after 'lora:', found 'from_=2' in 'lora:from_=2'; "
            "did you mean 'from'?",
        ),
        ("lora:r=4,r=8", "expected r once, found 'lora:r=4,r=8'; leave one of the two out"),
        (
            "full:k=1",
            "expected key=value after 'full:', found 'k=1' in 'full:k=1'; write --strategy full",
        ),
        (
            "last:1.5",
            "expected key=value after 'last:', found '1.5' in 'last:1.5'; write --strategy last:1",
        ),
        (
            "lp+head",
            "expected lp+ before last, lora or full, found 'lp+head'; write lp+full",
        ),
        (
            "lp+gradual",
            "expected lp+ before last, lora or full, found 'lp+gradual'; write lp+full",
        ),
        (
            "lp+lp+full",
            "expected lp+ before last, lora or full, found 'lp+lp+full'; write lp+full",
        ),
    ],
)
def test_what_is_no_strategy_is_refused(text: str, message: str) -> None:
    with pytest.raises(ThawlineError, match=f"^{re.escape(message)}$"):
        parse_strategy(text)


@pytest.mark.parametrize(
    ("text", "key", "wanted", "value"),
    [
        ("last:0", "k", "a whole number above 0", "0"),
        ("last:k=-1", "k", "a whole number above 0", "-1"),
        ("last:k=two", "k", "a whole number above 0", "two"),
        ("lora:r=0", "r", "a whole number above 0", "0"),
        ("lora:r=2.5", "r", "a whole number above 0", "2.5"),
        ("lora:r=", "r", "a whole number above 0", ""),
        ("lora:from=0", "from", "a whole number above 0", "0"),
        ("lora:alpha=0", "alpha", "a number above 0", "0"),
        ("lora:alpha=inf", "alpha", "a number above 0", "inf"),
        ("lora:alpha=nan", "alpha", "a number above 0", "nan"),
        ("lora:dropout=1", "dropout", "at least 0 and below 1", "1"),
        ("lora:dropout=-0.1", "dropout", "at least 0 and below 1", "-0.1"),
        ("lora:targets=", "targets", "the names of modules, joined by +", ""),
        ("lp+lora:r=0", "r", "a whole number above 0", "0"),
    ],
)
def test_a_value_that_its_key_cannot_take_is_refused(
    text: str, key: str, wanted: str, value: str
) -> None:
    with pytest.raises(ThawlineError) as caught:
        parse_strategy(text)
    error = caught.value
    assert error.expected == f"{key} to be {wanted}"
    assert error.found == f"'{value}' in '{text.removeprefix('lp+')}'"
    assert error.fix == f"fix the value of {key}"


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
        ("lp+last:2", 5),
        ("lp+lora:from=4", 4),
    ],
)
def test_the_thaw_line_on_six_blocks(text: str, line: int) -> None:
    strategy = parse_strategy(text)
    strategy.check(depth=6)
    assert strategy.line(depth=6) == line


@given(ANY, st.integers(1, 64))
def test_a_strategy_that_fits_has_its_line_on_the_backbone(strategy: Strategy, depth: int) -> None:
    try:
        strategy.check(depth)
    except ThawlineError:
        return
    assert 0 <= strategy.line(depth) <= depth + 1


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (
            Last(7),
            "expected k to be from 1 to 6, as many as this backbone has blocks, "
            "found 'last:7'; give k of at most 6",
        ),
        (
            Last(0),
            "expected k to be from 1 to 6, as many as this backbone has blocks, found 'last:0'; "
            "give k of at least 1",
        ),
        (
            Lora(from_=7),
            "expected from to be from 1 to 6, as many as this backbone has blocks, "
            "found 'lora:r=4,alpha=32,dropout=0.1,from=7'; give from of at most 6",
        ),
        (
            HeadFirst(Last(9)),
            "expected k to be from 1 to 6, as many as this backbone has blocks, "
            "found 'last:9'; give k of at most 6",
        ),
    ],
)
def test_more_blocks_than_there_are_are_refused(strategy: Strategy, message: str) -> None:
    with pytest.raises(ThawlineError, match=f"^{re.escape(message)}$"):
        strategy.check(depth=6)


@pytest.mark.parametrize("text", ["head", "last:1", "lora:r=4", "full", "lp+last:1", "lp+full"])
def test_what_is_built_can_be_run(text: str) -> None:
    require_built(parse_strategy(text))


@pytest.mark.parametrize(
    ("text", "adapters"),
    [
        *(("head", None), ("last:2", None), ("full", None), ("gradual", None), ("lp+full", None)),
        ("lora:r=2", Lora(r=2)),
        ("lp+lora:r=2", Lora(r=2)),
    ],
)
def test_adapters_are_those_of_lora(text: str, adapters: Lora | None) -> None:
    assert parse_strategy(text).adapters == adapters


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        *(("head", "head"), ("last:2", "last"), ("lora:r=2", "lora"), ("full", "full")),
        *(("lp+last:2", "last"), ("lp+lora", "lora"), ("lp+full", "full")),
    ],
)
def test_each_has_a_rate_and_the_head_first_that_of_what_follows(text: str, rate: str) -> None:
    assert parse_strategy(text).rate("bert") == LEARNING_RATES[rate]


def test_what_is_not_built_yet_says_so() -> None:
    strategy = parse_strategy("gradual")
    with pytest.raises(ThawlineError) as caught:
        require_built(strategy)
    assert str(caught.value) == (
        "expected a strategy that this version can run (head, last, lora, full, lp+full), "
        "found 'gradual', which is not built yet; use --strategy head"
    )


class TestParameters:
    def test_the_fields_are_the_parameters(self) -> None:
        assert Head().get_params() == {}
        assert Last(2).get_params() == {"k": 2}
        fields = {"r": 4, "alpha": 16, "dropout": 0.1, "targets": None, "from_": 1}
        assert Lora(alpha=16).get_params(deep=False) == fields

    def test_the_strategy_that_follows_shows_its_own(self) -> None:
        strategy = HeadFirst(Last(3))
        assert strategy.get_params() == {"then": Last(3), "then__k": 3}
        assert strategy.get_params(deep=False) == {"then": Last(3)}

    @given(ANY)
    def test_a_clone_is_equal(self, strategy: Strategy) -> None:
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
    def test_other_values_make_another_strategy(
        self, strategy: Strategy, params: dict[str, Any], result: Strategy
    ) -> None:
        before = str(strategy)
        assert strategy.with_params(**params) == result
        assert str(strategy) == before
        with pytest.raises(dataclasses.FrozenInstanceError):
            strategy.name = "another"  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("strategy", "name", "message"),
        [
            (
                Lora(),
                "alhpa",
                "expected a parameter of 'lora:r=4,alpha=32,dropout=0.1,from=1' "
                "(r, alpha, dropout, targets, from_), found 'alhpa'; did you mean 'alpha'?",
            ),
            (
                Last(2),
                "depth",
                "expected a parameter of 'last:2' (k), found 'depth'; choose from k",
            ),
            (
                Last(2),
                "k__k",
                "expected a parameter of 'last:2' (k), found 'k__k'; choose from k",
            ),
            (
                HeadFirst(Last(2)),
                "then__r",
                "expected a parameter of 'last:2' (k), found 'r'; choose from k",
            ),
            (
                Head(),
                "k",
                "expected a strategy with parameters, found 'k' for 'head', which has none; "
                "leave it out",
            ),
        ],
    )
    def test_there_is_no_such_parameter(self, strategy: Strategy, name: str, message: str) -> None:
        with pytest.raises(ThawlineError, match=f"^{re.escape(message)}$"):
            strategy.with_params(**{name: 1})

    def test_both_forms_are_one_strategy(self) -> None:
        assert as_strategy("last:2") == as_strategy(Last(2)) == Last(2)
        with pytest.raises(ThawlineError, match="did you mean 'last'"):
            as_strategy("lst")

    @pytest.mark.parametrize("neither", [3, None, Last])
    def test_neither_form_is_refused(self, neither: Any) -> None:
        with pytest.raises(ThawlineError) as caught:
            as_strategy(neither)
        assert caught.value.expected == (
            "a strategy, as an object such as Last(2) or as a string such as 'last:2'"
        )
        assert caught.value.found == f"{neither!r} ({type(neither).__name__})"
