"""What a fit tells of its settings on this set, before it begins: what is likely to be in vain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from thawline.backbones.loading import Backbone
from thawline.config import FEW_TO_CHOOSE, Config, PreflightConfig
from thawline.data import Dataset
from thawline.data.labels import shown
from thawline.data.tokens import tokenize
from thawline.training.plan import Plan


def notes_on(dataset: Dataset, backbone: Backbone, plan: Plan, config: Config) -> Iterator[str]:
    """Yield what the user should know of these settings on this set, a line each."""
    yield from _never_trained(backbone, plan)
    yield from _chosen_by_few(dataset, plan, config)
    yield from _same_first_token(dataset, backbone, plan, config)


def _chosen_by_few(dataset: Dataset, plan: Plan, config: Config) -> Iterator[str]:
    """Say where the rows of validation are too few to tell one epoch from another."""
    rows, training = len(dataset.validation), config.training
    by_epochs = plan.epochs is not None and plan.epochs > 1
    chosen = training.keep != "last" and training.patience is None  # patience needs a choice
    if by_epochs and chosen and rows < FEW_TO_CHOOSE:
        yield (
            f"{rows} validation rows choose an epoch by chance: the last is better in the mean "
            "(--set training.keep=last)"
        )


def _never_trained(backbone: Backbone, plan: Plan) -> Iterator[str]:
    """Say where blocks that were drawn stay as they are."""
    depth = backbone.stack.depth  # adapters leave the weights of every block
    frozen = depth if plan.strategy.adapters is not None else min(plan.line - 1, depth)
    if backbone.built_from is not None and frozen > 0:
        yield (
            f"--strategy {plan.strategy} leaves {frozen} of {depth} blocks as they "
            "were drawn, for this backbone was never trained (--strategy full trains them all)"
        )


def _same_first_token(
    dataset: Dataset, backbone: Backbone, plan: Plan, config: Config
) -> Iterator[str]:
    """Say where the head reads a token that has seen no other and is the same in every text.

    As many texts of train are looked at as `fit` counts the tokens of.
    """
    texts = dataset.train.texts[: PreflightConfig.sample]
    if plan.pooling != "first" or not backbone.stack.family.causal or len(texts) < 2:
        return
    tokens = tokenize(
        backbone.tokenizer,
        texts,
        max_length=plan.max_length,
        truncation_side=config.tokens.truncation_side,
    )
    firsts = np.unique(tokens.ids[tokens.offsets[:-1]])
    if len(firsts) == 1:
        token = backbone.tokenizer.convert_ids_to_tokens(int(firsts[0]))
        yield (
            f"pooling first: each of the {len(texts):,} train texts looked at starts with "
            f"'{token}', so the head sees the same features for every text and learns nothing "
            "from them (--pooling mean)"
        )


def note_on_origin(backbone: Backbone, dataset: Dataset) -> Iterator[str]:
    """Say what becomes of the head of another task's classifier, Thawline's or transformers'."""
    config = backbone.stack.model.config
    if backbone.origin is not None:
        labels: Sequence[str] = backbone.origin.labels
    elif any(name.endswith("ForSequenceClassification") for name in config.architectures or ()):
        labels = [str(name) for name in config.id2label.values()]
    else:
        return
    old = f"{len(labels)} classes ({shown(labels)})"
    new = f"{len(dataset.labels.names)} ({shown(dataset.labels.names)})"
    yield f"the head of {old} in '{backbone.name}' is replaced by one of {new}"
