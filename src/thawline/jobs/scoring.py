"""Score a fitted classifier: scores before and after training, mistakes, and sample texts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from thawline.config import Config, MetricsConfig
from thawline.data import LabelledTexts
from thawline.data.texts import one_line
from thawline.evaluation import metrics
from thawline.evaluation.clusters import count_texts
from thawline.evaluation.mistakes import (
    Scored,
    before_after,
    confident_mistakes,
    error_rates,
    pick_samples,
)
from thawline.inference.fitted import Fitted, count_parameters
from thawline.jobs.shown import SHOWN
from thawline.runs.logits import RunLogits
from thawline.runs.records import (
    Answer,
    FitFindings,
    FitParameters,
    KeptEpoch,
    Mistake,
    Mistakes,
    Sample,
    Scores,
)
from thawline.training.adapt import Adapted, Task, WordsTask
from thawline.training.advice import result_warnings

WithText = TypeVar("WithText", Mistake, Sample, Answer)


@dataclass(frozen=True)
class ScoredFit:
    """The scores and the mistakes of a fitted classifier.

    Attributes:
        findings: The part of the record with the scores. Its texts are shortened.
        mistakes: The most confident mistakes on test, with their complete texts.
        logits: The logits that the folder of the run keeps.
    """

    findings: FitFindings
    mistakes: list[Mistake]
    logits: RunLogits


def score_fit(task: Task | WordsTask, adapted: Adapted) -> ScoredFit:
    """Score the untrained classifier on test, and the trained one on validation and test."""
    config, part = task.config, task.parts["test"]
    tokens = task.lengths("test")

    def scored(logits: NDArray[np.float32]) -> Scored:
        return Scored(part, task.labels, logits, tokens, task.plan.max_length)

    def scores(logits: NDArray[np.float32], name: str) -> Scores:
        return score_logits(logits, task.parts[name], len(task.labels), config.metrics)

    untrained, after = scored(adapted.untrained("test")), scored(adapted.logits("test"))
    on_validation = adapted.logits("validation")
    mistakes = confident_mistakes(after, config.report.mistakes)
    picked = pick_samples(after, config.report.samples)
    samples = [before_after(untrained, after, position) for position in picked]
    answers = _answers(task, adapted) if SHOWN in task.parts else []
    findings = FitFindings(
        parameters=_count_parameters(adapted),
        kept=_kept_epoch(task, adapted),
        baseline=scores(untrained.logits, "test"),
        validation=scores(on_validation, "validation"),
        test=scores(after.logits, "test"),
        mistakes=Mistakes(
            texts=len(part),
            rows=part.rows[after.wrong].tolist(),
            most_confident=[_shortened(mistake, config) for mistake in mistakes],
            error_rates=error_rates(after, config.metrics.confidence),
        ),
        samples=[_shortened(sample, config) for sample in samples],
        answers=[_shortened(answer, config) for answer in answers],
        warnings=list(result_warnings(task, after.predictions)),
    )
    logits = RunLogits(
        validation=on_validation,
        validation_labels=task.parts["validation"].labels,
        test=after.logits,
        test_labels=part.labels,
        test_copies=part.copies if count_texts(part.copies) < len(part) else None,
        candidates=adapted.candidates,
    )
    return ScoredFit(findings, mistakes, logits)


def _answers(task: Task | WordsTask, adapted: Adapted) -> list[Answer]:
    """Return the user's own texts with their predictions before and after training."""
    part, tokens = task.parts[SHOWN], task.lengths(SHOWN)
    untrained, after = (
        Scored(part, task.labels, logits(SHOWN), tokens, task.plan.max_length)
        for logits in (adapted.untrained, adapted.logits)
    )
    samples = (before_after(untrained, after, position) for position in range(len(part)))
    return [
        Answer(text=one.text, tokens=one.tokens, untrained=one.untrained, adapted=one.adapted)
        for one in samples
    ]


def score_logits(
    logits: NDArray[np.float32], part: LabelledTexts, n_classes: int, config: MetricsConfig
) -> Scores:
    """Score logits with the settings of a run. The intervals count copies of a text as one text.

    Args:
        logits: The logits, ``(texts, labels)``.
        part: The texts with their labels.
        n_classes: The number of classes.
        config: The settings of the scores.
    """
    return metrics.evaluate(
        logits, part.labels, n_classes=n_classes, copies=part.copies, **asdict(config)
    )


def _count_parameters(adapted: Adapted) -> FitParameters:
    """Return the parameter counts of the classifier and of each trained part."""
    fitted, trained = adapted.fitted, dict[str, int]()
    if isinstance(fitted, Fitted):
        below_head = count_parameters(fitted.model.base_model)["trainable"]
        name = "backbone" if fitted.adapter is None else "adapters"
        trained = {name: below_head} if below_head else {}
    if fitted.words is not None:
        trained["words"] = fitted.words.parameters
    head = adapted.parameters["trainable"] - sum(trained.values())
    if head:
        trained["head"] = head
    return FitParameters(**adapted.parameters, trained=trained)


def _kept_epoch(task: Task | WordsTask, adapted: Adapted) -> KeptEpoch | None:
    """Return the evaluation whose weights were kept. None for an exact fit."""
    rows = [row for row in adapted.history if row["kept"]]
    if not rows:
        return None
    return KeptEpoch(
        epoch=rows[0]["epoch"],
        step=rows[0]["step"],
        by=task.config.training.keep,
        last=adapted.history[-1]["epoch"],
        epochs=task.plan.epochs,
    )


def _shortened(described: WithText, config: Config) -> WithText:
    """Return a record with its text on one line and shortened."""
    text = one_line(described.text, config.report.characters)
    return described.model_copy(update={"text": text})
