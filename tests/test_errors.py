"""Test the fields, the line and the pickling of ThawlineError, and the did-you-mean hints."""

from __future__ import annotations

import pickle

import pytest

from thawline.errors import (
    LONGEST_PART,
    ThawlineError,
    did_you_mean,
    elide,
    printable,
    settings_named,
)


def test_fields_and_line() -> None:
    error = ThawlineError("a rate above 0", "-0.1", "use --lr 0.1", setting="training.lr")
    fields = (error.expected, error.found, error.fix, error.setting)
    assert fields == ("a rate above 0", "-0.1", "use --lr 0.1", "training.lr")
    # These words are the test's own; only the form of the line comes from the class.
    assert str(error) == "expected a rate above 0; found -0.1. Use --lr 0.1."


def test_setting_is_none_by_default() -> None:
    assert ThawlineError("a", "b", "c").setting is None


def test_settings_are_named_as_the_user_wrote_them() -> None:
    names = {"training.lr": "--lr", "data": "--data", "training.l": "-l"}
    with pytest.raises(ThawlineError) as caught, settings_named(names):
        raise ThawlineError(
            "epochs, because training.lr has no effect",
            "training.lr = '0.1' in data of training.lr.",
            "write 'last:1 training.lr=1e-3', or --set training.lr=1, or omit training.lr",
            setting="training.lr",
        )
    error = caught.value
    assert error.expected == "epochs, because --lr has no effect"
    assert error.found == "--lr '0.1' in data of --lr."
    assert error.fix == "write 'last:1 training.lr=1e-3', or --set training.lr=1, or omit --lr"
    assert error.setting == "training.lr"
    assert str(error) == str(pickle.loads(pickle.dumps(error)))


@pytest.mark.parametrize("fix", ["did you mean 'x'?", "choose from a, b, …", "do this."])
def test_line_keeps_the_last_mark_of_the_fix(fix: str) -> None:
    assert str(ThawlineError("a", "b", fix)) == f"expected a; found b. {fix[0].upper()}{fix[1:]}"


def test_message_is_one_line() -> None:
    error = ThawlineError("a\nfolder", "  two\n\n\tlines ", "fix\r\nit")
    assert (error.expected, error.found, error.fix) == ("a folder", "two lines", "fix it")
    assert str(error) == "expected a folder; found two lines. Fix it."


@pytest.mark.parametrize(
    "character",
    [
        *map(chr, range(32)),
        *("\x7f", "\x9b", "\xad", "\u200b", "\u202e", "\u2066", "\ufeff", "\udcff"),
        *("\u200d", "\U000e0041"),
    ],
)
def test_characters_that_control_a_terminal_are_escaped(character: str) -> None:
    shown = printable(f"a{character}b")
    assert character not in shown
    assert shown.isascii()
    assert printable(shown) == shown
    assert str(ThawlineError(character, character, character)).isprintable()


@pytest.mark.parametrize(
    "text", ["é", "中文", "🙂", "👨‍👩‍👧", "क्‍ष", "e\u0301", "עברית", "a\\b", "[red]"]
)
def test_other_characters_stay(text: str) -> None:
    assert printable(text) == text


def test_line_breaks_can_be_kept() -> None:
    assert printable("a\n\tb\x1b", "\n\t") == "a\n\tb\\x1b"


def test_long_values_lose_their_middle() -> None:
    assert elide("abcdefgh", 5) == "ab…gh"
    assert elide("abcde", 5) == "abcde"
    error = ThawlineError("x" * 5_000, f"'{'y' * 5_000}z' and 'w'", "c")
    assert len(error.expected) == LONGEST_PART
    assert len(error.found) < 300
    assert error.found.endswith("yz' and 'w'")
    path = "/a/long/path" * 15
    assert path in ThawlineError("a", f"'{path}'", "b").found


def test_pickling_keeps_all_fields() -> None:
    error = pickle.loads(pickle.dumps(ThawlineError("a", "b", "c", setting="d")))
    assert type(error) is ThawlineError
    assert (error.expected, error.found, error.fix, error.setting) == ("a", "b", "c", "d")


def test_is_a_value_error() -> None:
    assert issubclass(ThawlineError, ValueError)  # scikit-learn's tools expect one


@pytest.mark.parametrize("word", ["linaer", "LINEAR", "lnear"])
def test_hint_names_the_most_similar_word(word: str) -> None:
    hint = did_you_mean(word, ["linear", "native"])
    assert "linear" in hint
    assert "native" not in hint


@pytest.mark.parametrize("word", ["xyz", ""])
def test_hint_lists_all_words_if_none_is_similar(word: str) -> None:
    hint = did_you_mean(word, ["linear", "native"])
    assert "linear" in hint
    assert "native" in hint


def test_hint_joins_a_few_words_with_or() -> None:
    assert did_you_mean("xyz", ["a"]).endswith("a")
    assert did_you_mean("xyz", ["a", "b"]).endswith("a or b")
    assert did_you_mean("xyz", ["a", "b", "c"]).endswith("a, b or c")
    assert did_you_mean("xyz", ["a", "b", "c", "d"]).endswith("a, b, c, d")


def test_hint_takes_a_generator() -> None:
    assert "a or b" in did_you_mean("xyz", (name for name in ("a", "b")))


def test_hint_prefers_a_word_that_starts_alike() -> None:
    assert "'--epochs'" in did_you_mean("--ep", ["--help", "--epochs"])
