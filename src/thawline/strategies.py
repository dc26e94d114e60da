"""Strategies: where the thaw line is drawn and what trains above it.

A strategy is written ``name:key=value,…``; `parse_strategy` is the only reader of that form and
``str(strategy)`` its only writer. In Python it is a frozen object with the same fields; their
values are checked where the written form is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from thawline.config import FAMILY_RATES, LEARNING_RATES, LoraConfig
from thawline.errors import ThawlineError, did_you_mean


@dataclass(frozen=True)
class Strategy:
    """Base of all strategies: one integer, the thaw line, and what is adapted above it.

    Attributes:
        name: as it is written.
        built: whether this version can run it.
    """

    name: ClassVar[str] = ""
    built: ClassVar[bool] = True

    @property
    def adapters(self) -> Lora | None:
        """The low-rank adapters that train above the line; None: the blocks themselves do."""
        return None

    def rate(self, family: str) -> float:
        """Return the rate that it trains at where none is given, on a family of backbones.

        Args:
            family: the ``model_type`` of the backbone's config.
        """
        return FAMILY_RATES.get(family, {}).get(self.name, LEARNING_RATES[self.name])

    def line(self, depth: int) -> int:
        """Return the thaw line on a backbone of ``depth`` blocks, 0 … depth + 1."""
        raise NotImplementedError

    def check(self, depth: int) -> None:
        """Raise ThawlineError where the strategy does not fit a backbone of ``depth`` blocks."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the fields by name, in the way of scikit-learn's estimators.

        Args:
            deep: whether to add the fields of a strategy within this one, as ``then__k``.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        within = {
            f"{name}__{inner}": parameter
            for name, value in values.items()
            if deep and isinstance(value, Strategy)
            for inner, parameter in value.get_params().items()
        }
        return values | within

    def with_params(self, **params: Any) -> Self:
        """Return a copy with other values, under the names of `get_params`.

        Raises:
            ThawlineError: there is no field of that name.
        """
        values = self.get_params(deep=False)
        within: dict[str, dict[str, Any]] = defaultdict(dict)
        for name, value in params.items():
            field, is_within, inner = name.partition("__")
            if field not in values:
                raise self._unknown(name)
            if is_within:
                within[field][inner] = value
            else:
                values[field] = value
        for field, inner_params in within.items():
            if not isinstance(values[field], Strategy):
                raise self._unknown(f"{field}__{next(iter(inner_params))}")
            values[field] = values[field].with_params(**inner_params)
        return replace(self, **values)

    def _unknown(self, name: str) -> ThawlineError:
        known = self.get_params()
        if not known:
            found = f"'{name}' for '{self}', which has none"
            return ThawlineError("a strategy with parameters", found, "leave it out")
        return ThawlineError(
            f"a parameter of '{self}' ({', '.join(known)})", f"'{name}'", did_you_mean(name, known)
        )

    def __str__(self) -> str:
        written = [
            f"{field.name.rstrip('_')}={_written(getattr(self, field.name))}"
            for field in fields(self)
            if getattr(self, field.name) is not None
        ]
        return ":".join([self.name, ",".join(written)] if written else [self.name])


def _written(value: Any) -> str:
    """Return a value as one would write it: 32 for the number 32.0."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


@dataclass(frozen=True)
class Head(Strategy):
    """The head alone, on pooled states."""

    name: ClassVar[str] = "head"

    def line(self, depth: int) -> int:
        """Return L + 1: nothing of the backbone trains."""
        return depth + 1


@dataclass(frozen=True)
class Last(Strategy):
    """The last k blocks and the head."""

    name: ClassVar[str] = "last"
    k: int = 1

    def line(self, depth: int) -> int:
        """Return L + 1 - k."""
        return depth + 1 - self.k

    def check(self, depth: int) -> None:
        """Raise ThawlineError where there are fewer than k blocks."""
        _check_block(self.k, depth, f"last:{self.k}", "k")

    def __str__(self) -> str:
        return f"last:{self.k}"


@dataclass(frozen=True)
class Lora(Strategy):
    """Low-rank adapters in blocks ``from`` … L, and the head (Hu et al., arXiv 2106.09685)."""

    name: ClassVar[str] = "lora"
    r: int = LoraConfig.r
    alpha: float = LoraConfig.alpha
    dropout: float = LoraConfig.dropout
    targets: str | None = LoraConfig.targets
    from_: int = LoraConfig.from_block

    @property
    def adapters(self) -> Lora:
        """These very ones."""
        return self

    def line(self, depth: int) -> int:
        """Return the first block with an adapter."""
        return self.from_

    def check(self, depth: int) -> None:
        """Raise ThawlineError where there is no block ``from``."""
        _check_block(self.from_, depth, str(self), "from")


@dataclass(frozen=True)
class Full(Strategy):
    """Everything, embeddings included."""

    name: ClassVar[str] = "full"

    def line(self, depth: int) -> int:
        """Return 0: everything trains."""
        return 0


@dataclass(frozen=True)
class Gradual(Strategy):
    """Gradual unfreezing, a block an epoch (Howard and Ruder, 2018, arXiv 1801.06146)."""

    name: ClassVar[str] = "gradual"
    built: ClassVar[bool] = False

    def line(self, depth: int) -> int:
        """Return 0, the lowest line that it reaches."""
        return 0


@dataclass(frozen=True)
class HeadFirst(Strategy):
    """The head to its optimum first, another strategy from there (Kumar et al., 2022, LP-FT)."""

    name: ClassVar[str] = "lp"
    then: Strategy

    def rate(self, family: str) -> float:
        """Return that of the strategy that follows: a smaller one is not measured yet."""
        return self.then.rate(family)

    @property
    def adapters(self) -> Lora | None:
        """Those of the strategy that follows."""
        return self.then.adapters

    def line(self, depth: int) -> int:
        """Return the line of the strategy that follows."""
        return self.then.line(depth)

    def check(self, depth: int) -> None:
        """Check the strategy that follows."""
        self.then.check(depth)

    def __str__(self) -> str:
        return f"lp+{self.then}"


def _check_block(block: int, depth: int, written: str, key: str) -> None:
    if not 1 <= block <= depth:
        raise ThawlineError(
            f"{key} to be from 1 to {depth}, as many as this backbone has blocks",
            f"'{written}'",
            f"give {key} of at most {depth}" if block > depth else f"give {key} of at least 1",
        )


_STRATEGIES: dict[str, type[Strategy]] = {
    kind.name: kind for kind in (Head, Last, Lora, Full, Gradual)
}
_WRITTEN = ["head", "last:1", "lora:r=4,alpha=32", "full", "gradual", "lp+full"]


def parse_strategy(text: str) -> Strategy:
    """Read a strategy, such as ``head``, ``last:2``, ``lora:r=4,alpha=32,from=4`` or ``lp+full``.

    Raises:
        ThawlineError: an unknown name or key, or a value that its key cannot take.
    """
    text = text.strip()
    if text.startswith("lp+"):
        then = parse_strategy(text.removeprefix("lp+"))
        if isinstance(then, Head | HeadFirst | Gradual):
            raise ThawlineError("lp+ before last, lora or full", f"'{text}'", "write lp+full")
        return HeadFirst(then)
    name, _, written = text.partition(":")
    kind = _STRATEGIES.get(name)
    if kind is None:
        names = [*_STRATEGIES, "lp+full"]
        raise ThawlineError(
            f"a strategy ({', '.join(_WRITTEN)})", f"'{text}'", did_you_mean(name, names)
        )
    if kind is Last and written.isdecimal():
        written = f"k={written}"
    return kind(**_read_values(kind, text, written))


def as_strategy(strategy: str | Strategy) -> Strategy:
    """Return a strategy that is given in either form.

    Raises:
        ThawlineError: neither form, or what `parse_strategy` refuses.
    """
    if isinstance(strategy, Strategy):
        return strategy
    if not isinstance(strategy, str):
        raise ThawlineError(
            "a strategy, as an object such as Last(2) or as a string such as 'last:2'",
            f"{strategy!r} ({type(strategy).__name__})",
            "make it one of the two",
        )
    return parse_strategy(strategy)


def _read_values(kind: type[Strategy], text: str, written: str) -> dict[str, Any]:
    keys = {field.name.rstrip("_"): field.name for field in fields(kind)}
    values: dict[str, Any] = {}
    for pair in filter(None, written.split(",")):
        key, equals, value = pair.partition("=")
        if key not in keys or not equals:
            known = did_you_mean(key, keys) if len(keys) > 1 else f"write --strategy {kind()}"
            raise ThawlineError(f"key=value after '{kind.name}:'", f"'{pair}' in '{text}'", known)
        if keys[key] in values:
            raise ThawlineError(f"{key} once", f"'{text}'", "leave one of the two out")
        read, wanted = _READERS[key]
        try:
            values[keys[key]] = read(value)
        except ValueError:
            raise ThawlineError(
                f"{key} to be {wanted}", f"'{value}' in '{text}'", f"fix the value of {key}"
            ) from None
    return values


def _positive_integer(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _positive_number(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError
    return value


def _names(text: str) -> str:
    if not text:
        raise ValueError
    return text


_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "k": (_positive_integer, "a whole number above 0"),
    "r": (_positive_integer, "a whole number above 0"),
    "from": (_positive_integer, "a whole number above 0"),
    "alpha": (_positive_number, "a number above 0"),
    "dropout": (_share, "at least 0 and below 1"),
    "targets": (_names, "the names of modules, joined by +"),
}


def require_built(strategy: Strategy) -> None:
    """Raise ThawlineError for a strategy that this version knows but cannot run."""
    if not strategy.built:
        built = [kind.name for kind in _STRATEGIES.values() if kind.built] + ["lp+full"]
        raise ThawlineError(
            f"a strategy that this version can run ({', '.join(built)})",
            f"'{strategy}', which is not built yet",
            f"use --strategy {built[0]}",
        )
