"""Define the strategies: where the thaw line lies and what trains above it.

A strategy is written as a string, ``name:key=value,…``. Only `parse_strategy` reads that form, and
only ``str(strategy)`` writes it. In Python a strategy is a frozen object with the same fields.
`parse_strategy` checks the values of the fields; the constructors do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from thawline.config import FAMILY_RATES, LEARNING_RATES, LoraConfig
from thawline.errors import ThawlineError, did_you_mean

MAX_ALPHA = 1e6
"""The largest scaling of adapters. With a larger one, fp32 overflows."""


@dataclass(frozen=True)
class Strategy:
    """Base class of all strategies, which set the thaw line and the adapters above it.

    Attributes:
        name: The name at the start of the written form.
        implemented: Whether this version can run the strategy.
        reads_states: Whether the classifier has a backbone. Without one, the strategy has no line.
        reads_words: Whether the classifier reads the words of a text (TF-IDF), whose weights are
            fitted exactly.
    """

    name: ClassVar[str] = ""
    implemented: ClassVar[bool] = True
    reads_states: ClassVar[bool] = True
    reads_words: ClassVar[bool] = False

    @property
    def adapters(self) -> Lora | None:
        """The low-rank adapters above the line. None if the weights of the blocks are trained."""
        return None

    def rate(self, family: str) -> float:
        """Return the default learning rate for a family of backbones.

        Args:
            family: The ``model_type`` in the backbone's config.
        """
        return FAMILY_RATES.get(family, {}).get(self.name, LEARNING_RATES[self.name])

    def line(self, depth: int) -> int:
        """Return the thaw line, from 0 to depth + 1.

        Args:
            depth: The number of blocks of the backbone.
        """
        raise NotImplementedError

    def check(self, depth: int) -> None:
        """Check that the strategy fits a backbone.

        Args:
            depth: The number of blocks of the backbone.

        Raises:
            ThawlineError: If the backbone lacks a block that the strategy names.
        """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the fields by name, as scikit-learn's estimators do.

        Args:
            deep: Whether to include the fields of a nested strategy, under names such as
                ``then__k``.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        nested = {
            f"{name}__{inner}": parameter
            for name, value in values.items()
            if deep and isinstance(value, Strategy)
            for inner, parameter in value.get_params().items()
        }
        return values | nested

    def with_params(self, **params: Any) -> Self:
        """Return a copy with other values.

        Args:
            **params: The new values, under the names that `get_params` returns.

        Raises:
            ThawlineError: If the strategy has no field of a given name.
        """
        values = self.get_params(deep=False)
        nested: dict[str, dict[str, Any]] = defaultdict(dict)
        for name, value in params.items():
            field, is_nested, inner = name.partition("__")
            if field not in values:
                raise self._unknown_parameter(name)
            if is_nested:
                nested[field][inner] = value
            else:
                values[field] = value
        for field, inner_params in nested.items():
            if not isinstance(values[field], Strategy):
                raise self._unknown_parameter(f"{field}__{next(iter(inner_params))}")
            values[field] = values[field].with_params(**inner_params)
        return replace(self, **values)

    def _unknown_parameter(self, name: str) -> ThawlineError:
        known = self.get_params()
        if not known:
            return ThawlineError(f"no parameters for '{self}'", f"'{name}'", "remove the parameter")
        return ThawlineError(
            f"a parameter of '{self}' ({', '.join(known)})", f"'{name}'", did_you_mean(name, known)
        )

    def __str__(self) -> str:
        pairs = [
            f"{field.name.rstrip('_')}={_format_value(getattr(self, field.name))}"
            for field in fields(self)
            if getattr(self, field.name) is not None
        ]
        return ":".join([self.name, ",".join(pairs)] if pairs else [self.name])


def _format_value(value: Any) -> str:
    """Return a value as text, without decimals if it is a whole number: 32 for 32.0."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


@dataclass(frozen=True)
class Head(Strategy):
    """Train only the head, on pooled states."""

    name: ClassVar[str] = "head"

    def line(self, depth: int) -> int:
        """Return depth + 1, because no part of the backbone trains."""
        return depth + 1


@dataclass(frozen=True)
class Tfidf(Strategy):
    """Fit logistic regression on the words and pairs of words of a text, without a backbone."""

    name: ClassVar[str] = "tfidf"
    reads_states: ClassVar[bool] = False
    reads_words: ClassVar[bool] = True


@dataclass(frozen=True)
class HeadTfidf(Head):
    """Fit one head on pooled states and on the words and pairs of words, side by side."""

    name: ClassVar[str] = "head+tfidf"
    reads_words: ClassVar[bool] = True


@dataclass(frozen=True)
class Last(Strategy):
    """Train the last k blocks and the head."""

    name: ClassVar[str] = "last"
    k: int = 1

    def line(self, depth: int) -> int:
        """Return depth + 1 - k."""
        return depth + 1 - self.k

    def check(self, depth: int) -> None:
        """Raise ThawlineError unless the backbone has at least k blocks."""
        _check_block("k", self.k, depth, "last:{}")

    def __str__(self) -> str:
        return f"last:{self.k}"


@dataclass(frozen=True)
class Lora(Strategy):
    """Train low-rank adapters (Hu et al., arXiv 2106.09685) in the upper blocks, and the head.

    Args:
        r: Rank of the adapters.
        alpha: Scaling of the adapters: their output is multiplied by alpha / r.
        dropout: Dropout probability of the adapters' input.
        targets: Names of the adapted modules, joined by ``+``. If None, a default for the
            backbone's family.
        from_: First block with adapters, counting from 1. The key in the written form is ``from``.
    """

    name: ClassVar[str] = "lora"
    r: int = LoraConfig.r
    alpha: float = LoraConfig.alpha
    dropout: float = LoraConfig.dropout
    targets: str | None = LoraConfig.targets
    from_: int = LoraConfig.from_block

    @property
    def adapters(self) -> Lora:
        """This strategy itself."""
        return self

    def line(self, depth: int) -> int:
        """Return the first block with adapters."""
        return self.from_

    def check(self, depth: int) -> None:
        """Raise ThawlineError unless the backbone has the block ``from``."""
        _check_block("from", self.from_, depth, "lora:from={}")


@dataclass(frozen=True)
class Full(Strategy):
    """Train everything, including the embeddings."""

    name: ClassVar[str] = "full"

    def line(self, depth: int) -> int:
        """Return 0, because everything trains."""
        return 0


@dataclass(frozen=True)
class Gradual(Strategy):
    """Unfreeze one more block in each epoch (Howard and Ruder, 2018, arXiv 1801.06146)."""

    name: ClassVar[str] = "gradual"
    implemented: ClassVar[bool] = False

    def line(self, depth: int) -> int:
        """Return 0, the lowest line that the strategy reaches."""
        return 0


@dataclass(frozen=True)
class HeadFirst(Strategy):
    """Train the head to its optimum, then continue with another strategy (LP-FT).

    The source is Kumar et al., 2022, arXiv 2202.10054.

    Args:
        then: The strategy that follows.
    """

    name: ClassVar[str] = "lp"
    then: Strategy

    def rate(self, family: str) -> float:
        """Return the learning rate of the strategy that follows."""
        return self.then.rate(family)

    @property
    def adapters(self) -> Lora | None:
        """The adapters of the strategy that follows."""
        return self.then.adapters

    def line(self, depth: int) -> int:
        """Return the line of the strategy that follows."""
        return self.then.line(depth)

    def check(self, depth: int) -> None:
        """Check the strategy that follows."""
        self.then.check(depth)

    def __str__(self) -> str:
        return f"lp+{self.then}"


def _check_block(key: str, value: int, depth: int, example: str) -> None:
    """Raise ThawlineError unless a number of blocks is between 1 and the backbone's depth."""
    if not 1 <= value <= depth:
        blocks = f"{depth} block{'s' * (depth > 1)}"
        change, nearest = ("smaller", depth) if value > depth else ("larger", 1)
        raise ThawlineError(
            f"`{key}` between 1 and {depth}, because this backbone has {blocks}",
            str(value),
            f"use a {change} value, for example {example.format(nearest)}",
            setting="strategy",
        )


_STRATEGIES: dict[str, type[Strategy]] = {
    kind.name: kind for kind in (Head, Last, Lora, Full, Gradual, Tfidf, HeadTfidf)
}
_EXAMPLES = ["head", "last:1", "lora:r=4,alpha=32", "full", "gradual", "lp+full", "tfidf"]


def parse_strategy(text: str) -> Strategy:
    """Parse the written form of a strategy.

    Args:
        text: The written form, such as ``head``, ``last:2``, ``lora:r=4,alpha=32,from=4`` or
            ``lp+full``.

    Raises:
        ThawlineError: If the name, a key or the value of a key is invalid.
    """
    text = text.strip()
    if text.startswith("lp+"):
        rest = text.removeprefix("lp+").strip()
        then = None if rest.startswith("lp+") else parse_strategy(rest)
        if then is None or isinstance(then, Head | Tfidf | Gradual):
            raise ThawlineError(
                "last, lora or full after lp+",
                f"'{text}'",
                "use another strategy, for example lp+full",
                setting="strategy",
            )
        return HeadFirst(then)
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
        names = [*_STRATEGIES, "lp+full"]
        raise ThawlineError(
            f"a strategy ({', '.join(_EXAMPLES)})",
            f"'{text}'",
            did_you_mean(name, names),
            setting="strategy",
        )
    if kind is Last and parameters.isdecimal():
        parameters = f"k={parameters}"
    return kind(**_parse_parameters(kind, text, parameters))


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
    "targets": (_module_names, "module names joined by +"),
}


def check_implemented(strategy: Strategy) -> None:
    """Raise ThawlineError if this version cannot run a strategy."""
    if not strategy.implemented:
        names = [kind.name for kind in _STRATEGIES.values() if kind.implemented] + ["lp+full"]
        raise ThawlineError(
            f"a strategy that this version can run ({', '.join(names)})",
            f"'{strategy}', which is not implemented yet",
            f"use another strategy, for example {names[0]}",
            setting="strategy",
        )
