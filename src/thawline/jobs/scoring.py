"""What came of a fit: scores before and after, the mistakes that are left, and sample texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thawline.config import Config, MetricsConfig
from thawline.data import LabelledTexts
from thawline.data.lengths import Tokenization, count_tokens
from thawline.data.texts import one_line
from thawline.evaluation import metrics
from thawline.evaluation.mistakes import (
    Scored,
    before_after,
    confident_mistakes,
    error_rates,
    pick_samples,
)
from thawline.inference.fitted import count_parameters
from thawline.training.adapt import Adapted, Task


@dataclass(frozen=True)
class Evaluation:
    """What is known of a fitted classifier.

    Attributes:
        record: as JSON values: the counts of ``parameters``; which evaluation of a training by
            epochs was ``kept``; the scores ``baseline``, ``validation`` and ``test``; the
            ``mistakes`` in test, and ``samples`` from it, with their texts shortened.
        mistakes: the most confident ones, with their whole texts.
    """

    record: dict[str, Any]
    mistakes: list[dict[str, Any]]


def evaluate(task: Task, adapted: Adapted) -> Evaluation:
    """Score the untrained classifier on test, and the trained one on validation and test."""
    config, part = task.config, task.parts["test"]
    tokens = whole_lengths(task, "test")

    def scored(logits: NDArray[np.float32]) -> Scored:
        return Scored(part, task.labels, logits, tokens, task.plan.max_length)

    def scores(logits: NDArray[np.float32], name: str) -> dict[str, Any]:
        return score(logits, task.parts[name], len(task.labels), config.metrics)

    untrained, after = scored(adapted.untrained("test")), scored(adapted.logits("test"))
    mistakes = confident_mistakes(after, config.report.mistakes)
    picked = pick_samples(after, config.report.samples)
    samples = [before_after(untrained, after, position) for position in picked]
    record = {
        "parameters": _count_parameters(adapted),
        "kept": _kept(task, adapted),
        "baseline": scores(untrained.logits, "test"),
        "validation": scores(adapted.logits("validation"), "validation"),
        "test": scores(after.logits, "test"),
        "mistakes": {
            "texts": len(part),
            "rows": part.rows[after.wrong].tolist(),
            "most_confident": [_shortened(mistake, config) for mistake in mistakes],
            "error_rates": error_rates(after, config.metrics.confidence),
        },
        "samples": [_shortened(sample, config) for sample in samples],
    }
    return Evaluation(record, mistakes)


def score(
    logits: NDArray[np.float32], part: LabelledTexts, n_classes: int, config: MetricsConfig
) -> dict[str, Any]:
    """Return what `metrics.evaluate` says of logits, ``(texts, labels)``, as a run is set."""
    return metrics.evaluate(logits, part.labels, n_classes=n_classes, **asdict(config))


def whole_lengths(task: Task, part: str) -> NDArray[np.int64]:
    """Return the tokens of each of a part's texts before anything was cut off, ``(texts,)``.

    Only texts of as many tokens as are kept at most are tokenised again.
    """
    texts, kept = task.parts[part].texts, task.plan.max_length
    lengths = task.frozen.lengths(part)
    full = np.flatnonzero(lengths == kept)
    tokenization = Tokenization(task.backbone.tokenizer, kept, task.config.tokens.truncation_side)
    lengths[full] = count_tokens([texts[position] for position in full], tokenization)
    return lengths


def _count_parameters(adapted: Adapted) -> dict[str, Any]:
    """Return the counts, with those of each part that ``trained``."""
    fitted = adapted.fitted
    below = count_parameters(fitted.model.base_model)["trainable"]
    name = "backbone" if fitted.adapter is None else "adapters"
    trained = {name: below} if below else {}
    return {
        **adapted.parameters,
        "trained": {**trained, "head": adapted.parameters["trainable"] - below},
    }


def _kept(task: Task, adapted: Adapted) -> dict[str, Any] | None:
    """Return which evaluation's weights a training by epochs kept; None for an exact fit.

    ``epoch`` and ``step`` say where it stands, ``by`` what chose it. It stopped early where the
    ``last`` evaluation came before the end of all ``epochs``.
    """
    rows = [row for row in adapted.history if row["kept"]]
    if not rows:
        return None
    return {
        "epoch": rows[0]["epoch"],
        "step": rows[0]["step"],
        "by": task.config.training.keep,
        "last": adapted.history[-1]["epoch"],
        "epochs": task.plan.epochs,
    }


def _shortened(described: Mapping[str, Any], config: Config) -> dict[str, Any]:
    return {**described, "text": one_line(described["text"], config.report.characters)}
