"""What the strategies of a comparison cost, their curves, and those that were not run."""

from __future__ import annotations

from collections.abc import Sequence

from thawline.report.curves import curves_figure
from thawline.report.html.blocks import (
    Block,
    Cell,
    Column,
    Section,
    Table,
    Text,
)
from thawline.report.html.plots import Plots
from thawline.report.html.strategies import NARROW, WIDTH
from thawline.report.html.words import (
    listed,
    number_cell,
    percent,
    score_cell,
    seconds_cell,
    value,
)
from thawline.report.learning import learning_figure, learning_lines
from thawline.report.tables import MISSING
from thawline.report.tradeoff import candidates, pareto_front, tradeoff_figure
from thawline.runs.records import (
    LadderRecord,
    LearningCurves,
    RungRecord,
)


def cost_blocks(record: LadderRecord, plots: Plots) -> list[Block]:
    """Return accuracy against cost, and the predicted and the true seconds."""
    rungs, cost = record.rungs, record.verdict.cost
    places = candidates(rungs, cost)
    blocks: list[Block] = []
    if places:
        figure, narrow = (
            tradeoff_figure(places, cost, title="", subtitle="", width=width)
            for width in (WIDTH, NARROW)
        )
        front = [one.name for one in pareto_front(places)]
        label = (
            f"Scatter plot of test accuracy against {cost}. No other strategy is both cheaper and "
            f"more accurate than {listed(front)}. Values: "
        )
        label += listed(
            [f"{one.name} {value(one.accuracy)} for {one.cost:,.4g} {cost}" for one in places]
        )
        caption = (
            f"Test accuracy against {cost}, on a logarithmic axis. The line joins the strategies "
            "that no other one beats in both (Pareto front). It follows the measured values, so "
            "differences that are undecided also shape it."
        )
        blocks.append(plots.plot(figure, f"{label}.", caption, narrow=narrow))
    rows = [
        [
            Cell(rung.rung),
            seconds_cell(rung.cost.seconds),
            seconds_cell(rung.cost.prefix),
            seconds_cell(rung.cost.training),
            seconds_cell(rung.cost.predicted),
            _ratio_cell(rung),
        ]
        for rung in rungs
    ]
    columns = [
        Column("Strategy", numeric=False),
        Column("Time of a run"),
        Column("Frozen pass"),
        Column("Training"),
        Column("Predicted"),
        Column("True / predicted"),
    ]
    caption = (
        "The time of a run as if it had run alone with an empty store, averaged over runs, and "
        "the prediction made before it ran"
    )
    return [*blocks, Table(caption, columns, rows, sortable=True)]


def _ratio_cell(rung: RungRecord) -> Cell:
    predicted = rung.cost.predicted
    if not predicted:
        return Cell(MISSING)
    ratio = rung.cost.seconds / predicted
    return Cell(f"{ratio:.2f}", ratio)


def curve_sections(rungs: Sequence[RungRecord], plots: Plots) -> list[Section]:
    """Return the validation accuracy by epoch, if a rung was trained by epochs."""
    trained = [rung for rung in rungs if any(run.history for run in rung.runs)]
    if not trained:
        return []
    figure = curves_figure(rungs, title="")
    label = "Line chart of validation accuracy by epoch. At the end: " + listed(
        [f"{rung.rung} {value(rung.validation.accuracy)}" for rung in rungs]
    )
    caption = (
        "Validation accuracy by epoch, averaged over runs. A dashed line is an exact fit, which "
        "has no epochs."
    )
    return [Section("curves", "Training by epoch", [plots.plot(figure, f"{label}.", caption)])]


def learning_section(curves: LearningCurves, plots: Plots) -> Section:
    """Return the accuracy by the number of labelled rows, and how many rows are enough."""
    blocks: list[Block] = [Text(curves.words)]
    if len(curves.sizes) > 1:
        figure = learning_figure(curves, title="", subtitle="")
        over = "draws" if curves.over_draws else "seeds"
        label = "Line chart of test accuracy by the number of labelled rows. " + "; ".join(
            f"{line.name}: "
            + listed(
                [
                    f"{percent(share)} with {rows:,.0f} rows"
                    for rows, share in zip(line.x, line.values, strict=True)
                ]
            )
            for line in learning_lines(curves)
        )
        caption = (
            "Test accuracy by the number of labelled rows (train and validation), on a logarithmic "
            f"axis. Bands are one standard deviation over {over}."
        )
        blocks.append(plots.plot(figure, f"{label}.", caption))
    by_place = {(point.rung, point.rows): point for point in curves.points}
    rows = []
    for one in curves.enough:
        points = [by_place.get((one.rung, size)) for size in curves.sizes]
        cells = [score_cell(None if point is None else point.accuracy) for point in points]
        rows.append([Cell(one.rung), *cells, number_cell(one.rows)])
    columns = [
        Column("Strategy", numeric=False),
        *(Column(f"{size:,}", unit="rows") for size in curves.sizes),
        Column("Enough", unit="rows"),
    ]
    caption = "Test accuracy by the number of labelled rows, and the number of rows that is enough"
    blocks.append(Table(caption, columns, rows, sortable=True))
    if curves.left_out:
        sizes = listed([f"{size:,}" for size in curves.left_out])
        blocks.append(Text(f"Left out, because of the budget or of an error: {sizes} rows."))
    return Section("learning", "Number of labels", blocks)


def missing_sections(record: LadderRecord) -> list[Section]:
    """Return what was left out or failed, if there is any."""
    blocks: list[Block] = []
    if record.left_out:
        rows = [
            [Cell(one.rung), seconds_cell(one.predicted), Cell(one.reason)]
            for one in record.left_out
        ]
        columns = [
            Column("Strategy", numeric=False),
            Column("Predicted"),
            Column("Reason", numeric=False, prose=True),
        ]
        blocks.append(Table("Strategies and runs that were not made", columns, rows))
    if record.failed:
        failed = [
            [Cell(one.rung), number_cell(one.draw), number_cell(one.seed), Cell(one.error)]
            for one in record.failed
        ]
        columns = [
            Column("Strategy", numeric=False),
            Column("Draw"),
            Column("Seed"),
            Column("Error", numeric=False, prose=True),
        ]
        blocks.append(Table("Runs that failed", columns, failed))
    return [Section("missing", "Not compared", blocks)] if blocks else []
