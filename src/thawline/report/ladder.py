"""The results of a ladder as a table for a terminal of 80 columns, with the verdict in words."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from thawline.report.tables import literal, ruled_table, with_interval, wrap_labelled
from thawline.runs.records import Comparison, MeanScore


def ladder_table(comparison: Comparison) -> Table:
    """Return a table of the rungs of a ladder.

    The accuracy is followed by its interval and, with several seeds, by its standard deviation. The
    last column is the decision about the rung.
    """
    table = ruled_table()
    table.add_column("rung", overflow="fold", max_width=18)
    for heading in ("line", "trained", "accuracy", "macro F1", "seconds", "decision"):
        table.add_column(heading, justify="right", no_wrap=True)
    for rung in comparison.rungs:
        table.add_row(
            literal(rung.rung),
            str(rung.line),
            f"{rung.parameters.trainable:,}",
            _accuracy(rung.test.accuracy),
            f"{100 * rung.test.f1_macro.value:.1f} %",
            f"{rung.cost.seconds:,.1f}",
            rung.standing.decision,
        )
    return table


def _accuracy(score: MeanScore) -> str:
    spread = "" if score.deviation is None else f" ± {100 * score.deviation:.1f}"
    return f"{with_interval(score, share=True)}{spread}"


def ladder_lines(comparison: Comparison) -> Iterator[str]:
    """Yield the lines below the table: how to read it, the verdict and the run to use."""
    seeds, chosen = len(comparison.rungs[0].runs), comparison.chosen
    if seeds > 1:
        yield f"scores: means over {seeds} seeds ± standard deviation (intervals over test texts)"
    yield ""
    yield wrap_labelled("verdict", comparison.verdict.words)
    reason = f"because it has {chosen.by} (test was not used)"
    yield wrap_labelled("chosen", f"{chosen.run}, {reason}")
