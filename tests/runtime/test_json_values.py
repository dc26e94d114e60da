"""Values of JSON files are checked, and refused with the file and the key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from thawline.errors import ThawlineError
from thawline.runtime.json_values import JsonValues

FILE = JsonValues(Path("some.json"), "restore the file")

Check = Callable[[object], object]

CASES: list[tuple[Check, list[object], list[object]]] = [
    (lambda value: FILE.whole("k", value, 1, 3), [1, 3], [0, 4, True, 1.0, "1", None]),
    (lambda value: FILE.number("k", value, 0, 1), [0, 0.5, 1], [-1, 2, True, float("nan"), "0"]),
    (lambda value: FILE.boolean("k", value), [True, False], [0, 1, None, "true"]),
    (lambda value: FILE.text("k", value, 3, least=1), ["a", "abc"], ["", "abcd", 1, None]),
    (lambda value: FILE.items("k", value, 2, least=1), [[1], [1, 2]], [[], [1, 2, 3], {}, "a"]),
    (lambda value: FILE.mapping("k", value, 1), [{}, {"a": 1}], [{"a": 1, "b": 2}, [], None]),
    (lambda value: FILE.one_of("k", value, ("a", None)), ["a", None], ["b", ["a"], {}]),
    (
        lambda value: FILE.keys("k", value, ("a",), ("b",)),
        [{"a": 1}, {"a": 1, "b": 2}],
        [{}, {"b": 1}, {"a": 1, "c": 2}, [], None],
    ),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_valid_values_pass_and_others_are_refused(case: int) -> None:
    check, valid, invalid = CASES[case]
    for value in valid:
        check(value)
    for value in invalid:
        with pytest.raises(ThawlineError) as caught:
            check(value)
        assert "k" in f"{caught.value.expected} {caught.value.found}"
        assert "some.json" in caught.value.expected
        assert caught.value.fix == "restore the file"
