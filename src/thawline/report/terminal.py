"""What the verbs print for a reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from thawline.report.tables import before_after_table, history_table, per_class_table


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _plain_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def print_fit(record: Mapping[str, Any]) -> None:
    """Print what a fit did: before and after, cost, and where everything is."""
    console = _console()
    test = record["test"]
    console.print(f"\n{record['data']['name']}, {test['rows']:,} test texts, 95 % intervals")
    console.print(before_after_table(record["baseline"], test))
    if record["history"]:
        console.print()
        console.print(history_table(record["history"]))
    console.print()
    console.print(_cost(record))
    console.print()
    console.print(f"plots     {'  '.join(record['plots'])}", markup=False)
    console.print(f"artifact  {record['artifact']}", markup=False)
    proof = record["proof"]
    console.print(
        f"proof     a fresh process gave the same probabilities for {proof['texts']} texts, "
        f"within {proof['difference']:.1e}"
    )
    run = Path(record["artifact"]).parent
    console.print(f'next      thawline predict {run} "a text of your own"', markup=False)


def _cost(record: Mapping[str, Any]) -> str:
    parameters, seconds = record["parameters"], record["seconds"]
    computed = record["prefix"]["texts"]
    prefix = f"{computed:,} texts read once" if computed else "all states from the store"
    stages = ", ".join(map(str, record["features"]))
    return "\n".join(
        [
            f"strategy  {record['strategy']}, line {record['line']}; head {record['head']} on the "
            f"{record['pooling']} of stage{'s' if len(record['features']) > 1 else ''} {stages}",
            f"trained   {parameters['trainable']:,} of {parameters['total']:,} parameters",
            f"seconds   {seconds['total']:.1f} in all: tokenising {seconds['tokenising']:.1f}, "
            f"prefix {seconds['prefix']:.1f} ({prefix}), training {seconds['training']:.1f}, "
            f"evaluation {seconds['evaluation']:.1f}",
            f"memory    {record['peak_memory_bytes'] / 1e6:,.0f} MB at the peak",
        ]
    )


def print_evaluation(scores: Mapping[str, Any]) -> None:
    """Print scores with intervals, and those of each class."""
    console = _console()
    console.print(f"\n{scores['rows']:,} texts of {scores['source']}, split {scores['split']}")
    table = _plain_table("", "value", "95 % interval")
    for name in ("accuracy", "f1_macro", "f1_weighted", "precision_macro", "recall_macro"):
        score = scores[name]
        interval = f"{100 * score['low']:.1f} to {100 * score['high']:.1f}"
        table.add_row(name.replace("_", " "), f"{100 * score['value']:.2f} %", interval)
    for name in ("loss", "calibration_error"):
        score = scores[name]
        interval = f"{score['low']:.3f} to {score['high']:.3f}"
        table.add_row(name.replace("_", " "), f"{score['value']:.4f}", interval)
    console.print(table)
    console.print()
    console.print(per_class_table(scores, scores["labels"]))


def print_predictions(records: Sequence[Mapping[str, Any]]) -> None:
    """Print one record a text."""
    console = _console()
    for record in records:
        if "neg_prob" in record:
            shares = f"neg_prob {record['neg_prob']:.4f}  pos_prob {record['pos_prob']:.4f}"
        else:
            shares = f"confidence {record['confidence']:.4f}"
        console.print(f"{record['label']}  {shares}  {record['text']}", markup=False)


def print_info(described: Mapping[str, Any]) -> None:
    """Print a backbone's stages with the thaw line between them."""
    console = _console()
    console.print(
        f"{described['backbone']}: {described['family']}, {described['hidden_size']} wide, "
        f"up to {described['max_length']} tokens"
    )
    table = _plain_table("stage", "part", "parameters", "")
    for stage in described["stages"]:
        state = "frozen" if stage["frozen"] else "trained"
        table.add_row(str(stage["stage"]), stage["name"], f"{stage['parameters']:,}", state)
    console.print(table)
    parameters = described["parameters"]
    console.print(f"strategy   {described['strategy']}, thaw line {described['line']}")
    console.print(
        f"head       {described['head']} on {described['pooling']}, "
        f"features {described['features']}"
    )
    for name in ("trainable", "frozen", "total"):
        console.print(f"{name:<10} {parameters[name]:,}")


def print_store(entries: Sequence[Mapping[str, Any]], home: Path) -> None:
    """Print what the store holds."""
    console = _console()
    console.print(f"store in {home / 'store'}", markup=False)
    table = _plain_table("backbone", "tokens", "cut", "dtype", "texts", "MB", "entry")
    for entry in entries:
        table.add_row(
            entry["name"],
            str(entry["max_length"]),
            entry["truncation_side"],
            entry["dtype"],
            f"{entry['texts']:,}",
            f"{entry['bytes'] / 1e6:,.1f}",
            entry["entry"][:8],
        )
    console.print(table if entries else "empty")
