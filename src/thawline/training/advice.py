"""Warn about settings that are unlikely to help on a data set, before the training starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from thawline.backbones.loading import Backbone
from thawline.config import FEW_TO_CHOOSE, Config, PreflightConfig
from thawline.data import Dataset
from thawline.data.labels import join_words
from thawline.data.tokens import tokenize
from thawline.training.plan import Plan
from thawline.training.task import Task, WordsTask

MAJORITY = 0.8
"""The share of a class from which it explains that a classifier predicts no other class."""
MANY_CLASSES = 50
"""The number of classes from which the number of texts per class is checked."""
FEW_ROWS_PER_CLASS = 3
"""The average number of training texts of a class below which a warning is shown."""


def fit_warnings(dataset: Dataset, backbone: Backbone, plan: Plan, config: Config) -> Iterator[str]:
    """Yield one line for each setting that is unlikely to help on this data set.

    Args:
        dataset: The data set to train on.
        backbone: The loaded backbone.
        plan: The resolved settings.
        config: The settings as the user gave them.
    """
    yield from few_rows_per_class(dataset)
    yield from _untrained_blocks(backbone, plan)
    yield from _few_validation_rows(dataset, plan, config)
    yield from _same_first_token(dataset, backbone, plan, config)


def transfer_warnings(backbone: Backbone, dataset: Dataset) -> Iterator[str]:
    """Yield a line if the backbone is a classifier of another task, whose head is replaced.

    Args:
        backbone: The loaded backbone. It may be a run of Thawline or a classifier of transformers.
        dataset: The data set to train on.
    """
    config = backbone.stack.model.config
    if backbone.origin is not None:
        labels: Sequence[str] = backbone.origin.labels
    elif any(name.endswith("ForSequenceClassification") for name in config.architectures or ()):
        labels = [str(name) for name in config.id2label.values()]
    else:
        return
    old = f"{len(labels)} classes ({join_words(labels)})"
    new = f"{len(dataset.labels.names)} classes ({join_words(dataset.labels.names)})"
    yield f"'{backbone.name}' has a head for {old}: it is replaced by a new head for {new}"


def result_warnings(task: Task | WordsTask, predictions: NDArray[np.int64]) -> Iterator[str]:
    """Yield a line if a trained classifier predicts the same class for every test text.

    Args:
        task: The task that the classifier was trained on.
        predictions: The predicted class ids of the test texts, ``(texts,)``.
    """
    train, test = task.parts["train"].labels, task.parts["test"].labels
    if len(np.unique(predictions)) > 1 or len(np.unique(test)) < 2:
        return
    name, lr = task.labels.names[predictions[0]], task.plan.lr
    reader = "this backbone reads" if task.plan.strategy.reads_states else "TF-IDF reads"
    share = float(np.mean(train == predictions[0]))
    if share > MAJORITY:
        cause = (
            f"The likely cause is that {100 * share:.0f} % of the training texts have this label. "
            "Try `training.class_weights=balanced`."
        )
    elif lr is not None:
        cause = (
            f"The likely cause is the learning rate of {lr:g}. Try a lower "
            "`training.lr`, or a higher one with more `training.epochs` if the training loss has "
            "hardly fallen."
        )
    else:
        cause = (
            f"The likely cause is that the labels do not depend on the texts as {reader} "
            "them. Check the labels with thawline preflight, or try `strategy=last:1`."
        )
    yield f"the trained classifier predicts '{name}' for all {len(test):,} test texts. {cause}"


def few_rows_per_class(dataset: Dataset) -> Iterator[str]:
    """Warn if there are so many classes that most have hardly any texts."""
    classes, rows = len(dataset.labels), len(dataset.train)
    if classes > MANY_CLASSES and rows < FEW_ROWS_PER_CLASS * classes:
        yield (
            f"{classes:,} classes have {rows / classes:.1f} training texts each on average, which "
            "is too few to learn most of them. Check that `data.label` names the right column."
        )


def _few_validation_rows(dataset: Dataset, plan: Plan, config: Config) -> Iterator[str]:
    """Warn if the validation split is too small to choose the best epoch."""
    rows, training = len(dataset.validation), config.training
    by_epochs = plan.epochs is not None and plan.epochs > 1
    # Early stopping by patience needs a choice of the best epoch, so the last one cannot be kept.
    chooses = training.keep != "last" and training.patience is None
    if by_epochs and chooses and rows < FEW_TO_CHOOSE:
        yield (
            f"{rows} validation rows are too few to choose the best epoch: on average the last "
            "epoch is better. The setting `training.keep=last` keeps it."
        )


def _untrained_blocks(backbone: Backbone, plan: Plan) -> Iterator[str]:
    """Warn if blocks with random weights are not trained."""
    depth = backbone.stack.depth
    # Adapters do not change the weights of any block.
    frozen = depth if plan.strategy.adapters is not None else min(plan.line - 1, depth)
    if backbone.built_from is not None and frozen > 0:
        yield (
            f"with the strategy {plan.strategy}, {frozen} of {depth} blocks keep their random "
            "weights, because this backbone is not pretrained. Use `strategy=full` to train all "
            "blocks."
        )


def _same_first_token(
    dataset: Dataset, backbone: Backbone, plan: Plan, config: Config
) -> Iterator[str]:
    """Warn if the head reads a token that sees no other token and is the same in every text.

    Only the first training texts are inspected, as many as preflight samples.
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
    first_ids = np.unique(tokens.ids[tokens.offsets[:-1]])
    if len(first_ids) == 1:
        token = backbone.tokenizer.convert_ids_to_tokens(int(first_ids[0]))
        yield (
            f"all {len(texts):,} training texts that were inspected start with '{token}', so with "
            "pooling 'first' the head reads the same features for every text and learns nothing. "
            "Use `head.pooling=mean`."
        )
