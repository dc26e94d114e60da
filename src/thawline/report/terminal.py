"""What the verbs print for a reader."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table

from thawline.data.labels import join_words
from thawline.report.ladder import ladder_lines, ladder_table
from thawline.report.mistakes import mistakes_sections, samples_table
from thawline.report.preflight import preflight_sections
from thawline.report.tables import (
    HEAD_FITTED,
    before_after_table,
    history_table,
    kept_line,
    per_class_table,
    plain_console,
    scores_table,
)


def _plain_table(*columns: str, left: Sequence[str] = ()) -> Table:
    """Make a table without lines; the first column and those in ``left`` are set to the left.

    Only the first column may be folded where the terminal is narrow: a name can be a long path.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        to_left = index == 0 or column in left
        side: JustifyMethod = "left" if to_left else "right"
        table.add_column(column, justify=side, overflow="fold", no_wrap=index > 0)
    return table


def print_fit(record: Mapping[str, Any]) -> None:
    """Print what a fit did: before and after, cost, and where everything is."""
    console = plain_console()
    test = record["test"]
    level = _level(test)
    console.print(f"\n{record['data']['name']}, {test['rows']:,} test texts, {level} intervals")
    for section in _fit_sections(record):
        console.print(section)
        console.print()
    run = Path(record["artifact"]).parent
    plots = ", ".join(Path(plot).name for plot in record["plots"])
    proof = record["proof"]
    console.print(_cost(record))
    console.print()
    console.print(f"artifact  {record['artifact']}")
    console.print(
        f"proof     a fresh process gave the same probabilities for {proof['texts']} texts; "
        f"largest difference {proof['difference']:.2g}"
    )
    console.print(f"plots     {plots} in {run}")
    console.print(f'next      thawline predict {shlex.quote(str(run))} "a text of your own"')


def _fit_sections(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Yield what is known of a fit's classifier, table by table."""
    test, shown = record["test"], record["config"]["report"]
    names = record["labels"]["names"]
    yield before_after_table(record["baseline"], test)
    table = per_class_table(test, names, shown["classes"])
    left_out = len(names) - table.row_count
    hint = f"and {left_out:,} of a higher F1, which thawline evaluate lists"
    yield Group(table, hint) if left_out else table
    if record["history"]:
        start = "untrained" if record.get("head_first") is None else HEAD_FITTED
        yield Group(history_table(record["history"], start), kept_line(record["kept"]))
    yield samples_table(record["samples"])
    yield Group(*mistakes_sections(record["mistakes"], shown["shown_mistakes"]))


def _level(scores: Mapping[str, Any]) -> str:
    return f"{100 * scores['confidence_level']:g} %"


def _cost(record: Mapping[str, Any]) -> str:
    parameters, stages = record["parameters"], ", ".join(map(str, record["features"]))
    return "\n".join(
        [
            f"strategy  {record['strategy']}, line {record['line']}; head {record['head']} on the "
            f"{record['pooling']} of stage{'s' if len(record['features']) > 1 else ''} {stages}",
            f"trained   {_trained(parameters)} of {parameters['total']:,} parameters",
            *_seconds(record),
            f"memory    {record['peak_memory_bytes'] / 1e6:,.0f} MB at the peak",
        ]
    )


def _seconds(record: Mapping[str, Any]) -> list[str]:
    """Return what took how long, on two lines."""
    seconds, computed = record["seconds"], record["prefix"]["texts"]
    rest = seconds["total"] - sum(part for name, part in seconds.items() if name != "total")
    passes = "over two passes" if _has_two_passes(record) else "once"
    prefix = f"{computed:,} texts read {passes}" if computed else "all states from the store"
    first = [f"head first {seconds['head_first']:.1f}"] if "head_first" in seconds else []
    parts = [
        f"tokenising {seconds['tokenising']:.1f}",
        f"prefix {seconds['prefix']:.1f} ({prefix})",
        *first,
        f"training {seconds['training']:.1f}",
        f"evaluation {seconds['evaluation']:.1f}",
        f"loading, saving, proof and plots {rest:.1f}",
    ]
    end = 2 if first else 3  # of the first line
    return [
        f"seconds   {seconds['total']:.1f} in all: {', '.join(parts[:end])},",
        f"          {', '.join(parts[end:])}",
    ]


def _has_two_passes(record: Mapping[str, Any]) -> bool:
    """Say whether there were two frozen passes: to pooled states, and to the line."""
    return record.get("head_first") is not None and record["line"] > 1


def _trained(parameters: Mapping[str, Any]) -> str:
    """Count what was trained, and say what it is unless all of it is the head."""
    counts = [f"{name} {count:,}" for name, count in parameters["trained"].items()]
    parts = f" ({', '.join(counts)})" if len(counts) > 1 else ""
    return f"{parameters['trainable']:,}{parts}"


def print_evaluation(scores: Mapping[str, Any]) -> None:
    """Print scores with intervals, and those of each class."""
    console = plain_console()
    drawn = "" if scores["source"] == scores["split"] else f", rows of {scores['source']}"
    where = f"split {scores['split']}{drawn}"
    console.print(f"\n{scores['rows']:,} texts, {where}, {_level(scores)} intervals")
    console.print(scores_table(scores))
    console.print()
    console.print(per_class_table(scores, scores["labels"]))


def print_ladder(record: Mapping[str, Any], folder: Path) -> None:
    """Print a ladder's rungs side by side, what they come to, and where everything is."""
    console = plain_console()
    parts, test = record["data"]["protocol"]["splits"], record["rungs"][0]["test"]
    rows = ", ".join(f"{part['rows']:,} {name}" for name, part in parts.items())
    console.print(f"\n{record['data']['name']}: {rows} texts, {_level(test)} intervals")
    console.print(ladder_table(record))
    console.print("\n".join(ladder_lines(record)))
    console.print(f"plots     {', '.join(record['plots'])} in {folder}")
    console.print(f"record    {folder / 'ladder.json'}; each run in a folder of its own beside it")


def print_demo(record: Mapping[str, Any], folder: Path) -> None:
    """Print the demonstration's ladder, and what its verdict's classifier says of three texts."""
    print_ladder(record, folder)
    console, predictions = plain_console(), record["predictions"]
    console.print(f"\nthree texts, read by the verdict's {record['verdict']['rung']}")
    print_predictions(predictions["texts"])
    run = folder / predictions["run"]
    console.print(f'\nnext      thawline predict {shlex.quote(str(run))} "a text of your own"')
    console.print(
        "This is a demonstration: on so few rows the intervals are wide. thawline fit --data "
        f"{shlex.quote(str(record['config']['fit']['data']['data']))} reads all of them."
    )


def print_predictions(records: Sequence[Mapping[str, Any]]) -> None:
    """Print one line a text: its label, the shares, and the text with its line breaks as spaces."""
    console = plain_console()
    for record in records:
        if "neg_prob" in record:
            shares = f"neg_prob {record['neg_prob']:.4f}  pos_prob {record['pos_prob']:.4f}"
        else:
            shares = f"confidence {record['confidence']:.4f}"
        text = record["text"] if isinstance(record["text"], str) else " | ".join(record["text"])
        console.print(f"{record['label']}  {shares}  {' '.join(text.split())}")


def print_info(described: Mapping[str, Any]) -> None:
    """Print a backbone's stages with the thaw line between them."""
    console = plain_console()
    console.print(
        f"{described['backbone']}: {described['family']}, {described['hidden_size']} wide, "
        f"up to {described['max_length']} tokens"
    )
    if described["origin"] is not None:
        console.print(_origin_line(described["origin"]))
    table = _plain_table("stage", "part", "parameters", "", left=("part", ""))
    for stage in described["stages"]:
        trainable = f"{stage['trainable']:,} trained" if stage["trainable"] else "frozen"
        table.add_row(str(stage["stage"]), stage["name"], f"{stage['parameters']:,}", trainable)
    console.print(table)
    parameters, features = described["parameters"], described["features"]
    read = features if isinstance(features, str) else f"of stage {', '.join(map(str, features))}"
    console.print(f"strategy   {described['strategy']}, thaw line {described['line']}")
    console.print(
        f"head       {described['head']}, pooling {described['pooling']}, features {read}"
    )
    for name in ("trainable", "frozen", "total"):
        console.print(f"{name:<10} {parameters[name]:,}")


def _origin_line(origin: Mapping[str, Any]) -> str:
    """Say from what classifier a backbone is taken, and that its head is not."""
    classes = f"{len(origin['labels'])} classes ({join_words(origin['labels'])})"
    start = f"{origin['strategy']} on {origin['backbone']}"
    return f"without the head of {classes}, which was trained by {start}"


def print_preflight(report: Mapping[str, Any]) -> None:
    """Print what a set is like, what stands out first."""
    console = plain_console()
    console.print(f"\n{report['data']}, {report['all']['rows']:,} texts")
    for section in preflight_sections(report):
        console.print(section)
        console.print()


def print_store(entries: Sequence[Mapping[str, Any]], home: Path) -> None:
    """Print what the store holds, and below it what is wrong with an entry."""
    console = plain_console()
    console.print(f"store in {home / 'store'}")
    columns = ("backbone", "line", "tokens", "cut", "dtype", "texts", "MB", "entry")
    table = _plain_table(*columns, left=("cut", "dtype", "entry"))
    for entry in entries:
        table.add_row(
            entry["name"],
            _or_dash(entry["line"]),
            _or_dash(entry["max_length"]),
            entry["truncation_side"],
            entry["dtype"],
            f"{entry['texts']:,}",
            f"{entry['bytes'] / 1e6:,.1f}",
            entry["entry"][:8],
        )
    console.print(table if entries else "empty")
    for entry in entries:
        if entry["problem"] is not None:
            console.print(f"{entry['entry'][:8]}: {entry['problem']}")


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
