"""The errors of a classifier with their texts, and sample texts."""

from __future__ import annotations

from collections.abc import Sequence

from thawline.report.html.blocks import Block, Cell, Column, Table, Text
from thawline.report.html.words import (
    count_of,
    number_cell,
    percent,
    score_cell,
    share_cell,
    shown_text,
)
from thawline.runs.records import (
    Answer,
    ErrorRate,
    ErrorRates,
    Mistakes,
    Sample,
)


def error_blocks(mistakes: Mistakes, unit: str) -> list[Block]:
    """Return the error rates and the most confident mistakes, with their texts.

    Args:
        mistakes: The mistakes.
        unit: The unit of the lengths of texts: tokens or words.
    """
    wrong, shown = len(mistakes.rows), mistakes.most_confident
    if not shown:
        return [Text(f"The classifier made no mistake on {count_of(mistakes.texts, 'test text')}.")]
    which = "all of them" if len(shown) == wrong else f"the {len(shown):,} most confident ones"
    return [
        Text(f"{wrong:,} of {mistakes.texts:,} test texts were predicted incorrectly."),
        *_error_rates(mistakes.error_rates, unit),
        Table(
            f"Mistakes on test: {which}. Texts are shortened; mistakes.csv has complete texts.",
            [
                Column("Text", numeric=False, prose=True),
                Column("True class", numeric=False),
                Column("Predicted", numeric=False),
                Column("Probability"),
                Column(unit.capitalize()),
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


def _error_rates(rates: ErrorRates, unit: str) -> list[Block]:
    """Return the error rates by truncation and by length, if texts differ in these."""
    rows: list[tuple[str, ErrorRate]] = []
    if rates.whole.rows and rates.truncated.rows:
        rows += [("Complete texts", rates.whole), ("Truncated texts", rates.truncated)]
    if len(rates.by_length) > 1:
        rows += [(f"{one.shortest:,} to {one.longest:,} {unit}", one) for one in rates.by_length]
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
    both = "by truncation and by length" if rates.truncated.rows else "by length"
    return [Table(f"Error rates {both}", columns, cells)]


def sample_blocks(samples: Sequence[Sample]) -> list[Block]:
    """Return sample texts with the predictions before and after training."""
    if not samples:
        return []
    rows = [
        [
            Cell(shown_text(one.text)),
            Cell(one.label),
            Cell(one.untrained.predicted, note=percent(one.untrained.probability)),
            Cell(
                one.adapted.predicted,
                note=percent(one.adapted.probability),
                tone="good" if one.adapted.predicted == one.label else "bad",
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


def answer_blocks(answers: Sequence[Answer]) -> list[Block]:
    """Return the texts of ``--show`` with the predictions before and after training."""
    if not answers:
        return []
    rows = [
        [
            Cell(shown_text(one.text)),
            *(
                Cell(guess.predicted, note=percent(guess.probability))
                for guess in (one.untrained, one.adapted)
            ),
        ]
        for one in answers
    ]
    columns = [
        Column("Text", numeric=False, prose=True),
        Column("Untrained", numeric=False),
        Column("Adapted", numeric=False),
    ]
    caption = "Texts of your own, with their predictions before and after training"
    return [Table(caption, columns, rows)]
