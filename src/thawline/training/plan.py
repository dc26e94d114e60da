"""Resolve the settings of a fit and check them against each other, before anything is computed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

from thawline.backbones.loading import Backbone
from thawline.backbones.pooling import POOLINGS
from thawline.config import EPOCHS, MADE_BACKBONE, Config, EncoderConfig, TrainingConfig
from thawline.config.resolve import check_config
from thawline.errors import ThawlineError, assignment, did_you_mean
from thawline.models.lora import target_paths
from thawline.models.specs import HeadSpec, parse_head
from thawline.runtime.devices import pick_device, pick_dtype
from thawline.strategies import BitFit, Gradual, Head, Strategy, parse_strategy
from thawline.training.effects import check_effects, check_patience, check_rate


@dataclass(frozen=True)
class Plan:
    """The settings of a fit, resolved and checked.

    Attributes:
        strategy: The strategy, which sets the thaw line and what is trained.
        line: The thaw line on this backbone.
        head: The kind of head and its width.
        exact: Whether the head is solved exactly rather than trained by epochs.
        pooling: How token states are combined: ``first``, ``last`` or ``mean``.
        candidates: The sets of stages that the exact fit chooses from. Without an exact fit, the
            only set.
        max_length: The maximum number of tokens in a text. Longer texts are truncated.
        epochs: The number of epochs. None for an exact fit.
        lr: The peak learning rate. None for an exact fit.
        first: The plan that trains the head alone, on pooled states, before the strategy. None if
            the strategy does not train the head first.
    """

    strategy: Strategy
    line: int
    head: HeadSpec
    exact: bool
    pooling: str
    candidates: tuple[tuple[int, ...], ...]
    max_length: int
    epochs: int | None
    lr: float | None
    first: Plan | None = None


@dataclass(frozen=True)
class WordsPlan:
    """The checked settings of a fit without a backbone. The attributes are those of `Plan`."""

    strategy: Strategy
    head: HeadSpec
    exact: bool = True
    line: None = None
    pooling: None = None
    max_length: None = None
    epochs: None = None
    lr: None = None
    first: None = None


def make_words_plan(config: Config) -> WordsPlan:
    """Check the settings of a fit whose strategy has no backbone.

    Args:
        config: The settings of the fit.

    Raises:
        ThawlineError: If a setting is invalid or has no effect.
    """
    check_config(config)
    strategy = parse_strategy(config.strategy)
    _check_combinations(config, strategy)
    check_effects(config, None)
    return WordsPlan(strategy, HeadSpec("linear"))


def make_plan(backbone: Backbone, config: Config) -> Plan:
    """Resolve the settings that are None and check all others.

    Args:
        backbone: The loaded backbone.
        config: The settings of the fit.

    Returns:
        The plan, in which all settings are resolved.

    Raises:
        ThawlineError: If a setting does not fit the backbone, the strategy or another setting.
    """
    check_config(config)
    pick_dtype(config.compute.dtype, pick_device(config.compute.device))
    strategy = parse_strategy(config.strategy)
    training = config.training
    epochs = EPOCHS if training.epochs is None else training.epochs
    strategy.check(backbone.stack.depth)
    strategy = strategy.planned(backbone.stack.depth, epochs)
    _check_strategy(backbone, strategy, epochs)
    spec = parse_head(config.head.head)
    line = strategy.line(backbone.stack.depth)
    frozen = line > backbone.stack.depth
    exact = frozen and spec.kind == "linear" and training.epochs is None
    _check_combinations(config, strategy)
    _check_glove(backbone, config, strategy)
    check_effects(config, backbone.stack.depth)
    if not exact:
        check_rate(training, is_default=training.lr is None)
    family = backbone.stack.model.config.model_type
    plan = Plan(
        strategy=strategy,
        line=line,
        head=spec,
        exact=exact,
        pooling=_resolve_pooling(backbone, spec, config.head.pooling),
        candidates=_resolve_features(backbone, spec, config.head.features, frozen, exact),
        max_length=backbone.resolve_max_length(config.tokens.max_length),
        epochs=None if exact else epochs,
        lr=None if exact else (strategy.rate(family) if training.lr is None else training.lr),
    )
    return replace(plan, first=_plan_head_first(plan, backbone, training))


def _plan_head_first(plan: Plan, backbone: Backbone, training: TrainingConfig) -> Plan | None:
    """Return the plan of the head that is trained before an ``lp+`` strategy, or None.

    The learning rate and the epochs that the user gave apply to the strategy, not to this plan.
    """
    if not plan.strategy.head_first:
        return None
    exact, head = plan.head.kind == "linear", Head()
    return replace(
        plan,
        strategy=head,
        line=head.line(backbone.stack.depth),
        exact=exact,
        epochs=None if exact else training.head_first_epochs,
        lr=None if exact else head.rate(backbone.stack.model.config.model_type),
    )


def _check_strategy(backbone: Backbone, strategy: Strategy, epochs: int) -> None:
    """Raise ThawlineError if a strategy does not fit the backbone or the number of epochs."""
    stack, last = backbone.stack, strategy.last
    if strategy.adapters is not None:
        target_paths(stack, strategy.adapters)
    if isinstance(last, BitFit) and not stack.biases():
        raise ThawlineError(
            "a backbone whose blocks have bias terms, because bitfit trains nothing else in them",
            f"'{backbone.name}' of the type '{stack.model.config.model_type}', which has none",
            "use `strategy=lora` or `strategy=last:1`",
            setting="strategy",
        )
    if isinstance(last, Gradual) and last.stages is not None and last.stages > epochs:
        raise ThawlineError(
            f"`stages` of at most {epochs}, because one stage thaws in each epoch",
            str(last.stages),
            # The epochs may come from an option, from a rung or from a search.
            f"train for at least {last.stages} epochs, or use gradual:stages={epochs}",
            setting="strategy",
        )


def _check_combinations(config: Config, strategy: Strategy) -> None:
    """Raise ThawlineError if two settings contradict each other."""
    if config.artifact.merge and strategy.adapters is None:
        raise ThawlineError(
            "a strategy with adapters, because `artifact.merge` merges adapters into the backbone",
            f"{assignment('strategy', strategy)}, which trains no adapters",
            "omit `artifact.merge`, or use `strategy=lora`",
            setting="artifact.merge",
        )
    check_patience(config.training)


def _check_glove(backbone: Backbone, config: Config, strategy: Strategy) -> None:
    """Raise ThawlineError if settings for an encoder made from word vectors are inconsistent.

    Adapters are saved without their backbone, and an encoder that is made for one fit is not saved
    elsewhere. So its adapters can be loaded again only if they are merged.
    """
    if backbone.built_from is None and config.encoder != EncoderConfig():
        raise ThawlineError(
            f"`backbone={MADE_BACKBONE}`, because settings of the encoder, such as "
            "`encoder.vectors`, apply only to an encoder made from word vectors",
            f"{assignment('backbone', backbone.name)}, which is not made from word vectors",
            "omit settings of the encoder, such as `encoder.vectors`",
            setting="backbone",
        )
    if (
        backbone.built_from is not None
        and strategy.adapters is not None
        and not config.artifact.merge
    ):
        raise ThawlineError(
            "a saved backbone, because adapters are saved without the weights of their backbone",
            f"'{backbone.name}', which is made for this fit and not saved",
            "add `artifact.merge=true` to save the complete model, or use `strategy=full`",
            setting="artifact.merge",
        )


def _resolve_pooling(backbone: Backbone, spec: HeadSpec, wanted: str | None) -> str:
    """Return the pooling. By default it is ``mean``, or the pooling of the native head."""
    family, config = backbone.stack.family, backbone.stack.model.config
    if wanted is not None and wanted not in POOLINGS:
        fix = did_you_mean(wanted, POOLINGS)
        expected = f"a pooling ({', '.join(POOLINGS)})"
        raise ThawlineError(expected, f"'{wanted}'", fix, setting="head.pooling")
    if spec.kind == "native":
        native = family.native_pooling(config)
        if wanted not in (None, native):
            raise ThawlineError(
                f"`head.pooling={native}`, which the native head of {config.model_type} uses",
                assignment("head.pooling", wanted),
                "omit `head.pooling`, or use `head.head=linear`",
                setting="head.pooling",
            )
        return native
    if wanted == "first" and family.causal:
        warnings.warn(
            "the first token of a causal backbone sees only itself, so with pooling 'first' the "
            "head ignores the rest of the text. Use pooling 'mean' or 'last' instead.",
            stacklevel=2,
        )
    return "mean" if wanted is None else wanted


def _resolve_features(
    backbone: Backbone, spec: HeadSpec, wanted: str | None, frozen: bool, exact: bool
) -> tuple[tuple[int, ...], ...]:
    """Return the sets of stages whose features the head may read."""
    depth = backbone.stack.depth
    all_stages = tuple(range(depth + 1))
    if wanted is None:
        single_stages = tuple((stage,) for stage in all_stages)
        return (*single_stages, all_stages) if exact else ((depth,),)
    if wanted.isdecimal() and int(wanted[:100]) <= depth:
        stages: tuple[int, ...] = (int(wanted),)
    elif wanted in ("last", "layers"):
        stages = (depth,) if wanted == "last" else all_stages
    else:
        suggestion = did_you_mean(wanted, ["last", "layers"])
        raise ThawlineError(
            f"last, layers or a stage between 0 and {depth} for `head.features`",
            f"'{wanted}'",
            f"use a stage of at most {depth}" if wanted.isdecimal() else suggestion,
            setting="head.features",
        )
    if stages != (depth,) and (spec.kind == "native" or not frozen):
        reader = "a native head" if spec.kind == "native" else "a head above trained blocks"
        raise ThawlineError(
            f"`head.features=last`, because {reader} reads only the last stage",
            assignment("head.features", wanted),
            "omit `head.features`, or use `head.head=linear`" if frozen else "omit `head.features`",
            setting="head.features",
        )
    return (stages,)
