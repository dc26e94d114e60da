"""The findings of `thawline preflight` as tables for a terminal of 80 columns, without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from thawline.report.tables import MISSING
from thawline.runs.records import (
    AgainstFile,
    Copies,
    CopyExample,
    CopyPlace,
    PreflightReport,
    SurveyedRows,
)

MAX_CLASSES = 12
"""The largest number of classes that are all listed.

If there are more classes, only the largest and the smallest ones are listed.
"""


def preflight_sections(report: PreflightReport) -> Iterator[RenderableType]:
    """Yield the sections of a report, the findings first.

    Square brackets in names and texts are printed literally.
    """
    findings = [_wrapped(line) for line in report.findings]
    yield "\n".join(["findings:", *findings] if findings else ["findings: none"])
    yield _rows_table(report)
    yield _tokens_table(report)
    yield _duplicates_table(report)
    yield from _duplicate_examples(report)
    if report.against is not None:
        yield _comparison(report.against, report.file)
    yield _shown_rows(report)


def _wrapped(finding: str) -> str:
    return textwrap.fill(
        finding, 79, initial_indent="  ", subsequent_indent="    ", break_long_words=False
    )


def _table(*columns: str) -> Table:
    """Return an empty table without lines. All columns but the first are right-aligned."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(
            column, justify="right" if index else "left", overflow="fold", no_wrap=index > 0
        )
    return table


def _texts_table(rows: Sequence[tuple[str, str, str]]) -> Table:
    """Return a table of places, labels and texts. Each text is cut off at the end of the line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for most in (28, 20):
        table.add_column(no_wrap=True, max_width=most, overflow="ellipsis")
    table.add_column()
    for place, label, text in rows:
        # A column with no_wrap would not shrink, so the text itself forbids wrapping.
        shown = Text(text, no_wrap=True, overflow="ellipsis")
        table.add_row(Text(f"  {place}"), Text(label), shown)
    return table


def _columns(report: PreflightReport) -> dict[str, SurveyedRows]:
    columns: dict[str, SurveyedRows] = {**dict(report.splits.items())}
    return columns | {"all": report.all}


def _rows_table(report: PreflightReport) -> Table:
    columns = _columns(report)
    table = _table("rows", *columns)
    sizes = report.all.classes
    for label in listed_classes(sizes):
        counts = [f"{part.classes[label]:,}" for part in columns.values()]
        table.add_row(Text(label), *counts)
    if len(sizes) > MAX_CLASSES:
        table.add_row(f"({len(sizes) - MAX_CLASSES:,} other classes)")
    table.add_row("all classes", *(f"{part.rows:,}" for part in columns.values()))
    ratios = [part.imbalance for part in columns.values()]
    table.add_row(
        "largest / smallest",
        *(MISSING if ratio is None else f"{ratio:.1f}" for ratio in ratios),
    )
    table.add_row("empty texts", *(f"{part.empty:,}" for part in columns.values()))
    return table


def listed_classes(sizes: Mapping[str, int]) -> list[str]:
    """Return the classes that are listed, in the order of their ids."""
    ordered = sorted(sizes, key=sizes.__getitem__)
    half = MAX_CLASSES // 2
    listed = ordered if len(ordered) <= MAX_CLASSES else [*ordered[:half], *ordered[-half:]]
    return [label for label in sizes if label in set(listed)]


def _tokens_table(report: PreflightReport) -> Table:
    columns = _columns(report)
    table = _table(f"tokens ({report.backbone})", *columns)
    for name in report.all.tokens:
        lengths = [part.tokens[name] for part in columns.values()]
        table.add_row(name, *(MISSING if one is None else f"{one:,}" for one in lengths))
    shares = [part.truncated for part in columns.values()]
    kept = "first" if report.truncation_side == "right" else "last"
    table.add_row(
        f"truncated to {kept} {report.max_length:,}",
        *(MISSING if share is None else f"{100 * share:.1f} %" for share in shares),
    )
    return table


def _duplicates_table(report: PreflightReport) -> Table:
    exact, near = report.duplicates.exact, report.duplicates.near
    table = _table("duplicates", "exact", "labels differ", "near", "labels differ")
    for name in exact.within:
        pair = (exact.within[name], None if near is None else near.within[name])
        table.add_row(f"within {name}", *_counts(pair))
    nears = [None] * len(exact.across) if near is None else near.across
    for one, other in zip(exact.across, nears, strict=True):
        earlier, later = one.splits
        table.add_row(f"{later} texts in {earlier}", *_counts((one, other)))
    leakage = report.leakage
    table.add_row("test texts in train or validation", *_counts((leakage.exact, leakage.near)))
    return table


def _counts(found: Sequence[Copies | None]) -> list[str]:
    return [
        MISSING if number is None else f"{number:,}"
        for part in found
        for number in ((None, None) if part is None else (part.texts, part.conflicting))
    ]


def _duplicate_examples(report: PreflightReport) -> Iterator[Group]:
    """Yield examples of leakage, and of texts that have several labels within a split."""
    leakage = report.leakage
    kinds = {"test texts that also occur in train or validation": leakage.exact}
    if leakage.near is not None:
        kinds["other test texts with near duplicates in train or validation"] = leakage.near
    for name, part in report.duplicates.exact.within.items():
        if part.conflicting:
            kinds[f"{name} texts with more than one label"] = part
    for kind, part in kinds.items():
        if part.examples:
            rows = [row for one in part.examples for row in _example_rows(one)]
            yield Group(f"examples of {kind}:", _texts_table(rows))


def _example_rows(example: CopyExample) -> list[tuple[str, str, str]]:
    """Return a single row for equal texts, and a row for each text of near duplicates."""
    copies = example.copies
    places = [f"{copy.split} {_row_numbers(copy)}" for copy in copies]
    labels = ["/".join(copy.labels) for copy in copies]
    if len({copy.text for copy in copies}) == 1 and example.similarity == 1:
        every_label = dict.fromkeys(label for copy in copies for label in copy.labels)
        return [(" = ".join(places), "/".join(every_label), copies[0].text)]
    marks = ["", *(f"{100 * example.similarity:.0f} % " for _ in copies[1:])]
    return [
        (f"{mark}{place}", label, copy.text)
        for mark, place, label, copy in zip(marks, places, labels, copies, strict=True)
    ]


def _row_numbers(copy: CopyPlace) -> str:
    more = ", …" if copy.copies > 2 else ""
    return ", ".join(str(row) for row in copy.rows[:2]) + more


def _comparison(against: AgainstFile, file: str | None) -> str:
    """Describe how many texts of another file the data set contains."""
    counts = ", ".join(f"{count:,} in {name}" for name, count in against.found_in.items())
    return (
        f"comparison with {file}:\n"
        f"  {against.texts:,} texts, of which {against.distinct:,} are distinct\n"
        f"  found in the data set: {counts}"
    )


def _shown_rows(report: PreflightReport) -> Group:
    rows = [
        (f"{name} {row.row}", row.label, row.text)
        for name, part in report.splits.items()
        for row in part.shown
    ]
    notes = [
        f"  (the {name} rows are numbered as in {part.source})"
        for name, part in report.splits.items()
        if part.source != name
    ]
    return Group("random rows:", _texts_table(rows), *notes)
