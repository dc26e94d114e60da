"""The strategies as frozen objects: where the thaw line lies and what trains above it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from thawline.config import FAMILY_RATES, LEARNING_RATES, LoraConfig
from thawline.errors import ThawlineError, did_you_mean


@dataclass(frozen=True)
class Strategy:
    """Base class of all strategies, which set the thaw line and the adapters above it.

    Attributes:
        name: The name at the start of the written form.
        reads_states: Whether the classifier has a backbone. Without one, the strategy has no line.
        reads_words: Whether the classifier reads the words of a text (TF-IDF), whose weights are
            fitted exactly.
    """

    name: ClassVar[str] = ""
    reads_states: ClassVar[bool] = True
    reads_words: ClassVar[bool] = False

    @property
    def last(self) -> Strategy:
        """The strategy itself, without prefixes such as ``lp+``."""
        return self

    @property
    def head_first(self) -> bool:
        """Whether the head is trained alone before the strategy."""
        return False

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

    def planned(self, depth: int, epochs: int) -> Strategy:
        """Return the strategy with the values that depend on the number of epochs.

        Args:
            depth: The number of blocks of the backbone.
            epochs: The number of training epochs.
        """
        return self

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
            if not _is_left_out(getattr(self, field.name))
        ]
        return ":".join([self.name, ",".join(pairs)] if pairs else [self.name])


def _is_left_out(value: Any) -> bool:
    """Return whether the written form leaves a value out: a flag that is off, or no value."""
    return value is None or value is False


def _format_value(value: Any) -> str:
    """Return a value as text: ``true`` for a flag, and 32 for 32.0."""
    if value is True:
        return "true"
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
    """Fit logistic regression on TF-IDF features of words and pairs of words, and no backbone."""

    name: ClassVar[str] = "tfidf"
    reads_states: ClassVar[bool] = False
    reads_words: ClassVar[bool] = True


@dataclass(frozen=True)
class HeadTfidf(Head):
    """Fit one head on pooled states and on TF-IDF features of words and pairs of words."""

    name: ClassVar[str] = "head+tfidf"
    reads_words: ClassVar[bool] = True


@dataclass(frozen=True)
class Last(Strategy):
    """Train the last k blocks and the head.

    Args:
        k: The number of blocks, from 1 to the number of blocks of the backbone.
    """

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
        dora: Whether the magnitude of each row of an adapted matrix trains too, apart from its
            direction (DoRA; Liu et al., 2024, arXiv 2402.09353).
        rslora: Whether the output is multiplied by alpha / √r instead of alpha / r (Kalajdzievski,
            2023, arXiv 2312.03732).
    """

    name: ClassVar[str] = "lora"
    r: int = LoraConfig.r
    alpha: float = LoraConfig.alpha
    dropout: float = LoraConfig.dropout
    targets: str | None = LoraConfig.targets
    from_: int = LoraConfig.from_block
    dora: bool = LoraConfig.dora
    rslora: bool = LoraConfig.rslora

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
class BitFit(Strategy):
    """Train only the bias terms of all blocks, and the head (Ben Zaken et al., arXiv 2106.10199).

    A backbone whose blocks have no bias terms, such as Qwen3 or Llama, cannot use it.
    """

    name: ClassVar[str] = "bitfit"

    def line(self, depth: int) -> int:
        """Return 1, because the embeddings are frozen."""
        return 1


LAYER_DECAY = 2.6
"""The learning rate of a block, divided by that of the block before it (arXiv 1801.06146)."""


@dataclass(frozen=True)
class Gradual(Strategy):
    """Thaw one more stage in each epoch, from the top down (Howard and Ruder, arXiv 1801.06146).

    The last block and the head train in the first epoch, the block before it joins in the second
    epoch, and so on. When all stages have thawed, the training continues with all of them. The
    learning rate of a block is that of the next block divided by 2.6 (`LAYER_DECAY`).

    Args:
        stages: The number of stages that thaw. The number of blocks plus 1 includes the embeddings.
            If None, one stage for each epoch.
    """

    name: ClassVar[str] = "gradual"
    stages: int | None = None

    def planned(self, depth: int, epochs: int) -> Gradual:
        """Return the strategy with the number of stages that thaw within the epochs."""
        return self if self.stages is not None else replace(self, stages=min(depth + 1, epochs))

    def line(self, depth: int) -> int:
        """Return the lowest stage that thaws."""
        return 0 if self.stages is None else depth + 1 - self.stages

    def first_trained(self, depth: int, epoch: int) -> int:
        """Return the lowest stage that trains in an epoch, counting from 1."""
        return max(self.line(depth), depth + 1 - epoch)

    def check(self, depth: int) -> None:
        """Raise ThawlineError unless the backbone has that many stages."""
        if self.stages is not None:
            _check_block("stages", self.stages, depth, "gradual:stages={}", embeddings=True)


@dataclass(frozen=True)
class _Prefixed(Strategy):
    """Base class of strategies that do something first and then follow another strategy.

    Args:
        then: The strategy that follows.
    """

    then: Strategy

    @property
    def last(self) -> Strategy:
        """The strategy that follows, without prefixes."""
        return self.then.last

    @property
    def head_first(self) -> bool:
        """Whether the head is trained alone before the strategy that follows."""
        return self.then.head_first

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

    def planned(self, depth: int, epochs: int) -> Self:
        """Plan the strategy that follows."""
        return replace(self, then=self.then.planned(depth, epochs))

    def check(self, depth: int) -> None:
        """Check the strategy that follows."""
        self.then.check(depth)

    def __str__(self) -> str:
        return f"{self.name}+{self.then}"


@dataclass(frozen=True)
class HeadFirst(_Prefixed):
    """Train the head to its optimum, then continue with another strategy (LP-FT).

    The source is Kumar et al., 2022, arXiv 2202.10054.

    Args:
        then: The strategy that follows.
    """

    name: ClassVar[str] = "lp"

    @property
    def head_first(self) -> bool:
        """Always True."""
        return True


@dataclass(frozen=True)
class Tapt(_Prefixed):
    """Train the backbone on its own objective first, then continue with another strategy.

    This is task-adaptive pretraining (Gururangan et al., 2020, arXiv 2004.10964; Sun et al., 2019,
    arXiv 1905.05583). The texts are those of train and, if given, unlabelled ones.

    Args:
        then: The strategy that follows.
    """

    name: ClassVar[str] = "tapt"


def _check_block(
    key: str, value: int, depth: int, example: str, *, embeddings: bool = False
) -> None:
    """Raise ThawlineError unless a number of blocks is between 1 and the backbone's depth.

    If the embeddings count too, it can be one more.
    """
    most = depth + embeddings
    if not 1 <= value <= most:
        blocks = f"{depth} block{'s' * (depth > 1)}{' and embeddings' * embeddings}"
        change, nearest = ("smaller", most) if value > most else ("larger", 1)
        raise ThawlineError(
            f"`{key}` between 1 and {most}, because this backbone has {blocks}",
            str(value),
            f"use a {change} value, for example {example.format(nearest)}",
            setting="strategy",
        )
