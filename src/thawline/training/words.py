"""Fit logistic regression on the words and pairs of words of texts (TF-IDF), by scikit-learn."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thawline.data import Text
from thawline.errors import ThawlineError
from thawline.evaluation.metrics import log_probabilities
from thawline.inference.fitted import FittedWords
from thawline.inference.words import Words, new_vectorizer
from thawline.runs.records import WordsSummary
from thawline.runtime.progress import Reporter
from thawline.training.evaluated import are_kept, in_half_precision, stack_candidates
from thawline.training.task import Adapted, Logits, Task, WordsTask

MIN_TEXTS = 2
"""The number of train texts in which a term must occur. Rarer terms do not generalise."""

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0)
"""The values of scikit-learn's ``C``, from the strongest penalty to the weakest.

``C`` is the inverse of the penalty per text times the number of texts.
"""

PATIENCE = 2
"""The number of penalties in a row without a lower validation loss that end the search."""

TOLERANCE, MAX_ITERATIONS = 1e-6, 2_000
"""The largest entry of the gradient at which a fit ends, and the maximum number of iterations."""


@dataclass(frozen=True)
class WordsFit:
    """Logistic regression on TF-IDF features, fitted to its optimum.

    Attributes:
        words: The linear layer with the lowest validation loss.
        penalty: Its L2 penalty per text, on the weights of all classes.
        penalties: All penalties that can be tried, from the strongest.
        path: All fits, from the strongest penalty, as JSON values.
        train: The TF-IDF features of train, a sparse array ``(texts, terms)``.
        validation: The TF-IDF features of validation.
        candidates: The validation logits of each step of ``path``, ``(steps, texts, labels)``.
            There are none if they are too large.
    """

    words: Words
    penalty: float
    penalties: tuple[float, ...]
    path: list[dict[str, Any]]
    train: Any
    validation: Any
    candidates: NDArray[np.float16]


def adapt_words(task: WordsTask, reporter: Reporter) -> Adapted:
    """Fit a classifier that reads only words.

    Args:
        task: The task.
        reporter: Receives progress.
    """
    start = time.perf_counter()
    with reporter.task("words", len(STRENGTHS)) as advance:
        fit = fit_words(task, advance)
    seconds, words = time.perf_counter() - start, fit.words
    count = words.parameters
    return Adapted(
        fitted=FittedWords(task.labels, words, str(task.plan.strategy), task.pairs),
        untrained=_prior(task),
        logits=part_logits(task, words, {"train": fit.train, "validation": fit.validation}),
        parameters={"trainable": count, "frozen": 0, "total": count},
        history=[],
        choice=fit.path,
        seconds=seconds,
        density=1.0,
        candidates=fit.candidates,
        words=WordsSummary(terms=len(words.terms), penalty=fit.penalty),
    )


def fit_words(task: Task | WordsTask, advance: Any = lambda fits: None) -> WordsFit:
    """Fit logistic regression with one penalty after the other, and keep the best on validation.

    Args:
        task: The labelled texts, with their weights.
        advance: Called with 1 after each fit.

    Raises:
        ThawlineError: If no train text contains a word.
    """
    vectorizer, train = _find_features(task.parts["train"].texts)
    validation = vectorizer.transform(task.parts["validation"].texts)
    wanted = task.parts["validation"].labels
    path: list[dict[str, Any]] = []
    shape = len(wanted), len(task.labels)
    keep, kept = are_kept(*shape, candidates=len(STRENGTHS)), list[Tensor]()
    best: tuple[float, NDArray[np.float64], NDArray[np.float64]] | None = None
    chosen = 0
    for model in _models(task, train):
        weights, bias = _all_classes(model, len(task.labels), train.shape[0])
        logits = validation @ weights.T + bias
        loss = -float(log_probabilities(logits)[np.arange(len(wanted)), wanted].mean())
        path.append(
            {
                "stages": [],
                "penalty": None,
                "words_penalty": _penalty(model.C, task),
                "loss": loss,
                "accuracy": float((logits.argmax(1) == wanted).mean()),
                "iterations": int(model.n_iter_.max()),
            }
        )
        if keep:
            kept.append(in_half_precision(torch.from_numpy(logits)))
        advance(1)
        if best is None or loss < best[0]:
            best, chosen = (loss, weights, bias), len(path) - 1
        elif len(path) - 1 - chosen >= PATIENCE:
            break
    assert best is not None
    _warn_if_not_converged(path[chosen])
    words = Words(
        terms=tuple(map(str, vectorizer.get_feature_names_out())),
        idf=np.asarray(vectorizer.idf_, dtype=np.float64),
        weights=best[1].astype(np.float32),
        bias=best[2].astype(np.float32),
    )
    penalties = tuple(_penalty(strength, task) for strength in STRENGTHS)
    candidates = stack_candidates(kept, *shape)
    return WordsFit(words, penalties[chosen], penalties, path, train, validation, candidates)


def _penalty(strength: float, task: Task | WordsTask) -> float:
    """Return the L2 penalty per text on the weights of all classes.

    With two classes scikit-learn penalises the difference of their weights, whose square is twice
    the sum of the squares of both.
    """
    labels = task.parts["train"].labels
    return (2 if len(np.unique(labels)) == 2 else 1) / (strength * len(labels))


def _find_features(texts: Sequence[Text]) -> tuple[Any, Any]:
    """Return the vectorizer of the terms in train texts, and the features of these texts.

    If no term occurs in `MIN_TEXTS` texts, all terms are used.
    """
    for min_texts in (MIN_TEXTS, 1):
        vectorizer = new_vectorizer(min_df=min_texts)
        try:
            return vectorizer, vectorizer.fit_transform(texts)
        except ValueError:  # no term remains, or min_df exceeds the number of texts
            continue
    raise ThawlineError(
        "at least one word in the train texts, because the strategy reads words",
        f"none in {len(texts):,} texts",
        "check the text column, or use --strategy head",
        setting="strategy",
    )


def _models(task: Task | WordsTask, features: Any) -> Iterator[Any]:
    """Yield scikit-learn's logistic regression for each penalty. Each starts from the last one."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    labels, weighting = task.parts["train"].labels, task.weighting()
    weights = (weighting.rows * weighting.classes[task.ids("train")]).double().numpy()
    weights *= len(weights) / weights.sum()
    model = LogisticRegression(tol=TOLERANCE, max_iter=MAX_ITERATIONS, warm_start=True)
    for strength in STRENGTHS:
        model.set_params(C=strength)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # only the chosen fit matters
            yield model.fit(features, labels, sample_weight=weights)


def _all_classes(
    model: Any, n_labels: int, n_texts: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights, ``(labels, terms)``, and biases of all classes.

    scikit-learn has one row for two classes, and none for a class without train texts. Such a class
    gets a probability of at most ``1 / (texts * classes)``.
    """
    weights = np.zeros((n_labels, model.coef_.shape[1]))
    bias = np.full(n_labels, -math.log(n_texts))
    if len(model.classes_) == 2:
        weights[model.classes_] = np.concatenate([-model.coef_, model.coef_]) / 2
        bias[model.classes_] = np.concatenate([-model.intercept_, model.intercept_]) / 2
    else:
        weights[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
    return weights, bias


def _warn_if_not_converged(step: dict[str, Any]) -> None:
    if step["iterations"] >= MAX_ITERATIONS:
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(
            f"logistic regression on TF-IDF did not converge in {MAX_ITERATIONS:,} iterations",
            ConvergenceWarning,
            stacklevel=2,
        )


def part_logits(task: Task | WordsTask, words: Words, known: dict[str, Any]) -> Logits:
    """Return a function that computes the logits of a split. Each split is read only once.

    Args:
        task: The task.
        words: The linear layer.
        known: The TF-IDF features of splits, by name. Those of other splits are added.
    """

    def logits(part: str) -> NDArray[np.float32]:
        if part not in known:
            known[part] = words.features(task.parts[part].texts)
        return words.logits_of(known[part])

    return logits


def _prior(task: WordsTask) -> Logits:
    """Return a function that gives every text the shares of the classes in train, smoothed by 1."""
    counts = np.bincount(task.parts["train"].labels, minlength=len(task.labels)) + 1
    prior = np.log(counts / counts.sum()).astype(np.float32)
    return lambda part: np.tile(prior, (len(task.parts[part]), 1))
