"""Count the work of a fit before it runs.

A fit has parts: the training of the backbone on its own objective (tapt), tokenising, the frozen
pass, the fit of TF-IDF (words), the exact fit of a head, the fit of both together (joint), the
training by epochs, the scores, and everything else. The work of a part says how often it does each
thing. `seconds.py` describes the things and predicts the seconds that they take.
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
from thawline.compare.seconds import BURSTS, PRODUCTS, Work
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

SAMPLE = 500
"""The number of texts of a split that are tokenised to estimate the lengths of all texts."""


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
        characters_read = _characters(dataset.train) + _characters(dataset.validation)
        if isinstance(fit, Prepared):
            work["joint"] = {"characters": characters_read}
        else:
            outputs = len(dataset.train) * classes
            work["words"] = {"characters": characters_read, "outputs": outputs, "fits": 1}
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
    """Count the work of the frozen pass, through all blocks if pooled states are needed."""
    end = stack.depth + 1 if pooled else fit.plan.line
    operations = sum(
        each.scaled(prefix_operations(stack, each.sample, end)) for each in lengths.values()
    )
    tokens = sum(each.total for each in lengths.values())
    return {
        **_products(fit.config, operations),
        **_activations(fit.config, tokens * (end - 1)),
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
    plan = fit.plan
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
        **_products(fit.config, plan.epochs * step + evaluations * forward("validation")),
        **_activations(fit.config, plan.epochs * train.total * blocks),
        "steps": plan.epochs * _steps(fit, train.rows),
        "blocks": plan.epochs * _steps(fit, train.rows) * blocks,
        "updates": plan.epochs * _steps(fit, train.rows) * float(trained),
    }
    # The untrained and the trained classifier on test. Training has scored validation.
    scores = {
        **_products(fit.config, 2 * forward("test")),
        **_activations(fit.config, scored),
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
        **_products(fit.config, settings.epochs * backward + alone * forward),
        **_activations(fit.config, settings.epochs * texts.total * stack.depth),
        "steps": (settings.epochs + alone) * steps,
        "blocks": settings.epochs * steps * stack.depth,
        "updates": settings.epochs * steps * parameters,
    }


def _products(config: Config, operations: float) -> dict[str, float]:
    """Return the seconds of matrix products at the rate of the device of a fit, by their dtype."""
    device = pick_device(config.compute.device)
    dtype = pick_dtype(config.compute.dtype, device)
    return {PRODUCTS[dtype]: operations / matrix_rate(dtype, device, bursts=BURSTS)}


def _activations(config: Config, tokens: float) -> dict[str, float]:
    """Return the number of tokens times blocks on a CPU, and nothing on other devices.

    Only on a CPU, the work on activations takes a time of its own that was measured.
    """
    return {"tokens": tokens} if pick_device(config.compute.device) == "cpu" else {}


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
