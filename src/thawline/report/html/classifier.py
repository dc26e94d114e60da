"""The scores of a classifier: before and after, by class, and its calibration."""

from __future__ import annotations

from collections.abc import Sequence

from thawline.config import MetricsConfig
from thawline.evaluation.calibration import reliability
from thawline.report.before_after import before_after_figure
from thawline.report.confusions import most_frequent
from thawline.report.html.blocks import Block, Cell, Column, Details, Lines, Table, Text
from thawline.report.html.plots import Plots
from thawline.report.html.words import (
    count_of,
    interval,
    listed,
    number_cell,
    percent,
    points,
    score_cell,
    share_cell,
    value,
)
from thawline.report.reliability import reliability_figure
from thawline.report.tables import (
    BEFORE_AFTER_ROWS,
    SCORE_ROWS,
    SHARES,
)
from thawline.runs.logits import RunLogits
from thawline.runs.records import (
    FitRecord,
    Score,
    Scores,
)

MAX_CLASSES = 12
"""The largest number of classes whose confusion matrix is shown as a matrix."""

MAX_CONFUSIONS = 20
"""The number of pairs of classes that are listed if there are more classes."""


def before_after_blocks(record: FitRecord, plots: Plots) -> list[Block]:
    """Return a plot and a table of the scores before and after training."""
    before, after = record.baseline, record.test
    figure = before_after_figure(before, after, title="", subtitle="")
    label = (
        f"Bar chart. Accuracy on {after.rows:,} test texts is {value(before.accuracy)} before "
        f"training and {value(after.accuracy)} after it. Macro F1 is {value(before.f1_macro)} "
        f"before and {value(after.f1_macro)} after."
    )
    caption = (
        f"Scores on {after.rows:,} test texts before and after training. The whiskers are "
        f"{_level(after)} confidence intervals. The untrained classifier has "
        f"{'weights of 0' if record.backbone is None else 'a random head on the same backbone'}."
    )
    rows = [
        [
            Cell(_score_name(name)),
            score_cell(getattr(before, name), share=name in SHARES),
            score_cell(getattr(after, name), share=name in SHARES),
            Cell(_change(getattr(before, name), getattr(after, name), share=name in SHARES)),
        ]
        for name in BEFORE_AFTER_ROWS
    ]
    columns = [Column("Score", numeric=False), *map(Column, ("Untrained", "Adapted", "Change"))]
    table = Table(f"Scores on test, with {_level(after)} confidence intervals", columns, rows)
    return [plots.plot(figure, label, caption, wide=False), table]


def _level(scores: Scores) -> str:
    return percent(scores.confidence_level, 0)


def _score_name(name: str) -> str:
    words = SHARES.get(name, name)
    return words[0].upper() + words[1:]


def _change(before: Score, after: Score, *, share: bool) -> str:
    change = after.value - before.value
    words = points(change, signed=True) if share else f"{change:+z.3f}"
    return words.replace("-", "−")


# -- classes ---------------------------------------------------------------------------------------


def class_blocks(scores: Scores, names: Sequence[str]) -> list[Block]:
    """Return the confusion matrix, the scores of each class and all scores."""
    blocks: list[Block] = []
    if scores.confusion is not None and len(names) <= MAX_CLASSES:
        blocks.append(_matrix(scores.confusion, names))
    else:
        blocks.append(_confusions(scores, names))
    per_class = Table(
        "Precision, recall and F1 of each class on test",
        [Column("Class", numeric=False), *map(Column, ("Precision", "Recall", "F1", "Texts"))],
        [
            [
                Cell(name),
                *(share_cell(score) for score in (one.precision, one.recall, one.f1)),
                number_cell(one.support),
            ]
            for name, one in zip(names, scores.per_class, strict=True)
        ],
        sortable=True,
    )
    every = Table(
        f"All scores on test, with {_level(scores)} confidence intervals",
        [Column("Score", numeric=False), Column("Value")],
        [
            [Cell(_score_name(name)), score_cell(getattr(scores, name), share=name in SHARES)]
            for name in SCORE_ROWS
        ],
    )
    hidden = len(names) > MAX_CLASSES
    shown = Details(f"Scores of all {len(names):,} classes", [per_class]) if hidden else per_class
    return [*blocks, shown, Details("All scores", [every])]


def _matrix(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> Table:
    rows = []
    for name, counts in zip(names, confusion, strict=True):
        total = sum(counts)
        cells = [
            Cell(
                f"{count:,}",
                count,
                percent(count / total) if total else "",
                shade=count / total if total else 0.0,
            )
            for count in counts
        ]
        rows.append([Cell(name), *cells])
    return Table(
        "Confusion matrix: test texts by true class (rows) and predicted class (columns), with "
        "their share of the true class",
        [Column("true ↓  predicted →", numeric=False), *(Column(name) for name in names)],
        rows,
        matrix=True,
    )


def _confusions(scores: Scores, names: Sequence[str]) -> Block:
    """Return the most frequent confusions as a table."""
    wrong = most_frequent(scores)
    if not wrong:
        return Text("No test text was predicted incorrectly.")
    rows = [
        [
            Cell(names[true]),
            Cell(names[predicted]),
            number_cell(count),
            share_cell(count / scores.per_class[true].support),
        ]
        for true, predicted, count in wrong[:MAX_CONFUSIONS]
    ]
    return Table(
        f"The {len(rows)} most frequent confusions on test"
        if len(wrong) > len(rows)
        else "All confusions on test",
        [
            Column("True class", numeric=False),
            Column("Predicted class", numeric=False),
            Column("Texts"),
            Column("Share of the true class"),
        ],
        rows,
        sortable=True,
    )


# -- calibration -----------------------------------------------------------------------------------


def calibration_blocks(record: FitRecord, logits: RunLogits | None, plots: Plots) -> list[Block]:
    """Return the accuracy of the classifier by its confidence, and the calibration error."""
    error, level = record.test.calibration_error, record.test.confidence_level
    words = (
        f"The calibration error on test is {value(error)} ({interval(error)}): the mean "
        "difference between confidence and accuracy."
    )
    if logits is None:
        return [Text(words), Text("The run has no logits, so its calibration cannot be drawn.")]
    number = _number_of_bins(record)
    bins = reliability(logits.test, logits.test_labels, number, level, logits.test_copies)
    figure = reliability_figure(bins, title="", subtitle="")
    label = "Line chart of the share of correct predictions by confidence: " + listed(
        [
            f"{percent(one.accuracy, 0)} correct at a confidence of {percent(one.confidence, 0)}"
            for one in bins
        ]
    )
    caption = (
        "How often predictions are correct, by their confidence. A calibrated classifier follows "
        "the dashed line, and an overconfident one lies below it. The whiskers are "
        f"{percent(level, 0)} intervals. Below, the number of test texts."
    )
    return [Text(words), plots.plot(figure, f"{label}.", caption, wide=False)]


def _number_of_bins(record: FitRecord) -> int:
    """Return the number of bins of the calibration error, from the settings of the run."""
    metrics = record.config.get("metrics")
    bins = metrics.get("bins") if isinstance(metrics, dict) else None
    return bins if isinstance(bins, int) and bins > 0 else MetricsConfig.bins


def warning_blocks(warnings: Sequence[str]) -> list[Lines]:
    """Return a box with likely problems, if there are any."""
    return [Lines(warnings, "Likely problems", "caution")] if warnings else []


def accuracy_words(record: FitRecord) -> str:
    """Return the result of a fit as a sentence."""
    before, after = record.baseline.accuracy, record.test.accuracy
    return (
        f"Accuracy is {value(after)} on {count_of(record.test.rows, 'test text')} "
        f"({_level(record.test)} interval {interval(after)}). It was {value(before)} before "
        "training."
    )
