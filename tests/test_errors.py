"""The one error that users read: its words, its survival between processes, and the hints."""

from __future__ import annotations

import pickle

import pytest

from thawline.errors import ThawlineError, did_you_mean


def test_an_error_says_what_was_expected_what_was_found_and_how_to_fix_it() -> None:
    error = ThawlineError("a learning rate above 0", "-0.1", "give --lr a positive number")
    assert str(error) == (
        "expected a learning rate above 0, found -0.1; give --lr a positive number"
    )
    assert (error.expected, error.found, error.fix) == (
        "a learning rate above 0",
        "-0.1",
        "give --lr a positive number",
    )


def test_an_error_is_one_line_whatever_it_quotes() -> None:
    error = ThawlineError("a\nfolder", "  two\n\n\tlines ", "fix\r\nit")
    assert str(error) == "expected a folder, found two lines; fix it"


def test_an_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ThawlineError("a", "b", "c")))
    assert type(error) is ThawlineError
    assert (error.expected, error.found, error.fix) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("linaer", "did you mean 'linear'?"),
        ("naitve", "did you mean 'native'?"),
        ("xyz", "choose from linear, native"),
        ("", "choose from linear, native"),
    ],
)
def test_a_hint_names_the_nearest_word_or_all_of_them(word: str, hint: str) -> None:
    assert did_you_mean(word, ["linear", "native"]) == hint


def test_a_hint_reads_its_words_once() -> None:
    assert did_you_mean("xyz", (name for name in ("a", "b"))) == "choose from a, b"


def test_it_is_a_value_error_as_the_tools_of_scikit_learn_expect() -> None:
    with pytest.raises(ValueError, match="expected a, found b; c"):
        raise ThawlineError("a", "b", "c")
