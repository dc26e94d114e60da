"""The table of a ladder as Markdown, as CSV and as JSON values."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

from thawline.errors import printable
from thawline.report.ladder import bounds_below, decision_cells, to_use
from thawline.report.tables import MISSING
from thawline.runs.records import Comparison, Difference, RungRecord, Score

COLUMNS = ("strategy", "accuracy, %", "below the best", "decision", "time, s", "trained")


def ladder_markdown(comparison: Comparison) -> str:
    """Return the table of the rungs in Markdown, with the verdict and the run to use below it."""
    rows = [COLUMNS, ("---", *["--:"] * (len(COLUMNS) - 1))]
    rows += [
        (f"`{_cell(rung.rung)}`", _accuracy(rung), _below(rung), *decision_cells(rung))
        for rung in comparison.rungs
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    verdict, chosen = printable(comparison.verdict.words), printable(to_use(comparison))
    return f"{table}\n\n**Verdict:** {verdict}\n\n**To use:** {chosen}\n"


def _accuracy(rung: RungRecord) -> str:
    """Return the accuracy with its interval in per cent, for example "85.4 (83.8 to 86.9)"."""
    score = rung.test.accuracy
    return f"{100 * score.value:.1f} ({100 * score.low:.1f} to {100 * score.high:.1f})"


def _below(rung: RungRecord) -> str:
    """Return the difference to the best other rung with the bounds that lead to the decision."""
    below = rung.standing.below_best
    return MISSING if below is None else f"{100 * below.value:z.1f} ({bounds_below(rung.standing)})"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("`", "'")


def ladder_csv(comparison: Comparison) -> str:
    """Return the values of `ladder_values` as CSV with a header. A missing value is empty."""
    rows = ladder_values(comparison)
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def ladder_values(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one flat dict of JSON values for each rung, in the order of the record.

    Scores and differences are shares, with the ends of their intervals in ``…_low`` and
    ``…_high``. The meaning of every value is that of the field in the record.
    """
    return [_values(rung, comparison) for rung in comparison.rungs]


def _values(rung: RungRecord, comparison: Comparison) -> dict[str, Any]:
    standing = rung.standing
    return {
        "rung": rung.rung,
        "backbone": rung.backbone,
        "strategy": rung.strategy,
        "seeds": max(Counter(run.draw for run in rung.runs).values()),
        "draws": len({run.draw for run in rung.runs}),
        **_interval("accuracy", rung.test.accuracy),
        "accuracy_deviation": rung.test.accuracy.deviation,
        **_interval("f1_macro", rung.test.f1_macro),
        **_interval("loss", rung.test.loss),
        "best_other": standing.best_other,
        **_interval("below_best", standing.below_best),
        "decision": standing.decision,
        "lower_bound": standing.lower_bound,
        "upper_bound": standing.upper_bound,
        "texts_to_decide": standing.texts_to_decide,
        "seeds_to_decide": standing.seeds_to_decide,
        "draws_to_decide": standing.draws_to_decide,
        "nested_validation_accuracy": rung.nested.value,
        "nested_standard_error": rung.nested.standard_error,
        "seconds": rung.cost.seconds,
        "predicted_seconds": rung.cost.predicted,
        "prefix_seconds": rung.cost.prefix,
        "training_seconds": rung.cost.training,
        "latency_seconds": rung.cost.latency,
        "trained_parameters": rung.parameters.trainable,
        "peak_memory_bytes": rung.peak_memory_bytes,
        "is_verdict": rung.rung == comparison.verdict.rung,
        "is_to_use": rung.rung == comparison.chosen.rung,
    }


def _interval(name: str, score: Score | Difference | None) -> dict[str, float | None]:
    if score is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    return {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
