"""Test the fields, the line and the pickling of ThawlineError, and the did-you-mean hints."""

from __future__ import annotations

import json
import pickle

import pytest

from thawline.errors import (
    LONGEST_PART,
    Naming,
    ThawlineError,
    as_given,
    assigned_value,
    assignment,
    did_you_mean,
    elide,
    in_words,
    parameter_naming,
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


NAMING = parameter_naming({"training.lr": "lr", "strategy": "strategy"})


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("use a smaller `training.lr`", "use a smaller lr"),
        ("add `training.lr=0.1`.", "add lr=0.1."),
        ("`strategy=last:1` or `strategy=full`", "strategy='last:1' or strategy='full'"),
        ("`strategy=a b 'c' \"d\"`", "strategy='a b \\'c\\' \"d\"'"),
        ("`training.l` of `k` in `k=1`", "`training.l` of `k` in `k=1`"),
        ("found '`training.lr`' and `training.lr`", "found '`training.lr`' and lr"),
        ("a backbone's `training.lr`, not Ann's", "a backbone's lr, not Ann's"),
        ("'it's `training.lr`' and `training.lr`", "'it's `training.lr`' and lr"),
        ("training.lr=1 and ``training.lr``", "training.lr=1 and `lr`"),
        ('found "it\'s `training.lr`" and `training.lr`', 'found "it\'s `training.lr`" and lr'),
        ("`training.lr` of 'a long `training.lr`…", "lr of 'a long `training.lr`…"),
    ],
)
def test_settings_in_backticks_have_the_names_of_the_interface(text: str, rendered: str) -> None:
    assert NAMING.render(text) == rendered
    assert NAMING.render(rendered) == rendered


@pytest.mark.parametrize(
    "word",
    [
        *("`training.lr`", "a`training.lr=1`", "it's `training.lr`", "the `training.lr`'"),
        *("'a' `training.lr` 'b'", "'a\" `training.lr` \"b' c", '"a" `training.lr` "b"'),
        *("\\' `training.lr` \\", '\\" `training.lr` \' \\"', "`training.lr", "`strategy="),
    ],
)
def test_a_text_of_the_user_is_never_renamed(word: str) -> None:
    given = as_given(word)
    assert as_given(given) == given
    assert word in (given[1:-1], json.loads(given) if given.startswith('"') else None)
    for text in (given, f"a {given}, {given} (b)"):
        assert (
            NAMING.render(f"{text} and `training.lr` or `strategy`") == f"{text} and lr or strategy"
        )


@pytest.mark.parametrize("word", ["a", "it's", "'`training.lr`'", '"a `training.lr`"', "", "a b"])
def test_other_texts_of_the_user_have_no_quotation_marks(word: str) -> None:
    assert as_given(word) == word


def test_a_hint_does_not_rename_what_it_lists() -> None:
    for known in (["`training.lr`"], ["b", "`training.lr`"], ["b", "c", "d", "`training.lr`"]):
        assert "`training.lr`" in NAMING.render(did_you_mean("xyz", known))


def test_errors_and_warnings_of_a_block_have_the_names_of_the_innermost_interface() -> None:
    text = "a lower `training.lr`"
    assert in_words(text) == text
    outer = Naming(lambda key: "other", lambda key, value: "other")
    with settings_named(outer), settings_named(NAMING):
        assert in_words(text) == "a lower lr"
    with pytest.raises(ThawlineError) as caught, settings_named(outer), settings_named(NAMING):
        raise ThawlineError(text, "`training.lr=1`", "omit `training.lr`", setting="training.lr")
    error = caught.value
    assert (error.expected, error.found, error.fix) == ("a lower lr", "lr=1", "omit lr")
    assert error.setting == "training.lr"
    assert str(error) == str(pickle.loads(pickle.dumps(error)))
    assert in_words(text) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("last:1", "last:1"),
        (0.1, "0.1"),
        (True, "true"),
        ((4000, 2000), "[4000, 2000]"),
        (["é", 'a "b"'], '["é", "a \\"b\\""]'),
        ("a `b`", "a 'b'"),
    ],
)
def test_an_assignment_is_written_as_in_toml_and_read_again(value: object, written: str) -> None:
    text = assignment("training.lr", value)
    assert text == f"`training.lr={written}`"
    read = assigned_value(written)
    if "`" not in str(value):
        assert (tuple(read) if isinstance(value, tuple) else read) == value


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
