"""Predict the seconds of a fit before it runs.

A fit has parts: the training of the backbone on its own objective (tapt), tokenising, the frozen
pass, the fit of TF-IDF (words), the exact fit of a head, the fit of both together (joint), the
training by epochs, the scores, and everything else. The seconds of a part are a sum of
products: how often the part does something, times the seconds that this takes (`SECONDS`). Matrix
products are counted as the seconds that they would take at the rate of this machine, so that their
factor is the inverse of the efficiency that a part reaches.

`benchmarks/costs.py` measures fits, finds the factors by least squares, and compares predicted with
true seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedConfig

from thawline.backbones.loading import Backbone
from thawline.backbones.operations import (
    forward_operations,
    prefix_operations,
    trained_stages,
    training_operations,
)
from thawline.backbones.stack import Stack
from thawline.config import Config
from thawline.data import Dataset, LabelledTexts, Text
from thawline.data.tokens import tokenize
from thawline.models.configuration import ThawlineConfig
from thawline.models.lora import thaw
from thawline.models.modeling import ThawlineForSequenceClassification
from thawline.pretraining.tapt import Adaptation
from thawline.pretraining.token_model import has_token_head
from thawline.runtime.devices import pick_device, pick_dtype
from thawline.runtime.hardware import matrix_rate
from thawline.strategies import Full, Gradual, Strategy
from thawline.training.plan import Plan
from thawline.training.preparation import Prepared, PreparedWords

Work = dict[str, dict[str, float]]
"""How often each part of a fit does each thing."""

Parts = dict[str, float]
"""The seconds of each part of a fit."""

SAMPLE = 500
"""The number of texts of a split that are tokenised to estimate the lengths of all texts."""

BURSTS = 4
"""How often the rate of matrix products is measured, because other programs may be computing."""

SECONDS: Work = {
    "tokenising": {"characters": 3.6e-7},
    "prefix": {"products": 1.17, "tokens": 3.0e-6, "texts": 1.0e-4},
    "words": {"fits": 0.4, "characters": 5.0e-7, "outputs": 1.75e-4},
    "head": {"features": 3.7e-8, "logits": 9.4e-9, "candidates": 0.017},
    "joint": {"fits": 0.4, "characters": 5.0e-7, "outputs": 1.75e-4, "states": 2.3e-7},
    "training": {"products": 2.28, "steps": 0.013, "blocks": 0.0103, "updates": 2.4e-9},
    "tapt": {"products": 2.28, "steps": 0.013, "blocks": 0.0103, "updates": 2.4e-9},
    "scores": {"products": 1.57, "tokens": 3.3e-6, "characters": 2.4e-7, "texts": 1.8e-4},
    "other": {"fits": 0.73, "parameters": 2.4e-8, "characters": 9.6e-8},
}
"""The seconds that each thing takes, by part.

`benchmarks/costs.py` finds them from measured fits (`benchmarks/results/costs.json`), except those
of words and joint, which come from few fits of IMDb, Emotion and the packaged reviews, and those of
tapt, which are those of training. All fits ran on two cores of a CPU. The results that are marked
as busy were measured while other programs ran. The things are:

- ``products``: matrix products, in seconds at the matrix rate of this machine;
- ``tokens`` times the blocks that read them, as a measure of all work on activations that is not a
  matrix product;
- ``characters`` and ``texts`` that the part reads;
- ``features``: numbers in the features of the training texts, over all candidates of an exact fit;
- ``logits``: features times classes, in an exact fit of a head;
- ``outputs``: training texts times classes, in a fit of words;
- ``states``: features of states times classes, in a joint fit;
- ``candidates`` of an exact fit, ``steps`` of the optimiser, and ``fits``, which is 1;
- ``blocks`` that run in training, times steps, because each has a fixed cost;
- ``updates``: trained parameters times steps;
- ``parameters`` of the backbone, which are hashed, saved and loaded again.
"""


def predict_seconds(work: Work, seconds: Mapping[str, Mapping[str, float]] = SECONDS) -> Parts:
    """Return the seconds of each part of a fit.

    Args:
        work: The work of the fit, from `count_work`.
        seconds: The seconds that each thing takes, by part.
    """
    return {
        part: sum(amount * seconds[part][thing] for thing, amount in things.items())
        for part, things in work.items()
    }


# -- the work of a fit ----------------------------------------------------------------------------


def count_work(
    fit: Prepared | PreparedWords,
    dataset: Dataset,
    lengths: SplitLengths,
    adaptation: Adaptation | None = None,
) -> Work:
    """Count the work of a fit that runs alone, with an empty store.

    Args:
        fit: The fit.
        dataset: The data set.
        lengths: The estimated token counts of the texts, from `estimate_lengths`. Empty for a fit
            without a backbone.
        adaptation: The texts of ``tapt+S``. None for other strategies.
    """
    dataset, lengths = _with_copies(fit, dataset, lengths)
    classes = len(dataset.labels)
    characters = sum(map(_characters, dataset.parts.values()))
    work: Work = {"other": {"fits": 1, "characters": characters}}
    if fit.plan.strategy.reads_words:
        part = "joint" if isinstance(fit, Prepared) else "words"
        work[part] = {
            "characters": _characters(dataset.train) + _characters(dataset.validation),
            "outputs": len(dataset.train) * classes,
            "fits": 1,
        }
        work["scores"] = {"characters": _characters(dataset.test)}
    if isinstance(fit, Prepared):
        _add_backbone(work, fit, dataset, lengths, adaptation)
    return work


def _with_copies(
    fit: Prepared | PreparedWords, dataset: Dataset, lengths: SplitLengths
) -> tuple[Dataset, SplitLengths]:
    """Return the data set and the lengths as if each training text occurred once for each copy."""
    if fit.augmentation is None:
        return dataset, lengths
    times, train = fit.augmentation.copies + 1, lengths.get("train")
    dataset = replace(
        dataset, train=dataset.train.take(np.tile(np.arange(len(dataset.train)), times))
    )
    if train is not None:
        lengths = {**lengths, "train": replace(train, rows=train.rows * times)}
    return dataset, lengths


def _add_backbone(
    work: Work,
    fit: Prepared,
    dataset: Dataset,
    lengths: SplitLengths,
    adaptation: Adaptation | None,
) -> None:
    """Add the work of a fit with a backbone."""
    plan, stack = fit.plan, trained_stack(fit.plan.strategy, fit.backbone)
    rows = {name: len(part) for name, part in dataset.parts.items()}
    model = fit.backbone.stack.model
    work["tokenising"] = {"characters": sum(map(_characters, dataset.parts.values()))}
    work["other"] |= {"parameters": sum(parameter.numel() for parameter in model.parameters())}
    pooled = plan.line > stack.depth or plan.first is not None
    if pooled or plan.line > 1:
        work["prefix"] = _prefix(fit, stack, lengths, pooled=pooled)
    if pooled:
        head = plan if plan.first is None else plan.first
        of_head = _head(fit, head, rows["train"], len(dataset.labels))
        if "joint" in work:
            work["joint"]["states"] = of_head["logits"]
        else:
            work["head" if head.exact else "training"] = of_head
    work["scores"] = work.get("scores", {}) | {"texts": rows["test"]}
    if plan.line <= stack.depth:
        training, scores = _training(fit, stack, lengths)
        work["training"] = _sum(work.get("training", {}), training)
        work["scores"] |= scores
    if adaptation is not None:
        work["tapt"] = _adaptation(fit, adaptation, lengths["train"])


def trained_stack(
    strategy: Strategy, backbone: Backbone, layout: PreTrainedConfig | None = None
) -> Stack:
    """Return a copy of a backbone without weights, in which the parameters that train are marked.

    Args:
        strategy: The strategy.
        backbone: The backbone.
        layout: The config of a model with another layout. If None, that of the backbone.
    """
    layout = backbone.stack.model.config if layout is None else layout
    config = ThawlineConfig(backbone=layout.to_dict(), head="linear", num_labels=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model without weights needs no initial values
        with torch.device("meta"):
            model = ThawlineForSequenceClassification(config)
        thaw(model, strategy, backbone)
    return Stack(model.base_model)


def _prefix(
    fit: Prepared, stack: Stack, lengths: SplitLengths, *, pooled: bool
) -> dict[str, float]:
    """Count the work of the frozen pass, or of both passes if a head is trained first."""
    depth, line = stack.depth, fit.plan.line
    blocks = depth if pooled else 0
    blocks += line - 1 if 1 < line <= depth else 0
    operations = sum(
        each.scaled(
            prefix_operations(stack, each.sample, depth + 1) * pooled
            + prefix_operations(stack, each.sample, line if line <= depth else 0)
        )
        for each in lengths.values()
    )
    tokens = sum(each.total for each in lengths.values())
    return {
        "products": operations / _rate(fit.config),
        "tokens": tokens * blocks,
        "texts": sum(each.rows for each in lengths.values()),
    }


def _head(fit: Prepared, plan: Plan, rows: int, classes: int) -> dict[str, float]:
    """Count the work of training a head alone on pooled states."""
    width = fit.backbone.stack.hidden_size * sum(map(len, plan.candidates))
    if plan.exact:
        return {
            "features": rows * width,
            "logits": rows * width * classes,
            "candidates": len(plan.candidates),
        }
    assert plan.epochs is not None, "a head that is not solved is trained by epochs"
    return {"steps": _steps(fit, rows) * plan.epochs}


def _training(
    fit: Prepared, stack: Stack, lengths: SplitLengths
) -> tuple[dict[str, float], dict[str, float]]:
    """Count the work of the training by epochs with its evaluations, and of the scores."""
    plan, rate = fit.plan, _rate(fit.config)
    assert plan.epochs is not None, "blocks are trained by epochs"
    stages = trained_stages(plan.line, stack.depth)
    blocks = sum(stage > 0 for stage in stages)

    def forward(name: str) -> float:
        each = lengths[name]
        return each.scaled(forward_operations(stack, each.sample, stages))

    train = lengths["train"]
    step = train.scaled(_training_step(stack, plan, train.sample))
    trained = sum(p.numel() for p in stack.model.parameters() if p.requires_grad)
    evaluations = plan.epochs + 1
    scored = 2 * lengths["test"].total * blocks
    training = {
        "products": (plan.epochs * step + evaluations * forward("validation")) / rate,
        "steps": plan.epochs * _steps(fit, train.rows),
        "blocks": plan.epochs * _steps(fit, train.rows) * blocks,
        "updates": plan.epochs * _steps(fit, train.rows) * float(trained),
    }
    # The untrained and the trained classifier on test. Training has scored validation.
    scores = {
        "products": 2 * forward("test") / rate,
        "tokens": scored,
    }
    return training, scores


def _training_step(stack: Stack, plan: Plan, sample: NDArray[np.int64]) -> float:
    """Count the operations of an epoch over texts, as the mean over epochs if stages thaw."""
    strategy = plan.strategy.last
    if not isinstance(strategy, Gradual) or plan.epochs is None:
        return training_operations(stack, sample, plan.line, plan.pooling)
    operations = 0.0
    for epoch in range(1, plan.epochs + 1):
        stack.freeze(strategy.first_trained(stack.depth, epoch))
        operations += training_operations(stack, sample, plan.line, plan.pooling)
    return operations / plan.epochs


def _adaptation(fit: Prepared, adaptation: Adaptation, lengths: Lengths) -> dict[str, float]:
    """Count the work of training the backbone on its own objective.

    The texts are taken to be as long as those of train.
    """
    stack, settings = trained_stack(Full(), fit.backbone), fit.config.tapt
    texts = Lengths(lengths.sample, len(adaptation.train))
    config: Any = stack.model.config
    predicted = 1.0 if stack.family.causal else settings.mask_share
    # The products of the layer that predicts tokens: one forward, and two backward.
    of_head = 6 * stack.hidden_size * config.vocab_size * predicted * texts.total
    backward = texts.scaled(training_operations(stack, texts.sample, 0)) + of_head
    forward = texts.scaled(forward_operations(stack, texts.sample)) + of_head
    trains_alone = not stack.family.causal and not has_token_head(adaptation.backbone)
    alone = settings.head_first_epochs if trains_alone else 0
    steps = _steps(fit, texts.rows)
    parameters = float(sum(p.numel() for p in stack.model.parameters()))
    return {
        "products": (settings.epochs * backward + alone * forward) / _rate(fit.config),
        "steps": (settings.epochs + alone) * steps,
        "blocks": settings.epochs * steps * stack.depth,
        "updates": settings.epochs * steps * parameters,
    }


def _rate(config: Config) -> float:
    """Return the rate of matrix products on the device of a fit, in operations per second."""
    device = pick_device(config.compute.device)
    return matrix_rate(pick_dtype(config.compute.dtype, device), device, bursts=BURSTS)


def _steps(fit: Prepared, rows: int) -> int:
    return -(-rows // fit.config.training.batch_size)


def _sum(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    things = dict.fromkeys([*first, *second])
    return {thing: first.get(thing, 0) + second.get(thing, 0) for thing in things}


# -- lengths --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lengths:
    """The estimated token counts of the texts of a split.

    Attributes:
        sample: The number of tokens of each sampled text after truncation, ``(sample,)`` int64.
        rows: The number of all texts.
    """

    sample: NDArray[np.int64]
    rows: int

    def scaled(self, total: float) -> float:
        """Return a sum over the sampled texts as an estimate of the sum over all texts."""
        return total * self.rows / max(1, len(self.sample))

    @property
    def total(self) -> float:
        """The estimated number of tokens of all texts."""
        return self.scaled(float(self.sample.sum()))


SplitLengths = Mapping[str, Lengths]
"""The token counts of each split."""


def estimate_lengths(fit: Prepared | PreparedWords, dataset: Dataset) -> SplitLengths:
    """Tokenise a sample of each split, and return the token counts.

    Args:
        fit: A fit, whose tokenizer and length limit are used.
        dataset: The data set.

    Returns:
        The token counts of each split. They are empty if the fit has no backbone.
    """
    if not isinstance(fit, Prepared):
        return {}
    side = fit.config.tokens.truncation_side
    random = np.random.default_rng(0)
    found = {}
    for name, part in dataset.parts.items():
        rows = len(part)
        chosen = random.permutation(rows)[:SAMPLE]
        texts = [part.texts[position] for position in chosen]
        tokens = tokenize(
            fit.backbone.tokenizer, texts, max_length=fit.plan.max_length, truncation_side=side
        )
        found[name] = Lengths(tokens.lengths, rows)
    return found


def _characters(part: LabelledTexts) -> int:
    return sum(map(_length, part.texts))


def _length(text: Text) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text))
