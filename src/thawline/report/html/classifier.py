"""The blocks that describe one classifier: its scores, classes, training and errors."""

from __future__ import annotations

from collections.abc import Sequence

from thawline.config import MetricsConfig
from thawline.evaluation.calibration import reliability
from thawline.report.before_after import before_after_figure
from thawline.report.history import history_figure
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
    shown_text,
    value,
)
from thawline.report.reliability import reliability_figure
from thawline.report.tables import (
    BEFORE_AFTER_ROWS,
    HEAD_FITTED,
    MISSING,
    SCORE_ROWS,
    SHARES,
    kept_line,
)
from thawline.runs.logits import RunLogits
from thawline.runs.records import (
    ErrorRate,
    ErrorRates,
    ExactFitStep,
    FitEpoch,
    FitRecord,
    Mistakes,
    Sample,
    Score,
    Scores,
)

MOST_CLASSES = 12
"""The largest number of classes whose confusion matrix is shown as a matrix."""

MOST_CONFUSIONS = 20
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
        f"{_level(after)} confidence intervals. The untrained classifier has a random head"
        f"{'' if record.backbone is None else ' on the same backbone'}."
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
    return points(change, signed=True) if share else f"{change:+z.3f}"


# -- classes ---------------------------------------------------------------------------------------


def class_blocks(scores: Scores, names: Sequence[str]) -> list[Block]:
    """Return the confusion matrix, the scores of each class and all scores."""
    blocks: list[Block] = []
    if scores.confusion is not None and len(names) <= MOST_CLASSES:
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
    hidden = len(names) > MOST_CLASSES
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
    cells = scores.confusion_cells
    if cells is None:
        matrix = scores.confusion or []
        cells = [[i, j, n] for i, row in enumerate(matrix) for j, n in enumerate(row) if n]
    wrong = sorted((cell for cell in cells if cell[0] != cell[1]), key=lambda cell: -cell[2])
    if not wrong:
        return Text("No test text was predicted incorrectly.")
    rows = [
        [
            Cell(names[true]),
            Cell(names[predicted]),
            number_cell(count),
            share_cell(count / scores.per_class[true].support),
        ]
        for true, predicted, count in wrong[:MOST_CONFUSIONS]
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


# -- training --------------------------------------------------------------------------------------


def training_blocks(record: FitRecord, plots: Plots) -> list[Block]:
    """Return the curves of a training by epochs, or the candidates of an exact fit."""
    blocks: list[Block] = []
    if record.head_first is not None:
        blocks.append(Text("The head was trained first, on frozen states:"))
        blocks += _trained(record.head_first.history, record.head_first.choice, plots)
        blocks.append(Text("Then the strategy was trained:"))
    blocks += _trained(record.history, record.choice, plots, record)
    return blocks


def _trained(
    history: Sequence[FitEpoch],
    choice: Sequence[ExactFitStep],
    plots: Plots,
    record: FitRecord | None = None,
) -> list[Block]:
    blocks: list[Block] = []
    if history:
        first, last = history[0], history[-1]
        kept = next((row for row in history if row.kept), last)
        start = "untrained" if record is None or record.head_first is None else HEAD_FITTED
        figure = history_figure(history, title="", subtitle="", start=start)
        label = (
            f"Two line charts over {last.epoch:g} epochs. Validation accuracy starts at "
            f"{percent(first.validation_accuracy)}, is {percent(kept.validation_accuracy)} at the "
            f"epoch whose weights were kept ({kept.epoch:g}), and ends at "
            f"{percent(last.validation_accuracy)}. Validation loss goes from "
            f"{first.validation_loss:.3f} to {last.validation_loss:.3f} nats."
        )
        caption = "Accuracy and losses by epoch."
        if record is not None and record.kept is not None:
            words = kept_line(record.kept)
            caption = f"{words[0].upper()}{words[1:]}. A ring marks it."
        blocks.append(plots.plot(figure, label, caption))
        blocks.append(Details("Values of each evaluation", [_history_table(history)]))
    if choice:
        blocks.append(
            Text(
                "The head was fitted exactly, without epochs, once for each candidate. The "
                "candidate with the lowest loss on validation is used."
            )
        )
        blocks.append(Details(f"The {len(choice)} candidates", [_choice_table(choice)]))
    return blocks


def _history_table(history: Sequence[FitEpoch]) -> Table:
    columns = [
        Column("Epoch", numeric=False),
        Column("Step"),
        Column("Train loss", unit="nats"),
        Column("Validation loss", unit="nats"),
        Column("Validation accuracy"),
        Column("Validation macro F1"),
        Column("Weights", numeric=False),
    ]
    rows = [
        [
            Cell(f"{row.epoch:g}", row.epoch),
            number_cell(row.step),
            Cell(MISSING if row.train_loss is None else f"{row.train_loss:.3f}", row.train_loss),
            Cell(f"{row.validation_loss:.3f}", row.validation_loss),
            share_cell(row.validation_accuracy),
            share_cell(row.validation_f1_macro),
            Cell("kept" if row.kept else ""),
        ]
        for row in history
    ]
    return Table("Evaluations during the training", columns, rows)


def _choice_table(choice: Sequence[ExactFitStep]) -> Table:
    best = min(step.loss for step in choice)
    words = any(step.words_penalty is not None for step in choice)
    rows = [
        [
            Cell(", ".join(map(str, step.stages)) or MISSING),
            *(
                Cell(MISSING if penalty is None else f"{penalty:g}", penalty)
                for penalty in ((step.penalty, step.words_penalty) if words else (step.penalty,))
            ),
            Cell(
                f"{step.loss:.4f}",
                step.loss,
                tone="good" if step.loss == best else "",
                note="lowest" if step.loss == best else "",
            ),
            share_cell(step.accuracy),
        ]
        for step in choice
    ]
    columns = [
        Column("Stages", numeric=False),
        Column("Penalty"),
        *([Column("Penalty of words")] if words else []),
        Column("Validation loss", unit="nats"),
        Column("Validation accuracy"),
    ]
    return Table("Candidates of the exact fit", columns, rows, sortable=True)


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
    bins = reliability(logits.test, logits.test_labels, _number_of_bins(record), level)
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


# -- errors ----------------------------------------------------------------------------------------


def error_blocks(mistakes: Mistakes) -> list[Block]:
    """Return the error rates and the most confident mistakes, with their texts."""
    wrong, shown = len(mistakes.rows), mistakes.most_confident
    if not shown:
        return [Text(f"The classifier made no mistake on {count_of(mistakes.texts, 'test text')}.")]
    which = "all of them" if len(shown) == wrong else f"the {len(shown):,} most confident ones"
    return [
        Text(f"{wrong:,} of {mistakes.texts:,} test texts were predicted incorrectly."),
        *_error_rates(mistakes.error_rates),
        Table(
            f"Mistakes on test: {which}. Texts are shortened; mistakes.csv has complete texts.",
            [
                Column("Text", numeric=False, prose=True),
                Column("True class", numeric=False),
                Column("Predicted", numeric=False),
                Column("Probability"),
                Column("Tokens"),
            ],
            [
                [
                    Cell(shown_text(one.text)),
                    Cell(one.label),
                    Cell(one.predicted),
                    share_cell(one.probability),
                    Cell(f"{one.tokens:,}", one.tokens, "truncated" if one.truncated else ""),
                ]
                for one in shown
            ],
            sortable=True,
        ),
    ]


def _error_rates(rates: ErrorRates) -> list[Block]:
    """Return the error rates by truncation and by length, if texts differ in these."""
    rows: list[tuple[str, ErrorRate]] = []
    if rates.whole.rows and rates.truncated.rows:
        rows += [("Complete texts", rates.whole), ("Truncated texts", rates.truncated)]
    if len(rates.by_length) > 1:
        rows += [(f"{one.shortest:,} to {one.longest:,} tokens", one) for one in rates.by_length]
    if not rows:
        return []
    cells = [
        [
            Cell(name),
            number_cell(rate.rows),
            number_cell(rate.mistakes),
            score_cell(rate.error_rate),
        ]
        for name, rate in rows
    ]
    columns = [Column("Texts", numeric=False), *map(Column, ("Number", "Mistakes", "Error rate"))]
    return [Table("Error rates by truncation and by length", columns, cells)]


def sample_blocks(samples: Sequence[Sample]) -> list[Block]:
    """Return sample texts with the predictions before and after training."""
    if not samples:
        return []
    rows = [
        [
            Cell(shown_text(one.text)),
            Cell(one.label),
            *(
                Cell(guess.predicted, note=percent(guess.probability), tone=tone)
                for guess, tone in (
                    (one.untrained, ""),
                    (one.adapted, "good" if one.adapted.predicted == one.label else "bad"),
                )
            ),
        ]
        for one in samples
    ]
    columns = [
        Column("Text", numeric=False, prose=True),
        Column("True class", numeric=False),
        Column("Untrained", numeric=False),
        Column("Adapted", numeric=False),
    ]
    caption = "Sample texts from test, with their predictions before and after training"
    return [Table(caption, columns, rows)]


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
