"""A ladder's rungs as a table for a terminal of 80 columns, and what it comes to in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from thawline.report.tables import MISSING, ruled_table, with_interval


def ladder_table(record: Mapping[str, Any]) -> Table:
    """Set the rungs of a ladder side by side.

    Accuracy has its interval, and where there are several seeds its deviation over them. The last
    column is the corrected p-value of the comparison with the best, on the same test rows.

    Args:
        record: of a ladder: ``rungs``, each with ``rung``, ``line``, ``parameters``, ``test``,
            ``seconds`` and ``against_best``.
    """
    table = ruled_table()
    table.add_column("rung", overflow="fold", max_width=18)
    for heading in ("line", "trained", "accuracy", "macro F1", "seconds", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for rung in record["rungs"]:
        against = rung["against_best"]
        table.add_row(
            Text(rung["rung"]),
            str(rung["line"]),
            f"{rung['parameters']['trainable']:,}",
            _accuracy(rung["test"]["accuracy"]),
            f"{100 * rung['test']['f1_macro']['value']:.1f} %",
            f"{rung['seconds']['total']:,.1f}",
            "best" if against is None else _p(against["p_corrected"]),
        )
    return table


def _accuracy(score: Mapping[str, Any]) -> str:
    deviation = score.get("deviation")
    spread = "" if deviation is None else f" ± {100 * deviation:.1f}"
    return f"{with_interval(score, share=True)}{spread}"


def _p(value: float | None) -> str:
    if value is None:
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def ladder_lines(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what stands below the table: how it is to be read, the verdict and the choice."""
    seeds, chosen = len(record["rungs"][0]["runs"]), record["chosen"]
    if seeds > 1:
        yield f"means over {seeds} seeds, with their deviation; the intervals are those of the rows"
    yield "p: as good as the best? McNemar's test on the same rows, corrected (Holm)"
    yield ""
    yield _paragraph("verdict", record["verdict"]["words"])
    yield _paragraph(
        "chosen", f"{chosen['run']}, by {chosen['by']}, where nothing was chosen on test"
    )


def _paragraph(heading: str, words: str) -> str:
    """Return words beside a heading, folded at 80 columns."""
    return textwrap.fill(f"{heading:<10}{words}", 79, subsequent_indent=" " * 10)
