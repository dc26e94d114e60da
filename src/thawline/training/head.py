"""Train the head alone on pooled states from the store, to its optimum or by epochs."""

from __future__ import annotations

import copy
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from thawline.config import ExactConfig
from thawline.errors import in_words
from thawline.inference.examples import PooledExamples
from thawline.inference.fitted import Fitted, count_parameters
from thawline.inference.predictor import head_logits
from thawline.models.heads import NativeHead, Standardisation, build_head
from thawline.runs.records import WordsSummary
from thawline.runtime.progress import Reporter
from thawline.runtime.randomness import RandomStream
from thawline.store import Features
from thawline.training.evaluated import EvaluatedLogits
from thawline.training.exact import ExactFit, as_head, fit_exactly
from thawline.training.features import StandardisedFeatures, memory_limit
from thawline.training.kept import Row
from thawline.training.loop import Checkpoints
from thawline.training.side_by_side import Grid, SplitFeatures, both_weights, fit_side_by_side
from thawline.training.task import Adapted, Logits, Task, with_kept_logits
from thawline.training.words import fit_words, part_logits


@dataclass(frozen=True)
class _Trained:
    """The result of training a head, exactly or by epochs.

    Attributes:
        fitted: The classifier.
        untrained: The randomly initialised head before training.
        untrained_stages: The stages that the untrained head reads.
        history: One row for each evaluation; empty for an exact fit.
        choice: The path of the exact fit; empty otherwise.
        candidates: The validation logits of each row of ``history`` or step of ``choice``.
        evaluated: The logits of a training by epochs. None for an exact fit.
        read: What the classifier reads of words, for the record. None if it reads none.
        words_logits: The logits of the words in a split. None if there are none.
    """

    fitted: Fitted
    untrained: nn.Module
    untrained_stages: tuple[int, ...]
    history: list[Row]
    choice: list[dict[str, Any]]
    candidates: NDArray[np.float16]
    evaluated: EvaluatedLogits | None = None
    read: WordsSummary | None = None
    words_logits: Logits | None = None


def adapt_head(task: Task, reporter: Reporter, checkpoints: Checkpoints | None) -> Adapted:
    """Train the head on pooled states, to its optimum or by epochs, according to the plan.

    Args:
        task: The task.
        reporter: Receives progress.
        checkpoints: Saves the state of a training by epochs. If None, nothing is saved.
    """
    start = time.perf_counter()
    if task.plan.exact:
        trained = _train_exactly(task, reporter)
    else:
        trained = _train_by_epochs(task, reporter, checkpoints)
    seconds, fitted = time.perf_counter() - start, trained.fitted
    logits = _logits(task, fitted.head_module(), fitted.reading.stages)
    if trained.evaluated is not None:
        logits = with_kept_logits(logits, trained.evaluated, trained.history)
    fitted.model.base_model.requires_grad_(False)
    parameters = count_parameters(fitted.model)
    if fitted.words is not None:
        parameters["trainable"] += fitted.words.parameters
        parameters["total"] += fitted.words.parameters
    return Adapted(
        fitted=fitted,
        untrained=_logits(task, trained.untrained, trained.untrained_stages),
        logits=_with_words(logits, trained.words_logits),
        parameters=parameters,
        history=trained.history,
        choice=trained.choice,
        seconds=seconds,
        density=1.0,  # Pooled states have no padding.
        candidates=trained.candidates,
        words=trained.read,
    )


def _with_words(states: Logits, words: Logits | None) -> Logits:
    """Return a function that adds the logits of states and words."""
    return states if words is None else lambda part: states(part) + words(part)


def _features(task: Task, part: str, stages: tuple[int, ...]) -> Features:
    return task.frozen.features(part, stages, task.plan.pooling)


def _logits(task: Task, head: nn.Module, stages: tuple[int, ...]) -> Logits:
    return lambda part: head_logits(head, _features(task, part, stages))


def _train_exactly(task: Task, reporter: Reporter) -> _Trained:
    n_labels = len(task.labels)
    with reporter.task("exact fit", len(task.plan.candidates)) as advance:
        fit = fit_exactly(
            task.plan.candidates,
            (lambda stages: _features(task, "train", stages), task.ids("train")),
            (lambda stages: _features(task, "validation", stages), task.ids("validation")),
            task.weighting(),
            task.config.exact,
            standardise=task.config.head.standardise,
            advance=advance,
        )
    _warn_if_not_converged(fit, task.config.exact)
    stack, dropout = task.backbone.stack, task.plan.head.dropout(task.config.head.dropout)
    candidates = task.plan.candidates
    stages = candidates[0] if len(candidates) == 1 else (stack.depth,)
    with RandomStream(task.config.seed).drawing():
        untrained = build_head(task.plan.head, len(stages) * stack.hidden_size, n_labels, dropout)
    if task.plan.strategy.reads_words:
        return _add_words(task, fit, untrained.eval(), stages, reporter)
    fitted = task.finish(task.with_own_head(stack.model, fit.head, fit.stages), fit.stages)
    return _Trained(fitted, untrained.eval(), stages, [], fit.path, fit.candidates)


def _add_words(
    task: Task, alone: ExactFit, untrained: nn.Module, stages: tuple[int, ...], reporter: Reporter
) -> _Trained:
    """Fit the head again, together with the weights of TF-IDF features.

    Both parts are first fitted alone, which finds the stages and the penalties to start with.

    Args:
        task: The task.
        alone: The head on states alone.
        untrained: The head before training.
        stages: The stages that the untrained head reads.
        reporter: Receives progress.
    """
    words_alone, config = fit_words(task), task.config
    features = {part: _features(task, part, alone.stages) for part in ("train", "validation")}
    scale = _scale(task, features["train"])
    limit, rows = memory_limit(config.exact), config.exact.rows_per_block
    train, validation = (
        SplitFeatures(
            StandardisedFeatures(features[part], scale, rows, limit, fast=False),
            of_words,
            task.ids(part),
        )
        for part, of_words in (("train", words_alone.train), ("validation", words_alone.validation))
    )
    penalties, more = config.exact.penalties, words_alone.penalties
    places = penalties.index(alone.penalty), more.index(words_alone.penalty)
    with reporter.task("states and words", 1) as advance:
        fit = fit_side_by_side(
            train,
            validation,
            both_weights(alone.head, scale, words_alone.words.weights),
            Grid(penalties, more, places),
            task.weighting(),
            config.exact,
        )
        advance(1)
    head = scale.fold_into(as_head(fit.weights.of_head()))
    words = replace(
        words_alone.words,
        weights=fit.weights.words.astype(np.float32),
        bias=np.zeros(len(task.labels), dtype=np.float32),  # the head has the biases
    )
    model = task.with_own_head(task.backbone.stack.model, head, alone.stages)
    known = {"train": words_alone.train, "validation": words_alone.validation}
    return _Trained(
        task.finish(model, alone.stages, words=words),
        untrained,
        stages,
        [],
        [{"stages": list(alone.stages), **step} for step in fit.path],
        fit.candidates,
        read=WordsSummary(terms=len(words.terms), penalty=fit.penalties[1]),
        words_logits=part_logits(task, words, known),
    )


def _scale(task: Task, features: Features) -> Standardisation:
    """Return the standardisation of features over the training texts, as the exact fit applies it.

    Features are always centred. This changes the biases only, which are not penalised.
    """
    blocks = features.blocks(task.config.exact.rows_per_block)
    rows = task.weighting().rows.split(task.config.exact.rows_per_block)
    scale = Standardisation.of(blocks, rows)
    if task.config.head.standardise:
        return scale
    return Standardisation(scale.mean, torch.ones(()))


def _warn_if_not_converged(fit: ExactFit, config: ExactConfig) -> None:
    """Warn if the gradient of the returned head did not become small enough."""
    step = min(fit.path, key=lambda step: float(step["loss"]))
    if step["gradient_norm"] <= config.tolerance:
        return
    from sklearn.exceptions import ConvergenceWarning

    warning = (
        f"the exact fit did not converge: with penalty {fit.penalty:g} the norm of the gradient is "
        f"{step['gradient_norm']:.1e} after {step['iterations']} iterations, above "
        f"`exact.tolerance` ({config.tolerance:g}). Increase `exact.max_iterations`, or use larger "
        "values in `exact.penalties`."
    )
    warnings.warn(in_words(warning), ConvergenceWarning, stacklevel=2)


def _train_by_epochs(task: Task, reporter: Reporter, checkpoints: Checkpoints | None) -> _Trained:
    (stages,) = task.plan.candidates
    config, unscaled = task.config, Standardisation.none()
    random = RandomStream(config.seed)
    if task.plan.head.kind == "native":
        with random.drawing():
            model = task.native()
        native = NativeHead(model)  # Shares its modules with the model, so both are trained.
        untrained: nn.Module = copy.deepcopy(native).eval()
        history, evaluated = _run_loop(
            task, native, unscaled, stages, random, reporter, checkpoints
        )
        fitted = task.finish(model, stages)
        logits = evaluated.candidates()
        return _Trained(fitted, untrained, stages, history, [], logits, evaluated)
    features = _features(task, "train", stages)
    with random.drawing():
        dropout = task.plan.head.dropout(config.head.dropout)
        head = build_head(task.plan.head, features.width, len(task.labels), dropout)
    blocks = features.blocks(config.exact.rows_per_block)
    rows = task.weighting().rows.split(config.exact.rows_per_block)
    scale = Standardisation.of(blocks, rows) if config.head.standardise else unscaled
    untrained = scale.fold_into(head).eval()
    history, evaluated = _run_loop(task, head, scale, stages, random, reporter, checkpoints)
    model = task.with_own_head(task.backbone.stack.model, scale.fold_into(head), stages)
    fitted, logits = task.finish(model, stages), evaluated.candidates()
    return _Trained(fitted, untrained, stages, history, [], logits, evaluated)


def _run_loop(
    task: Task,
    head: nn.Module,
    scale: Standardisation,
    stages: tuple[int, ...],
    random: RandomStream,
    reporter: Reporter,
    checkpoints: Checkpoints | None,
) -> tuple[list[Row], EvaluatedLogits]:
    # A head is small and its features come from the disk, so that a GPU would not be faster.
    examples = {
        part: PooledExamples(_features(task, part, stages), scale)
        for part in ("train", "validation")
    }
    objective = task.objective(head, examples, random)
    return task.train(objective, reporter, checkpoints, device="cpu"), objective.evaluated
