"""Accept regular expressions that cannot take long, whatever the text."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from thawline.backbones.vectors.words import word_splitter

MAX_LENGTH = 2_000
MAX_OPTIONAL = 4
"""The largest number of optional parts in a branch, since k of them can match in 2^k ways."""

MAX_UNBOUNDED = 1
"""The largest number of parts in a branch that repeat without a limit. With two, a text that does
not match takes a time that grows with the cube of its length."""

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PUBLISHED = frozenset(
    {_LLAMA3, _LLAMA3.replace("{1,3}", ""), _GPT2, _O200K, _O200K.replace("{1,3}", "")}
)
"""The expressions of GPT-2, Qwen, Llama 3 and newer tokenizers."""


@cache
def known_patterns() -> frozenset[str]:
    """Return the published expressions and those of the word tokenizer of this package."""
    found: set[str] = set()

    def collect(value: Any) -> None:
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                collect(inner)
        if isinstance(value, dict) and isinstance(value.get("Regex"), str):
            found.add(value["Regex"])

    collect(json.loads(word_splitter().to_str()))
    return PUBLISHED | found


def is_bounded(pattern: str) -> bool:
    """Return whether an expression is known, or so simple that it takes at most quadratic time.

    In a simple expression no group repeats, no group is referred to, and each branch has at most
    one part that repeats without a limit.

    Args:
        pattern: The regular expression in the syntax of Oniguruma.
    """
    if pattern in known_patterns():
        return True
    if not 0 < len(pattern) <= MAX_LENGTH:
        return False
    try:
        unbounded, optional, end = _branches(pattern, 0)
    except ValueError:
        return False
    return end == len(pattern) and unbounded <= MAX_UNBOUNDED and optional <= MAX_OPTIONAL


_ESCAPE = re.compile(r"\\(?:[pP]\{\^?[\w\s-]+\}|x\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|[^0-9kgxupP])")
_GROUP = re.compile(r"\((?:\?[imsx-]+\)|\?(?:[imsx-]*:|=|!|<=|<!|>))?")
_QUANTIFIER = re.compile(r"([*+?]|\{[0-9]*,?[0-9]*\})([?+]?)")


def _branches(pattern: str, at: int) -> tuple[int, int, int]:
    """Return the largest counts of repeated and of optional parts of a branch, and the end.

    Raises:
        ValueError: If the expression is not simple.
    """
    unbounded = optional = most_unbounded = most_optional = 0
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            unbounded, optional, at = 0, 0, at + 1
            continue
        inner_unbounded, inner_optional, is_group, at = _part(pattern, at)
        quantifier = _QUANTIFIER.match(pattern, at)
        if quantifier:
            at = quantifier.end()
            least, most = _limits(quantifier[1])
            if is_group and most > 1:
                raise ValueError("a group that repeats")
            inner_unbounded += most > 64
            inner_optional += most <= 64 and least != most
        unbounded += inner_unbounded
        optional += inner_optional
        most_unbounded = max(most_unbounded, unbounded)
        most_optional = max(most_optional, optional)
    return most_unbounded, most_optional, at


def _limits(quantifier: str) -> tuple[int, int]:
    simple = {"*": (0, 10**9), "+": (1, 10**9), "?": (0, 1)}
    if quantifier in simple:
        return simple[quantifier]
    least, comma, most = quantifier[1:-1].partition(",")
    if not least and not most:
        raise ValueError("braces without numbers")
    lowest = int(least[:9] or 0)
    return lowest, (int(most[:9]) if most else 10**9) if comma else lowest


def _part(pattern: str, at: int) -> tuple[int, int, bool, int]:
    """Return the counts of a part, whether it is a group, and its end."""
    letter = pattern[at]
    if letter in "*+?{":
        raise ValueError("a repetition of nothing")
    if letter == "\\":
        escape = _ESCAPE.match(pattern, at)
        if escape is None:
            raise ValueError("an unknown escape")
        return 0, 0, False, escape.end()
    if letter == "[":
        return 0, 0, False, _class_end(pattern, at)
    if letter == "(":
        opening = _GROUP.match(pattern, at)
        assert opening is not None, "the letter is a parenthesis"
        if opening[0].endswith(")"):
            return 0, 0, False, opening.end()  # a flag, such as (?i)
        if pattern.startswith("(?", at) and opening[0] == "(":
            raise ValueError("an unknown group")
        unbounded, optional, end = _branches(pattern, opening.end())
        if end >= len(pattern):
            raise ValueError("an open group")
        return unbounded, optional, True, end + 1
    return 0, 0, False, at + 1


def _class_end(pattern: str, at: int) -> int:
    """Return the end of a character class, which may hold other classes."""
    depth, start = 0, at
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] == "[":
            depth += 1
        elif pattern[at] == "]" and at > start + 1:
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise ValueError("an open character class")
