"""Accept regular expressions that cannot take long, whatever the text."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from thawline.backbones.vectors.words import word_splitter

MAX_LENGTH = 2_000
MAX_WAYS = 1_024
"""The largest number of ways in which the bounded parts of an expression can match a text."""

MAX_REPEATS = 64
"""The largest bound of a repetition. A part with a larger one counts as unbounded."""

MAX_DEPTH = 50

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
    {
        *(_LLAMA3, _LLAMA3.replace("{1,3}", ""), _GPT2, _O200K, _O200K.replace("{1,3}", "")),
        *(r"\s+$", r"(?i)<br\s*/?>"),
    }
)
"""The expressions of GPT-2, Qwen, Llama 3, DeepSeek, newer tokenizers and `thawline pretrain`."""


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
    """Return whether an expression is known, or so simple that it takes about linear time.

    In a simple expression no group repeats, no group is referred to, and a part that repeats
    without a limit is the last one of its branch that can fail to match. If another part followed,
    the search would start again at each character, which takes quadratic time.

    Args:
        pattern: The regular expression in the syntax of Oniguruma, with that of Ruby.
    """
    if pattern in known_patterns():
        return True
    if not 0 < len(pattern) <= MAX_LENGTH:
        return False
    try:
        _, ways, end = _branches(pattern, 0)
    except ValueError:
        return False
    return end == len(pattern) and ways <= MAX_WAYS


# Control characters such as \c[ are left out, because their last character would be read as syntax.
_ESCAPE = re.compile(
    r"\\(?:[pP]\{\^?[\w\s-]+\}|x\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|[^0-9kgxupPcCMo])"
)
# The flag x is left out, because it starts comments.
_GROUP = re.compile(r"\((?:\?[ims-]+\)|\?(?:[ims-]*:|=|!|<=|<!|>))?")
_QUANTIFIER = re.compile(r"([*+?]|\{[0-9]*,?[0-9]*\})([?+]?)")


def _branches(pattern: str, at: int, depth: int = 0) -> tuple[bool, int, int]:
    """Return whether a branch repeats without a limit, the number of ways to match, and the end.

    Raises:
        ValueError: If the expression is not simple.
    """
    if depth > MAX_DEPTH:
        raise ValueError("groups that are nested too deeply")
    any_unbounded, all_ways, unbounded, ways = False, 0, False, 1
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            all_ways, unbounded, ways, at = all_ways + ways, False, 1, at + 1
            continue
        inner_unbounded, inner_ways, is_group, at = _part(pattern, at, depth)
        least, most, at = _repeats(pattern, at)
        if is_group and most > 1:
            raise ValueError("a group that repeats")
        if unbounded and least:
            raise ValueError("a part behind one that repeats without a limit")
        if least > MAX_REPEATS:
            raise ValueError("a part that must repeat often")
        if most > MAX_REPEATS:
            inner_unbounded = True
        else:
            inner_ways *= most - least + 1
        unbounded, ways = unbounded or inner_unbounded, ways * inner_ways
        any_unbounded = any_unbounded or unbounded
        if all_ways + ways > MAX_WAYS:
            raise ValueError("too many ways to match")
    return any_unbounded, all_ways + ways, at


def _repeats(pattern: str, at: int) -> tuple[int, int, int]:
    """Return the smallest and largest number of repeats of a part, and the end of both."""
    quantifier = _QUANTIFIER.match(pattern, at)
    if quantifier is None:
        return 1, 1, at
    if quantifier[1][0] == "{" and quantifier[2] == "+":
        raise ValueError("a repeated repetition, which it is in this syntax")
    least, most = _limits(quantifier[1])
    if quantifier[1][0] == "{" and quantifier[2] == "?":
        least = 0  # {3}? means 0 or 3 repeats
    return least, most, quantifier.end()


def _limits(quantifier: str) -> tuple[int, int]:
    simple = {"*": (0, 10**9), "+": (1, 10**9), "?": (0, 1)}
    if quantifier in simple:
        return simple[quantifier]
    least, comma, most = quantifier[1:-1].partition(",")
    if not least and not most:
        raise ValueError("braces without numbers")
    lowest = int(least[:9] or 0)
    return lowest, (int(most[:9]) if most else 10**9) if comma else lowest


def _part(pattern: str, at: int, depth: int) -> tuple[bool, int, bool, int]:
    """Return whether a part is unbounded, its ways to match, whether it is a group, and its end."""
    letter = pattern[at]
    if letter in "*+?{":
        raise ValueError("a repetition of nothing")
    if letter == "\\":
        escape = _ESCAPE.match(pattern, at)
        if escape is None:
            raise ValueError("an unknown escape")
        if escape[0] in ("\\R", "\\X"):
            raise ValueError("an escape of several characters")
        return False, 1, False, escape.end()
    if letter == "[":
        return False, 1, False, _class_end(pattern, at)
    if letter == "(":
        opening = _GROUP.match(pattern, at)
        assert opening is not None, "the letter is a parenthesis"
        if opening[0].endswith(")"):
            return False, 1, False, opening.end()  # a flag, such as (?i)
        if pattern.startswith("(?", at) and opening[0] == "(":
            raise ValueError("an unknown group")
        unbounded, ways, end = _branches(pattern, opening.end(), depth + 1)
        if end >= len(pattern):
            raise ValueError("an open group")
        if unbounded and opening[0].endswith(("=", "!")):
            raise ValueError("a repetition without a limit before or behind the match")
        return unbounded, ways, True, end + 1
    return False, 1, False, at + 1


def _class_end(pattern: str, at: int) -> int:
    """Return the end of a character class, which may hold other classes."""
    depth, start = 0, at
    while at < len(pattern):
        if pattern[at] == "\\":
            if pattern[at + 1 : at + 2] in ("c", "C", "M"):
                raise ValueError("a control character")
            at += 1
        elif pattern[at] == "[":
            depth += 1
        elif pattern[at] == "]" and at > start + 1:
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise ValueError("an open character class")
