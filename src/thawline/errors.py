"""The one error that a user of Thawline is meant to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class ThawlineError(ValueError):
    """Input that cannot work: what was expected, what was found and how to fix it.

    The command line prints the message as one line and exits with code 2. Programming errors stay
    ordinary Python exceptions, so that their tracebacks are seen. The class derives from
    ValueError because scikit-learn's tools expect a ValueError for invalid input.

    Args:
        expected: What was expected, as a noun phrase ("a learning rate above 0").
        found: What was found instead ("-0.1").
        fix: How to fix it, as an instruction without a period ("give --lr a positive number").
        setting: The dotted key of the setting that is wrong (``training.lr``). None if the error
            is not about one setting.

    Attributes:
        expected: As given, on one line.
        found: As given, on one line.
        fix: As given, on one line.
        setting: As given.
    """

    def __init__(self, expected: str, found: str, fix: str, *, setting: str | None = None) -> None:
        self.expected, self.found, self.fix = (
            " ".join(part.split()) for part in (expected, found, fix)
        )
        self.setting = setting
        super().__init__(f"expected {self.expected}; found {self.found}. {_sentence(self.fix)}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep all fields when the exception is pickled to pass between processes."""
        return _rebuild, (self.expected, self.found, self.fix, self.setting)


def _rebuild(expected: str, found: str, fix: str, setting: str | None) -> ThawlineError:
    return ThawlineError(expected, found, fix, setting=setting)


def _sentence(instruction: str) -> str:
    """Return an instruction with a capital letter at its start and a mark at its end."""
    end = "" if instruction.endswith((".", "?", "…")) else "."
    return f"{instruction[:1].upper()}{instruction[1:]}{end}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest known word, or the list of known words."""
    known = list(known)
    in_small_letters = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), in_small_letters, n=1)
    if near:
        return f"did you mean '{in_small_letters[near[0]]}'?"
    return f"choose from {', '.join(known)}"
