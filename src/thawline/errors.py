"""The error that Thawline raises for invalid input, and helpers for its messages.

A message names a setting by its dotted key in backticks, alone or with a value: `training.lr` or
`training.lr=0.1`. Someone who passes a config reads these names as they are. An interface with
other names for its settings, such as the options of a command, shows them instead (`Naming`).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

LONGEST_VALUE = 240
"""The number of characters of a quoted value in a message. A longer one loses its middle."""

LONGEST_PART = 800
"""The number of characters of each of the three parts of a message."""

_QUOTED = re.compile(rf"'[^']{{{LONGEST_VALUE + 1},}}'")

_INVISIBLE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters, of which ESC and CSI start escape sequences
    "\xad\u061c\u180e"  # the soft hyphen and other invisible characters
    "\u200b\u200e\u200f\u2028\u2029"  # zero-width characters, directions and line separators
    "\u202a-\u202e\u2060-\u206f"  # overrides and isolates of the direction
    "\ufeff\ufff9-\ufffb"
    "\U0001d173-\U0001d17a"
    "\ud800-\udfff"  # halves of surrogate pairs, which no encoding can represent
    "]"
    # Joiners and tags belong to emoji and to some scripts, but not to ASCII.
    "|(?<![^\x00-\x7f])[\u200c\u200d\U000e0000-\U000e007f]"
)
"""Characters that change what a terminal does or that nobody can see."""


def printable(text: object, keep: str = "") -> str:
    r"""Return a text in which control characters and invisible characters are escaped.

    Labels, texts and names of files may contain escape sequences, which a terminal would run. They
    are shown as ``\x1b`` or ``\u202e`` instead. Other characters, such as é, 中 or emoji, stay.

    Args:
        text: The text, or an object that is shown by its ``str``.
        keep: The control characters that stay, for example a line feed.
    """
    return _INVISIBLE.sub(
        lambda match: match[0] if match[0] in keep else _escaped(match[0]), str(text)
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def elide(text: str, characters: int = LONGEST_VALUE) -> str:
    """Return a text whose middle is replaced by an ellipsis if it is too long.

    Args:
        text: The text.
        characters: The maximum number of characters, the ellipsis included.
    """
    if len(text) <= characters:
        return text
    start = characters // 2
    return f"{text[:start]}…{text[len(text) - (characters - start - 1) :]}"


class ThawlineError(ValueError):
    """Report invalid input: what was expected, what was found and how to fix it.

    The command line prints the message as one line and exits with code 2. Programming errors stay
    ordinary Python exceptions, so that they show a traceback. The class derives from ValueError
    because scikit-learn's tools expect a ValueError for invalid input.

    Args:
        expected: What was expected, as a noun phrase ("a learning rate above 0").
        found: What was found instead, as a noun phrase that shows the user's value ("-0.1").
        fix: How to fix it, as an instruction without a period ("use a larger `training.lr`").
        setting: The dotted key of the setting that is wrong (``training.lr``). None if the error
            is not about one setting.

    Attributes:
        expected: The argument of the same name, on one line. Control characters are escaped, and
            the middle of a long value is left out.
        found: The argument of the same name, in the same form.
        fix: The argument of the same name, in the same form.
        setting: The argument of the same name.
    """

    def __init__(self, expected: str, found: str, fix: str, *, setting: str | None = None) -> None:
        self.expected, self.found, self.fix = map(_part, (expected, found, fix))
        self.setting = setting
        super().__init__(f"expected {self.expected}; found {self.found}. {_sentence(self.fix)}")

    def name_settings(self, naming: Naming) -> None:
        """Name settings in all three parts as an interface does."""
        parts = map(naming.render, (self.expected, self.found, self.fix))
        ThawlineError.__init__(self, *parts, setting=self.setting)

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep all fields when the exception is pickled to pass between processes."""
        return _rebuild, (self.expected, self.found, self.fix, self.setting)


# -- names of settings ----------------------------------------------------------------------------

_VALUE = re.compile(
    r"(?<!\w)'(?:[^']|'(?=\w))*(?:'(?!\w)|…)"  # it may have apostrophes
    r'|(?<!\w)"(?:[^"\\]|\\.)*(?:"(?!\w)|…)'
)
"""A value of the user in quotation marks. A long one may end with an ellipsis instead."""

_NAMED = re.compile(rf"`(?P<key>[a-z]\w*(?:\.[a-z]\w*)*)(?:=(?P<value>[^`]*))?`|{_VALUE.pattern}")
"""A setting in a message, alone or with a value, or a quoted value, which stays as it is."""


@dataclass(frozen=True)
class Naming:
    """The words with which an interface names settings in messages.

    Attributes:
        name: Returns the name of a setting, by its dotted key. None if the interface has no name
            for it; the message then shows the key.
        assign: Returns how the interface gives a value to a setting, by its dotted key and the
            value, in the form that `assignment` writes. None as for ``name``.
    """

    name: Callable[[str], str | None]
    assign: Callable[[str, str], str | None]

    def render(self, text: str) -> str:
        """Return a message in which settings have the names of the interface.

        Other words in backticks, and values in quotation marks, stay.
        """

        def replace(found: re.Match[str]) -> str:
            key, value = found["key"], found["value"]
            if key is None:
                return found[0]
            named = self.name(key) if value is None else self.assign(key, value)
            return found[0] if named is None else named

        return _NAMED.sub(replace, text)


def parameter_naming(parameters: Mapping[str, str]) -> Naming:
    """Return how a function or a class names settings that are its parameters.

    Args:
        parameters: The parameter of each setting, by the setting's key.
    """

    def assign(key: str, value: str) -> str | None:
        return f"{parameters[key]}={assigned_value(value)!r}" if key in parameters else None

    return Naming(parameters.get, assign)


_naming: ContextVar[Naming | None] = ContextVar("naming", default=None)
"""The names of the interface whose function is running. None if settings have their keys."""


@contextmanager
def settings_named(naming: Naming) -> Iterator[None]:
    """Let the errors and warnings of a block name settings as an interface does.

    Warnings have these names if they pass through `in_words`.
    """
    token = _naming.set(naming)
    try:
        yield
    except ThawlineError as error:
        error.name_settings(naming)
        raise
    finally:
        _naming.reset(token)


def in_words(text: str) -> str:
    """Return a message in which settings have the names of the interface that is used."""
    naming = _naming.get()
    return text if naming is None else naming.render(text)


def as_given(text: object) -> str:
    """Return a text of the user for a message, in quotation marks if it has backticks.

    Without them, a class with the name of a setting in backticks would be renamed by `Naming`.

    Args:
        text: For example the name of a class, a column or a file. It may be in quotation marks.
    """
    word = str(text)
    if "`" not in word or _VALUE.fullmatch(word):
        return word
    quoted = f"'{word}'"
    return quoted if _VALUE.fullmatch(quoted) else json.dumps(word, ensure_ascii=False)


def assignment(key: str, value: object) -> str:
    """Return how a message gives a value to a setting, for example ```training.lr=0.1```.

    Args:
        key: The dotted key.
        value: The value. Truth values and lists are written as in TOML.
    """
    text = elide(setting_value(value).replace("`", "'"))
    return f"`{key}={text}`"


def setting_value(value: object) -> str:
    """Return the value of a setting for a message. Truth values and lists are as in TOML."""
    is_plain = isinstance(value, bool | list | tuple)
    return json.dumps(value, ensure_ascii=False, default=str) if is_plain else str(value)


def assigned_value(text: str) -> Any:
    """Return the value in an assignment: a number, a truth value or a list, or else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _rebuild(expected: str, found: str, fix: str, setting: str | None) -> ThawlineError:
    return ThawlineError(expected, found, fix, setting=setting)


def _part(text: str) -> str:
    """Return a part of a message on one line, without control characters and of limited length."""
    shown = printable(join_lines(text))
    shown = _QUOTED.sub(lambda match: f"'{elide(match[0][1:-1])}'", shown)
    return elide(shown, LONGEST_PART)


def _sentence(instruction: str) -> str:
    """Capitalise an instruction and end it with a punctuation mark."""
    end = "" if instruction.endswith((".", "?", "…")) else "."
    return f"{instruction[:1].upper()}{instruction[1:]}{end}"


def join_lines(text: object) -> str:
    """Return a text on one line, with single spaces between its words."""
    return " ".join(str(text).split())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that suggests the known word which is most similar to an unknown word.

    Args:
        word: The unknown word, as the user wrote it.
        known: The valid words, at least one. Upper and lower case are not distinguished, and
            neither are dashes at the start.

    Returns:
        ``did you mean 'x'?`` if a known word starts with the word or is similar. Otherwise
        ``choose x, y or z`` for up to three words, and ``choose from`` with a list for more.
    """
    known = list(known)
    by_lower_case = {name.lower().lstrip("-"): name for name in known}
    start = word[:100].lower().lstrip("-")
    similar = [name for name in by_lower_case if len(start) > 1 and name.startswith(start)]
    if not similar:
        similar = difflib.get_close_matches(start, by_lower_case, n=1)
    if similar:
        return f"did you mean '{by_lower_case[similar[0]]}'?"
    if len(known) > 3:
        return f"choose from {', '.join(map(as_given, known))}"
    *others, last = map(as_given, known)
    return f"choose {', '.join(others)} or {last}" if others else f"choose {last}"
