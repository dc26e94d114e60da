"""Parse the written form of strategies, ``name:key=value,…``.

Only `parse_strategy` reads that form, and only ``str(strategy)`` writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from thawline.errors import ThawlineError, did_you_mean
from thawline.strategies.kinds import (
    BitFit,
    Full,
    Gradual,
    Head,
    HeadFirst,
    HeadTfidf,
    Last,
    Lora,
    Strategy,
    Tapt,
    Tfidf,
)

MAX_ALPHA = 1e6
"""The largest scaling of adapters. With a larger one, fp32 overflows."""

_STRATEGIES: dict[str, type[Strategy]] = {
    kind.name: kind for kind in (Head, Last, Lora, BitFit, Full, Gradual, Tfidf, HeadTfidf)
}
_PREFIXES: dict[str, tuple[type[HeadFirst | Tapt], set[str], str, str]] = {
    "lp": (
        HeadFirst,
        {"head", "lp", "tapt", "tfidf"},
        "last, lora, bitfit, full or gradual",
        "lp+full",
    ),
    "tapt": (
        Tapt,
        {"tapt", "tfidf", "head+tfidf"},
        "a strategy without tapt and TF-IDF",
        "tapt+head",
    ),
}
"""For each prefix its class, the names that may not follow it, what may, and an example."""

_EXAMPLES = [
    "head",
    "last:1",
    "lora:r=4,alpha=32",
    "full",
    "gradual",
    "lp+full",
    "tapt+head",
    "tfidf",
]


def parse_strategy(text: str) -> Strategy:
    """Parse the written form of a strategy.

    Args:
        text: The written form, such as ``head``, ``last:2``, ``lora:r=4,alpha=32,from=4``,
            ``lp+full`` or ``tapt+head``.

    Raises:
        ThawlineError: If the name, a key or the value of a key is invalid.
    """
    text = text.strip()
    prefix, plus, rest = text.partition("+")
    if plus and prefix in _PREFIXES:
        return _parse_prefixed(prefix, rest, text)
    if text not in _STRATEGIES and Tfidf.name in text.split("+"):
        raise ThawlineError(
            "tfidf alone, or head+tfidf",
            f"'{text}'",
            "use head+tfidf, or tfidf alone",
            setting="strategy",
        )
    name, _, parameters = text.partition(":")
    kind = _STRATEGIES.get(name)
    if kind is None:
        names = [*_STRATEGIES, "lp+full", "tapt+head"]
        raise ThawlineError(
            f"a strategy ({', '.join(_EXAMPLES)})",
            f"'{text}'",
            did_you_mean(name, names),
            setting="strategy",
        )
    if kind is Last and parameters.isdecimal():
        parameters = f"k={parameters}"
    return kind(**_parse_parameters(kind, text, parameters))


def _parse_prefixed(prefix: str, rest: str, text: str) -> Strategy:
    """Parse a strategy that follows a prefix.

    Args:
        prefix: The name of the prefix, without the plus sign.
        rest: The written form of the strategy that follows.
        text: The complete written form, for the error.
    """
    kind, refused, expected, example = _PREFIXES[prefix]
    rest = rest.strip()
    then = None if rest.partition("+")[0] in refused else parse_strategy(rest)
    if then is None or then.name in refused:
        raise ThawlineError(
            f"{expected} after {prefix}+",
            f"'{text}'",
            f"use another strategy, for example {example}",
            setting="strategy",
        )
    return kind(then)


def as_strategy(strategy: str | Strategy) -> Strategy:
    """Return a strategy as an object.

    Args:
        strategy: The object, or its written form.

    Raises:
        ThawlineError: If ``strategy`` is of another type, or if its written form is invalid.
    """
    if isinstance(strategy, Strategy):
        return strategy
    if not isinstance(strategy, str):
        raise ThawlineError(
            "a strategy object such as Last(2), or a string such as 'last:2'",
            f"{strategy!r} ({type(strategy).__name__})",
            "pass one of the two",
            setting="strategy",
        )
    return parse_strategy(strategy)


def _parse_parameters(kind: type[Strategy], text: str, parameters: str) -> dict[str, Any]:
    """Return the fields of a strategy by name.

    Args:
        kind: The class of the strategy.
        text: The complete written form, for the error.
        parameters: The part of the written form that follows the colon.
    """
    field_names = {field.name.rstrip("_"): field.name for field in fields(kind)}
    values: dict[str, Any] = {}
    for pair in filter(None, parameters.split(",")):
        key, equals, value = pair.partition("=")
        if key not in field_names or not equals:
            raise _invalid_pair(kind, pair, text, list(field_names))
        if field_names[key] in values:
            raise ThawlineError(
                f"the key `{key}` once", f"'{text}'", "remove one of the two", setting="strategy"
            )
        parse, expected = _PARSERS[key]
        try:
            values[field_names[key]] = parse(value)
        except ValueError:
            raise ThawlineError(
                f"{expected} for `{key}`",
                f"'{value}' in '{text}'",
                f"change the value of {key}",
                setting="strategy",
            ) from None
    return values


def _invalid_pair(kind: type[Strategy], pair: str, text: str, keys: list[str]) -> ThawlineError:
    """Return the error for a part of a strategy that is not a known key with a value."""
    if not keys:
        expected, fix = f"no parameters for '{kind.name}'", f"write only {kind.name}"
    elif pair in keys:
        expected, fix = f"a value for `{pair}`", f"write {pair}=VALUE"
    else:
        expected = f"key=value after '{kind.name}:', with a known key ({', '.join(keys)})"
        fix = did_you_mean(pair.partition("=")[0], keys) if len(keys) > 1 else f"write {kind()}"
    return ThawlineError(expected, f"'{pair}' in '{text}'", fix, setting="strategy")


def _positive_integer(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _alpha(text: str) -> float:
    value = float(text)
    if not 0 < value <= MAX_ALPHA:
        raise ValueError
    return value


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError
    return value


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _module_names(text: str) -> str:
    if not text:
        raise ValueError
    return text


_PARSERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "k": (_positive_integer, "an integer above 0"),
    "r": (_positive_integer, "an integer above 0"),
    "from": (_positive_integer, "an integer above 0"),
    "alpha": (_alpha, f"a number above 0 and up to {MAX_ALPHA:,.0f}"),
    "dropout": (_fraction, "a number of at least 0 and below 1"),
    "stages": (_positive_integer, "an integer above 0"),
    "dora": (_flag, "true or false"),
    "rslora": (_flag, "true or false"),
    "targets": (_module_names, "module names joined by +"),
}
