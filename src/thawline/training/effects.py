"""Refuse settings that have no effect with the chosen strategy, head and way of training.

`_REQUIREMENTS` is the only place that says under which conditions a setting has an effect. Settings
that it does not list always have one. A setting that has its default value is never refused, so
that the complete config of a run can be used with another strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from thawline.config import (
    RANDOM_VECTORS,
    Config,
    EncoderConfig,
    LoopConfig,
    TaptConfig,
    TokensConfig,
)
from thawline.config.annotations import flatten_settings, settings_of
from thawline.errors import ThawlineError, assignment, setting_value
from thawline.strategies import Tapt
from thawline.training.proposals import (
    adapt_backbone,
    add_epochs,
    drop_out,
    pool_frozen,
    solve_head,
    train_head_first,
)
from thawline.training.situation import Situation


@dataclass(frozen=True)
class Requirement:
    """A condition under which a setting has an effect.

    Attributes:
        holds: Returns whether it holds.
        what: The condition in words, after "expected".
        fix: How to meet it, or a function that returns what is missing, so that nothing
            is proposed that the user has given already.
    """

    holds: Callable[[Situation], bool]
    what: str
    fix: str | Callable[[Situation], str]

    def fix_for(self, situation: Situation) -> str:
        """Return how to meet the condition in a situation that does not meet it."""
        return self.fix if isinstance(self.fix, str) else self.fix(situation)


_STATES = Requirement(
    lambda fit: fit.strategy.reads_states,
    "a strategy with a backbone",
    "use `strategy=head`",
)
_WORDS = Requirement(
    lambda fit: fit.strategy.reads_words,
    "a strategy that reads words",
    "use `strategy=tfidf` or `strategy=head+tfidf`",
)
_NO_WORDS = Requirement(
    lambda fit: not fit.strategy.reads_words,
    "a strategy that does not read words",
    "use `strategy=head`",
)
_EPOCHS = Requirement(lambda fit: not fit.is_exact, "training by epochs", add_epochs())
_EXACT = Requirement(
    lambda fit: fit.solves_head,
    "an exact fit of a linear head",
    solve_head,
)
_BLOCKS = Requirement(
    lambda fit: fit.strategy.reads_states and not fit.frozen,
    "a strategy that trains blocks",
    "use `strategy=last:1`",
)
_POOLED = Requirement(
    lambda fit: (fit.frozen or fit.head_first) and fit.head.kind != "native",
    "a linear or an MLP head on pooled states of frozen blocks",
    pool_frozen,
)
_DROPOUT = Requirement(
    lambda fit: fit.head.kind != "native" and not fit.is_exact,
    "an MLP or linear head that is trained by epochs",
    drop_out,
)
_FIRST_EPOCHS = Requirement(
    lambda fit: fit.head_first and fit.head.kind != "linear",
    "a strategy lp+S with an MLP or native head",
    train_head_first,
)
_STORED = Requirement(
    lambda fit: fit.stores,
    "a strategy whose states are stored",
    "use `strategy=head` or `strategy=last:1`",
)
_MUON = Requirement(
    lambda fit: not fit.is_exact and fit.config.training.optimizer == "muon",
    "training by epochs with Muon",
    add_epochs("`training.optimizer=muon`"),
)
_SGD = Requirement(
    lambda fit: not fit.is_exact and fit.config.training.optimizer == "sgd",
    "training by epochs with SGD",
    add_epochs("`training.optimizer=sgd`"),
)
_STEP = Requirement(
    lambda fit: not fit.is_exact and fit.config.training.schedule == "step",
    "training by epochs with the schedule step",
    add_epochs("`training.schedule=step`"),
)
_FULL = Requirement(
    lambda fit: fit.line == 0,
    "a strategy that trains the embeddings",
    "use `strategy=full`",
)
_TAPT = Requirement(
    lambda fit: isinstance(fit.strategy, Tapt),
    "a strategy that trains the backbone on its own objective first",
    adapt_backbone,
)
_RANDOM = Requirement(
    lambda fit: fit.config.encoder.vectors == RANDOM_VECTORS,
    "random word vectors",
    "use `encoder.vectors=random`",
)
_FILE = Requirement(
    lambda fit: fit.config.encoder.vectors != RANDOM_VECTORS,
    "word vectors from a file",
    "use `encoder.vectors` with a file or a name",
)

_REQUIREMENTS: dict[str, Requirement] = {
    "backbone": _STATES,
    **{f"encoder.{setting.name}": _STATES for setting in fields(EncoderConfig)},
    **{f"tokens.{setting.name}": _STATES for setting in fields(TokensConfig)},
    **{f"compute.{name}": _STATES for name in ("tokens_per_batch", "density")},
    **{f"head.{name}": _STATES for name in ("pooling", "features")},
    **dict.fromkeys(("head.head", "training.epochs"), _NO_WORDS),
    "training.label_smoothing": _STATES,
    **{f"exact.{name}": _EXACT for name in ("penalties", "patience", "max_iterations")},
    **{f"exact.{name}": _EXACT for name in ("tolerance", "rows_per_block", "cache_bytes")},
    **{f"training.{name}": _EPOCHS for name in ("optimizer", "schedule", "warmup_share")},
    **{f"training.{name}": _EPOCHS for name in ("weight_decay", "max_grad_norm")},
    **{f"training.{name}": _EPOCHS for name in ("evaluate_every", "keep", "patience")},
    **{f"training.{name}": _EPOCHS for name in ("checkpoint_every", "batch_size", "lr")},
    **{f"training.{name}": _BLOCKS for name in ("length_pool", "pass_overhead")},
    "training.attention_dropout": _BLOCKS,
    "training.head_first_epochs": _FIRST_EPOCHS,
    "training.muon_lr": _MUON,
    "training.momentum": _SGD,
    **{f"training.{name}": _STEP for name in ("step_epochs", "step_factor")},
    "exact.words_penalties": _WORDS,
    **{f"tapt.{setting.name}": _TAPT for setting in fields(TaptConfig)},
    "head.standardise": _POOLED,
    "head.dropout": _DROPOUT,
    **{f"compute.{name}": _STORED for name in ("rows_per_chunk", "bytes_per_chunk")},
    "compute.store_limit": _STORED,
    "encoder.vector_size": _RANDOM,
    "encoder.frequent_words": _FILE,
    "encoder.freeze_vectors": _FULL,
    "encoder.dropout": _BLOCKS,
}
"""The requirement of each setting that does not always have an effect."""


def has_effect(key: str, situation: Situation) -> bool:
    """Return whether a setting of `fit` has an effect.

    Args:
        key: The dotted key.
        situation: The strategy, the head and the other settings.
    """
    requirement = _REQUIREMENTS.get(key)
    return requirement is None or requirement.holds(situation)


def settings_without_effect(config: Config, depth: int | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the key and the value of each setting that is not a default and has no effect.

    Args:
        config: The settings.
        depth: The number of blocks of the backbone. None if it is not known yet.
    """
    situation, known = Situation.of(config, depth), settings_of(Config)
    for key, value in flatten_settings(config.to_dict()):
        if value != known[key].default and not has_effect(key, situation):
            yield key, value


def check_effects(config: Config, depth: int | None) -> None:
    """Check that every setting that is not a default has an effect.

    Args:
        config: The settings.
        depth: The number of blocks of the backbone. None if the strategy has no backbone.

    Raises:
        ThawlineError: If a setting has no effect.
    """
    situation = Situation.of(config, depth)
    for key, value in settings_without_effect(config, depth):
        requirement = _REQUIREMENTS[key]
        default = settings_of(Config)[key].default
        without = f"omit it to use the default ({setting_value(default)})"
        if default is None or default == ():
            without = "omit it"
        solved = situation.is_exact and situation.strategy.reads_states
        exact = ", whose linear head is solved exactly" if solved else ""
        raise ThawlineError(
            f"{requirement.what}, because `{key}` has no effect otherwise",
            f"{assignment(key, value)} with strategy '{config.strategy}' and head "
            f"'{config.head.head}'{exact}",
            f"{requirement.fix_for(situation)}, or {without}",
            setting=key,
        )


def check_patience(config: LoopConfig) -> None:
    """Raise ThawlineError if patience is given although the last weights are kept."""
    if config.keep == "last" and config.patience is not None:
        raise ThawlineError(
            "no patience, because `training.keep` is last and no evaluation counts as better",
            assignment("training.patience", config.patience),
            "omit `training.patience`, or use `training.keep=loss`",
            setting="training.patience",
        )


_LOOP_REQUIREMENTS = {
    "muon_lr": ("optimizer", "muon"),
    "momentum": ("optimizer", "sgd"),
    "step_epochs": ("schedule", "step"),
    "step_factor": ("schedule", "step"),
}
"""The setting of the loop, and its value, with which another setting of the loop has an effect."""


def check_loop(config: LoopConfig) -> None:
    """Check that every setting of an optimiser or a schedule belongs to the chosen one.

    Raises:
        ThawlineError: If one belongs to another.
    """
    for name, (kind, value) in _LOOP_REQUIREMENTS.items():
        given = getattr(config, name)
        if getattr(config, kind) != value and given != getattr(LoopConfig, name):
            raise ThawlineError(
                f"`training.{kind}={value}`, because `training.{name}` has no effect otherwise",
                f"{assignment(f'training.{name}', given)} with "
                f"{assignment(f'training.{kind}', getattr(config, kind))}",
                f"omit `training.{name}`, or add `training.{kind}={value}`",
                setting=f"training.{name}",
            )


def check_rate(config: LoopConfig, *, is_default: bool) -> None:
    """Check that a learning rate is given for SGD.

    Args:
        config: The optimiser.
        is_default: Whether the learning rate is the default, which was measured for AdamW.

    Raises:
        ThawlineError: If it is not given.
    """
    if config.optimizer == "sgd" and is_default:
        raise ThawlineError(
            "a learning rate with `training.optimizer=sgd`, because the default was measured for "
            "AdamW",
            "no `training.lr`",
            "add for example `training.lr=0.1`",
            setting="training.lr",
        )
