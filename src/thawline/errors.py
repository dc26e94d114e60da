"""The one error that a user of Thawline is meant to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ThawlineError(ValueError):
    """Something that the user gave cannot work; the message says how to mend it.

    The command line prints it as one line and exits with code 2. Programming errors stay
    ordinary Python exceptions, so that their tracebacks are seen. scikit-learn's tools expect a
    ValueError of input that cannot work, and this is one.

    Args:
        expected: what was expected, as a noun phrase ("a learning rate above 0").
        found: what was found instead ("-0.1").
        mend: how to mend it, as a command ("give --lr a positive number").
    """

    def __init__(self, expected: str, found: str, mend: str) -> None:
        self.expected, self.found, self.mend = (
            " ".join(part.split()) for part in (expected, found, mend)
        )
        super().__init__(f"expected {self.expected}, found {self.found}; {self.mend}")

    def __reduce__(self) -> tuple[type[ThawlineError], tuple[str, str, str]]:
        """Survive the pickling that carries an exception between processes."""
        return type(self), (self.expected, self.found, self.mend)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest known word, or the list of known words."""
    known = list(known)
    in_small_letters = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), in_small_letters, n=1)
    if near:
        return f"did you mean '{in_small_letters[near[0]]}'?"
    return f"choose from {', '.join(known)}"
