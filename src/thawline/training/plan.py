"""Before anything is computed: every setting of a fit resolved, and checked against the others."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

from thawline.backbones.loading import Backbone
from thawline.backbones.pooling import POOLINGS
from thawline.config import EPOCHS, MADE_BACKBONE, Config, EncoderConfig, TrainingConfig
from thawline.config.resolve import check_config
from thawline.errors import ThawlineError, did_you_mean
from thawline.models.heads import HeadSpec, parse_head
from thawline.models.lora import target_paths
from thawline.runtime.devices import pick_device, pick_dtype
from thawline.strategies import Head, HeadFirst, Strategy, parse_strategy, require_built


@dataclass(frozen=True)
class Plan:
    """A `fit`, checked and resolved before anything is computed.

    Attributes:
        strategy: where the thaw line is and what trains.
        line: the thaw line on this backbone.
        head: which head.
        exact: whether the head is fitted to its optimum rather than by epochs.
        pooling: what the head reads of each stage.
        candidates: the sets of stages that the exact fit chooses from; the only one otherwise.
        max_length: tokens kept of a text.
        epochs: None for an exact fit.
        lr: None for an exact fit.
        first: how the head alone is trained before, on pooled states; None: it is not.
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


def make_plan(backbone: Backbone, config: Config) -> Plan:
    """Resolve every setting that was left open, and check those that were given.

    Raises:
        ThawlineError: a setting does not fit the backbone, the strategy or another setting.
    """
    check_config(config)
    pick_dtype(config.compute.dtype, pick_device(config.compute.device))
    strategy = parse_strategy(config.strategy)
    strategy.check(backbone.stack.depth)
    require_built(strategy)
    if strategy.adapters is not None:
        target_paths(backbone.stack, strategy.adapters)
    spec = parse_head(config.head.head)
    training = config.training
    line = strategy.line(backbone.stack.depth)
    frozen = line > backbone.stack.depth
    exact = frozen and spec.kind == "linear" and training.epochs is None
    _check_together(config, strategy, exact)
    _check_made(backbone, config, strategy)
    family = backbone.stack.model.config.model_type
    plan = Plan(
        strategy=strategy,
        line=line,
        head=spec,
        exact=exact,
        pooling=_resolve_pooling(backbone, spec, config.head.pooling),
        candidates=_resolve_features(backbone, spec, config.head.features, frozen, exact),
        max_length=backbone.resolve_max_length(config.tokens.max_length),
        epochs=None if exact else (EPOCHS if training.epochs is None else training.epochs),
        lr=None if exact else (strategy.rate(family) if training.lr is None else training.lr),
    )
    return replace(plan, first=_plan_head(plan, backbone, training))


def _plan_head(plan: Plan, backbone: Backbone, training: TrainingConfig) -> Plan | None:
    """Plan the head's own training before the strategy that follows it, if that is asked for.

    The rate and the epochs of the settings are those of what follows.
    """
    if not isinstance(plan.strategy, HeadFirst):
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


def _check_together(config: Config, strategy: Strategy, exact: bool) -> None:
    if config.artifact.merge and strategy.adapters is None:
        raise ThawlineError(
            "--merge beside --strategy lora",
            f"--strategy {strategy}, which makes no adapters to fold in",
            "leave --merge out",
        )
    if exact and config.training.lr is not None:
        raise ThawlineError(
            "--epochs beside --lr: the exact fit of a linear head has no learning rate",
            f"--lr {config.training.lr} alone",
            "add --epochs 3, or leave --lr out",
        )
    if config.training.keep == "last" and config.training.patience is not None:
        raise ThawlineError(
            "training.patience beside what tells a better evaluation",
            "training.keep = last",
            "leave one of the two out",
        )


def _check_made(backbone: Backbone, config: Config, strategy: Strategy) -> None:
    """Raise ThawlineError for settings of an encoder that is not made, or that adapters miss later.

    Adapters are saved without their backbone, and one that is made would be nowhere to be read.
    """
    if backbone.built_from is None and config.encoder != EncoderConfig():
        raise ThawlineError(
            f"--vectors and encoder.* beside --backbone {MADE_BACKBONE}, which is made of them",
            f"--backbone {backbone.name}, whose vectors are there",
            "leave them out",
        )
    if (
        backbone.built_from is not None
        and strategy.adapters is not None
        and not config.artifact.merge
    ):
        raise ThawlineError(
            "a backbone in a folder below adapters that are saved without it",
            f"'{backbone.name}', which is made for this fit",
            "add --merge, or use --strategy full",
        )


def _resolve_pooling(backbone: Backbone, spec: HeadSpec, wanted: str | None) -> str:
    family, config = backbone.stack.family, backbone.stack.model.config
    if wanted is not None and wanted not in POOLINGS:
        raise ThawlineError("a pooling", f"'{wanted}'", did_you_mean(wanted, POOLINGS))
    if spec.kind == "native":
        native = family.native_pooling(config)
        if wanted not in (None, native):
            raise ThawlineError(
                f"--pooling {native}, what the native head of {config.model_type} does",
                f"--pooling {wanted}",
                "leave --pooling out or use --head linear",
            )
        return native
    if wanted == "first" and family.causal:
        warnings.warn(
            "pooling 'first' on a causal backbone: its first token has seen nothing but itself, "
            "so texts that start alike look alike; 'mean' or 'last' sees the whole text",
            stacklevel=2,
        )
    return "mean" if wanted is None else wanted


def _resolve_features(
    backbone: Backbone, spec: HeadSpec, wanted: str | None, frozen: bool, exact: bool
) -> tuple[tuple[int, ...], ...]:
    depth = backbone.stack.depth
    every = tuple(range(depth + 1))
    if wanted is None:
        single = tuple((stage,) for stage in every)
        return (*single, every) if exact else ((depth,),)
    if wanted.isdecimal() and int(wanted) <= depth:
        stages: tuple[int, ...] = (int(wanted),)
    elif wanted in ("last", "layers"):
        stages = (depth,) if wanted == "last" else every
    else:
        near = did_you_mean(wanted, ["last", "layers"])
        raise ThawlineError(
            f"--features last, layers or a stage from 0 to {depth}",
            f"'{wanted}'",
            f"give at most {depth}" if wanted.isdecimal() else near,
        )
    if stages != (depth,) and (spec.kind == "native" or not frozen):
        reader = "a native head" if spec.kind == "native" else "a head above trained blocks"
        raise ThawlineError(
            f"--features last: {reader} reads the last stage",
            f"--features {wanted}",
            "leave --features out or use --head linear" if frozen else "leave --features out",
        )
    return (stages,)
