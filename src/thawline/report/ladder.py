"""A ladder as a table for a terminal of 80 columns, and its verdict in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from thawline.report.tables import ruled_table, with_interval
from thawline.runs.records import Comparison, MeanScore


def ladder_table(comparison: Comparison) -> Table:
    """Return a table of the rungs of a ladder.

    Accuracy has its interval and, with several seeds, its standard deviation over them. The last
    column is the corrected p-value of the comparison with the best rung, on the same test rows.
    """
    table = ruled_table()
    table.add_column("rung", overflow="fold", max_width=18)
    for heading in ("line", "trained", "accuracy", "macro F1", "seconds", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for rung in comparison.rungs:
        against = rung.against_best
        table.add_row(
            Text(rung.rung),
            str(rung.line),
            f"{rung.parameters.trainable:,}",
            _accuracy(rung.test.accuracy),
            f"{100 * rung.test.f1_macro.value:.1f} %",
            f"{rung.seconds.total:,.1f}",
            "best" if against is None else _p(against.p_corrected),
        )
    return table


def _accuracy(score: MeanScore) -> str:
    spread = "" if score.deviation is None else f" ± {100 * score.deviation:.1f}"
    return f"{with_interval(score, share=True)}{spread}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def ladder_lines(comparison: Comparison) -> Iterator[str]:
    """Yield the lines below the table: how to read it, the verdict and the run to use."""
    seeds, chosen = len(comparison.rungs[0].runs), comparison.chosen
    if seeds > 1:
        yield f"means and standard deviations over {seeds} seeds; intervals are over the test rows"
    yield "p: McNemar's test against the best rung on the same rows, with Holm's correction"
    yield ""
    yield _paragraph("verdict", comparison.verdict.words)
    yield _paragraph("chosen", f"{chosen.run}, by {chosen.by}; the test split chose nothing")


def _paragraph(heading: str, words: str) -> str:
    """Return words beside a heading, wrapped at 80 columns."""
    return textwrap.fill(f"{heading:<10}{words}", 79, subsequent_indent=" " * 10)
