"""A survey of labelled texts as tables for a terminal of 80 columns, readable without colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from thawline.report.tables import MISSING

MOST_CLASSES = 12
"""Classes that are listed; of more, the largest and the smallest are."""


def preflight_sections(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Yield a survey section by section, what stands out first.

    Args:
        report: as `preflight.preflight` returns it. Names and texts are shown as they are: square
            brackets in them are no markup.
    """
    findings = [f"  {line}" for line in report["findings"]]
    yield "\n".join(["what stands out:", *findings] if findings else ["nothing stands out"])
    yield _rows_table(report)
    yield _tokens_table(report)
    yield _duplicates_table(report)
    yield from _copies(report)
    if report["against"] is not None:
        yield _against(report)
    yield _shown_rows(report)


def _table(*columns: str) -> Table:
    """Make a table without lines, all but its first column to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(
            column, justify="right" if index else "left", overflow="fold", no_wrap=index > 0
        )
    return table


def _texts_table(rows: Sequence[tuple[str, str, str]]) -> Table:
    """Make a table of places, labels and texts; a text takes what room is left on its line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for most in (28, 20):
        table.add_column(no_wrap=True, max_width=most, overflow="ellipsis")
    table.add_column()
    for place, label, text in rows:
        # The column may shrink, as it is none that forbids wrapping; the text itself does.
        shown = Text(text, no_wrap=True, overflow="ellipsis")
        table.add_row(Text(f"  {place}"), Text(label), shown)
    return table


def _columns(report: Mapping[str, Any]) -> dict[str, Any]:
    return {**report["splits"], "all": report["all"]}


def _rows_table(report: Mapping[str, Any]) -> Table:
    columns = _columns(report)
    table = _table("rows", *columns)
    sizes = report["all"]["classes"]
    for label in _listed(sizes):
        counts = [f"{part['classes'][label]:,}" for part in columns.values()]
        table.add_row(Text(label), *counts)
    if len(sizes) > MOST_CLASSES:
        table.add_row(f"({len(sizes) - MOST_CLASSES:,} classes between)")
    table.add_row("all classes", *(f"{part['rows']:,}" for part in columns.values()))
    ratios = [part["imbalance"] for part in columns.values()]
    table.add_row(
        "largest to smallest",
        *(MISSING if ratio is None else f"{ratio:.1f}" for ratio in ratios),
    )
    table.add_row("empty texts", *(f"{part['empty']:,}" for part in columns.values()))
    return table


def _listed(sizes: Mapping[str, int]) -> list[str]:
    """Return the classes that are listed, in their own order."""
    ordered = sorted(sizes, key=sizes.__getitem__)
    half = MOST_CLASSES // 2
    listed = ordered if len(ordered) <= MOST_CLASSES else [*ordered[:half], *ordered[-half:]]
    return [label for label in sizes if label in set(listed)]


def _tokens_table(report: Mapping[str, Any]) -> Table:
    columns = _columns(report)
    table = _table(f"tokens ({report['backbone']})", *columns)
    for name in report["all"]["tokens"]:
        lengths = [part["tokens"][name] for part in columns.values()]
        table.add_row(name, *(MISSING if one is None else f"{one:,}" for one in lengths))
    shares = [part["truncated"] for part in columns.values()]
    table.add_row(
        f"cut at {report['max_length']:,} ({report['truncation_side']})",
        *(MISSING if share is None else f"{100 * share:.1f} %" for share in shares),
    )
    return table


def _duplicates_table(report: Mapping[str, Any]) -> Table:
    exact, near = report["duplicates"]["exact"], report["duplicates"]["near"]
    table = _table("duplicates", "exact", "labels differ", "near", "labels differ")
    for name in exact["within"]:
        pair = (exact["within"][name], None if near is None else near["within"][name])
        table.add_row(f"within {name}", *_counts(pair))
    nears = [None] * len(exact["across"]) if near is None else near["across"]
    for one, other in zip(exact["across"], nears, strict=True):
        earlier, later = one["splits"]
        table.add_row(f"{later} texts in {earlier}", *_counts((one, other)))
    leakage = report["leakage"]
    table.add_row(
        "test texts in train or validation", *_counts((leakage["exact"], leakage["near"]))
    )
    return table


def _counts(found: Sequence[Mapping[str, Any] | None]) -> list[str]:
    return [
        MISSING if part is None else f"{part[key]:,}"
        for part in found
        for key in ("texts", "conflicting")
    ]


def _copies(report: Mapping[str, Any]) -> Iterator[Group]:
    """Yield examples of leakage, and of texts of one split whose labels differ."""
    leakage = report["leakage"]
    kinds = {"test texts in train or validation": leakage["exact"]}
    if leakage["near"] is not None:
        kinds["near duplicates of other test texts there"] = leakage["near"]
    for name, part in report["duplicates"]["exact"]["within"].items():
        if part["conflicting"]:
            kinds[f"texts that stand in {name} with more than one label"] = part
    for title, part in kinds.items():
        if part["examples"]:
            rows = [row for one in part["examples"] for row in _example_rows(one)]
            yield Group(f"{title}, such as", _texts_table(rows))


def _example_rows(example: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Show copies in one row, near duplicates in two."""
    copies = example["copies"]
    places = [f"{copy['split']} {_row_numbers(copy)}" for copy in copies]
    labels = ["/".join(copy["labels"]) for copy in copies]
    if len({copy["text"] for copy in copies}) == 1 and example["similarity"] == 1:
        every_label = dict.fromkeys(label for copy in copies for label in copy["labels"])
        return [(" = ".join(places), "/".join(every_label), copies[0]["text"])]
    marks = ["", *(f"{100 * example['similarity']:.0f} % " for _ in copies[1:])]
    return [
        (f"{mark}{place}", label, copy["text"])
        for mark, place, label, copy in zip(marks, places, labels, copies, strict=True)
    ]


def _row_numbers(copy: Mapping[str, Any]) -> str:
    more = ", …" if copy["copies"] > 2 else ""
    return ", ".join(str(row) for row in copy["rows"][:2]) + more


def _against(report: Mapping[str, Any]) -> str:
    against = report["against"]
    held = ", ".join(f"{count:,} in {name}" for name, count in against["in"].items())
    return (
        f"compared with {report['file']}:\n"
        f"  {against['texts']:,} texts, {against['distinct']:,} distinct ones, of which stand\n"
        f"  {held}"
    )


def _shown_rows(report: Mapping[str, Any]) -> Group:
    rows = [
        (f"{name} {row['row']}", row["label"], row["text"])
        for name, part in report["splits"].items()
        for row in part["shown"]
    ]
    carved = [
        f"  ({name}'s row numbers are those in {part['source']})"
        for name, part in report["splits"].items()
        if part["source"] != name
    ]
    return Group("drawn at random", _texts_table(rows), *carved)
