"""Fit logistic regression on the words and pairs of words of texts (TF-IDF), by scikit-learn."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thawline.data import Text
from thawline.errors import ThawlineError
from thawline.evaluation.confusion import f1_macro
from thawline.evaluation.metrics import log_probabilities
from thawline.inference.words import FittedWords, Words, new_vectorizer
from thawline.runs.records import WordsSummary
from thawline.runtime.progress import Reporter
from thawline.runtime.threads import single_blas_thread
from thawline.training.evaluated import are_kept, in_half_precision, stack_candidates
from thawline.training.task import Adapted, Logits, Task, WordsTask

MIN_TEXTS = 2
"""The number of train texts in which a term must occur. Rarer terms do not generalise."""

MAX_WEIGHTS = 10_000_000
"""The maximum number of weights of all classes together, which bounds the memory of a fit to about
2 GB. With more, only the most frequent terms are used."""

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0)
"""The values of scikit-learn's ``C`` if no penalties are given, from the strongest to the weakest.

``C`` is the inverse of the penalty per text times the number of texts.
"""

PATIENCE = 2
"""The number of penalties in a row without a lower validation loss that end the search."""

TOLERANCES = (1e-6, 1e-9)
"""The largest entry of the gradient up to which fits are compared, and that of the chosen fit."""

MAX_ITERATIONS = 5_000
"""The maximum number of iterations of a fit."""


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
    with reporter.task("words", len(_strengths(task))) as advance:
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


def fit_words(
    task: Task | WordsTask, advance: Callable[[int], None] = lambda fits: None
) -> WordsFit:
    """Fit logistic regression with one penalty after the other, and keep the best on validation.

    Only the chosen fit is minimised up to the smaller of `TOLERANCES`.

    Args:
        task: The labelled texts, with their weights.
        advance: Called with 1 after each fit.

    Raises:
        ThawlineError: If no train text contains a word.
    """
    vectorizer, train = _find_features(task.original_texts, len(task.labels))
    if task.copies:
        train = vectorizer.transform(task.parts["train"].texts)
    split = task.parts["validation"]
    validation = vectorizer.transform(split.texts)
    shape, strengths = (len(split), len(task.labels)), _strengths(task)
    keep, kept = are_kept(*shape, candidates=len(strengths)), dict[int, Tensor]()
    model, path, chosen = _Model(task, train), list[dict[str, Any]](), 0
    linear = best = model.fit(strengths[0], TOLERANCES[0])
    for number, strength in enumerate(strengths):
        if number:
            linear = model.fit(strength, TOLERANCES[0])
        path.append({"stages": [], "penalty": None, "words_penalty": _penalty(strength, task)})
        logits = linear.logits(validation)
        path[-1] |= _scores(linear, logits, split.labels)
        if keep:
            kept[number] = in_half_precision(torch.from_numpy(logits))
        advance(1)
        if path[-1]["loss"] < path[chosen]["loss"]:
            best, chosen = linear, number
        elif number - chosen >= PATIENCE:
            break
    best = model.fit(strengths[chosen], TOLERANCES[1], best)
    logits = best.logits(validation)
    path[chosen] |= _scores(best, logits, split.labels)
    if keep:
        kept[chosen] = in_half_precision(torch.from_numpy(logits))
    _warn_if_not_converged(best)
    words = Words(
        terms=tuple(map(str, vectorizer.get_feature_names_out())),
        idf=np.asarray(vectorizer.idf_, dtype=np.float64),
        weights=best.weights.astype(np.float32),
        bias=best.bias.astype(np.float32),
    )
    penalties = tuple(_penalty(strength, task) for strength in strengths)
    candidates = stack_candidates(list(kept.values()), *shape)
    return WordsFit(words, penalties[chosen], penalties, path, train, validation, candidates)


def _scores(
    linear: _Linear, logits: NDArray[np.float64], wanted: NDArray[np.int64]
) -> dict[str, Any]:
    """Return the scores on validation and the iterations, as JSON values."""
    loss = -float(log_probabilities(logits)[np.arange(len(wanted)), wanted].mean())
    predicted = logits.argmax(1)
    return {
        "loss": loss,
        "accuracy": float((predicted == wanted).mean()),
        "f1_macro": f1_macro(wanted, predicted, logits.shape[1]),
        "iterations": linear.iterations,
    }


def _strengths(task: Task | WordsTask) -> tuple[float, ...]:
    """Return the values of scikit-learn's ``C``, in the order to try them."""
    penalties = task.config.exact.words_penalties
    if penalties is None:
        return STRENGTHS
    return tuple(_penalty(penalty, task) for penalty in penalties)  # it is its own inverse


def _penalty(strength: float, task: Task | WordsTask) -> float:
    """Return the L2 penalty per text on the weights of all classes.

    With two classes scikit-learn penalises the difference of their weights, whose square is twice
    the sum of the squares of both.
    """
    labels = task.parts["train"].labels
    return (2 if len(np.unique(labels)) == 2 else 1) / (strength * len(labels))


def _find_features(texts: Sequence[Text], n_labels: int) -> tuple[Any, Any]:
    """Return the vectorizer of the terms in train texts, and the features of these texts.

    If no term occurs in `MIN_TEXTS` texts, all terms are used.
    """
    most = max(1, MAX_WEIGHTS // n_labels)
    for min_texts in (MIN_TEXTS, 1):
        vectorizer = new_vectorizer(min_df=min_texts, max_features=most)
        try:
            return vectorizer, vectorizer.fit_transform(texts)
        except ValueError:  # no term remains, or min_df exceeds the number of texts
            continue
    raise ThawlineError(
        "at least one word in the train texts, because the strategy reads words",
        f"none in {len(texts):,} texts",
        "check the text column, or use `strategy=head`",
        setting="strategy",
    )


@dataclass(frozen=True)
class _Linear:
    """A fit with one penalty.

    Attributes:
        weights: The weights of all classes, ``(labels, terms)``.
        bias: The biases, ``(labels,)``.
        iterations: The number of iterations, with those of the fit from which it started if the
            penalty is the same.
        own: The coefficients and the intercepts of scikit-learn.
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    iterations: int
    own: tuple[NDArray[np.float64], NDArray[np.float64]]

    def logits(self, features: Any) -> NDArray[np.float64]:
        """Return the logits of texts, ``(texts, labels)``."""
        logits: NDArray[np.float64] = features @ self.weights.T + self.bias
        return logits


class _Model:
    """Logistic regression of scikit-learn on the train texts. Each fit starts from the last one.

    Args:
        task: The labels and the weights of the train texts.
        features: Their TF-IDF features.
    """

    def __init__(self, task: Task | WordsTask, features: Any) -> None:
        from sklearn.linear_model import LogisticRegression

        self._features, self._labels = features, task.parts["train"].labels
        self._n_classes, weighting = len(task.labels), task.weighting()
        weights = (weighting.rows * weighting.classes[task.ids("train")]).double().numpy()
        self._weights = weights * (len(weights) / weights.sum())
        self._model: Any = LogisticRegression(max_iter=MAX_ITERATIONS, warm_start=True)

    def fit(self, strength: float, tolerance: float, start: _Linear | None = None) -> _Linear:
        """Fit with one penalty.

        Args:
            strength: The ``C`` of scikit-learn.
            tolerance: The largest entry of the gradient at the end.
            start: A fit with the same penalty to start from. If None, the last one.
        """
        from sklearn.exceptions import ConvergenceWarning

        model = self._model.set_params(C=strength, tol=tolerance)
        if start is not None:
            model.coef_, model.intercept_ = start.own
        with warnings.catch_warnings(), single_blas_thread:
            warnings.simplefilter("ignore", ConvergenceWarning)  # only the chosen fit matters
            model.fit(self._features, self._labels, sample_weight=self._weights)
        iterations = int(model.n_iter_.max()) + (0 if start is None else start.iterations)
        own = model.coef_.copy(), model.intercept_.copy()
        return _Linear(*self._all_classes(*own), iterations, own)

    def _all_classes(
        self, weights: NDArray[np.float64], bias: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights and the biases of all classes.

        scikit-learn has one row for two classes, and none for a class without train texts. Such a
        class gets a probability of at most ``1 / (texts * classes)``.
        """
        if len(weights) == 1:
            weights, bias = np.concatenate([-weights, weights]) / 2, np.array([-bias, bias]) / 2
        everywhere = np.zeros((self._n_classes, weights.shape[1]))
        biases = np.full(self._n_classes, -math.log(len(self._labels)))
        everywhere[self._model.classes_], biases[self._model.classes_] = weights, bias.ravel()
        return everywhere, biases


def _warn_if_not_converged(chosen: _Linear) -> None:
    if chosen.iterations >= MAX_ITERATIONS:
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
