"""The error that Thawline raises for invalid input, and helpers for its messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class ThawlineError(ValueError):
    """Report invalid input: what was expected, what was found and how to fix it.

    The command line prints the message as one line and exits with code 2. Programming errors stay
    ordinary Python exceptions, so that they show a traceback. The class derives from ValueError
    because scikit-learn's tools expect a ValueError for invalid input.

    Args:
        expected: What was expected, as a noun phrase ("a learning rate above 0").
        found: What was found instead, as a noun phrase that shows the user's value ("-0.1").
        fix: How to fix it, as an instruction without a period ("use a larger --lr").
        setting: The dotted key of the setting that is wrong (``training.lr``). None if the error
            is not about one setting.

    Attributes:
        expected: The argument of the same name, on one line.
        found: The argument of the same name, on one line.
        fix: The argument of the same name, on one line.
        setting: The argument of the same name.
    """

    def __init__(self, expected: str, found: str, fix: str, *, setting: str | None = None) -> None:
        self.expected, self.found, self.fix = map(join_lines, (expected, found, fix))
        self.setting = setting
        super().__init__(f"expected {self.expected}; found {self.found}. {_sentence(self.fix)}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep all fields when the exception is pickled to pass between processes."""
        return _rebuild, (self.expected, self.found, self.fix, self.setting)


def _rebuild(expected: str, found: str, fix: str, setting: str | None) -> ThawlineError:
    return ThawlineError(expected, found, fix, setting=setting)


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
        known: The valid words, at least one. Upper and lower case are not distinguished.

    Returns:
        ``did you mean 'x'?`` if a known word is similar. Otherwise ``choose x, y or z`` for up to
        three words, and ``choose from`` with a list for more.
    """
    known = list(known)
    by_lower_case = {name.lower(): name for name in known}
    similar = difflib.get_close_matches(word[:100].lower(), by_lower_case, n=1)
    if similar:
        return f"did you mean '{by_lower_case[similar[0]]}'?"
    if len(known) > 3:
        return f"choose from {', '.join(known)}"
    *others, last = known
    return f"choose {', '.join(others)} or {last}" if others else f"choose {last}"
