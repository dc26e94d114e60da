"""The mistakes of a run: the most confident ones as CSV, and a summary for the terminal."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table

from thawline.data.texts import one_string
from thawline.report.tables import literal, with_interval
from thawline.runs.records import Answer, ErrorRate, ErrorRates, Mistake, Mistakes, Sample
from thawline.runtime.files import new_file
from thawline.runtime.terminal import KEPT

MISTAKES = "mistakes.csv"
"""The name of the file in a run's folder."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""The characters with which a spreadsheet lets a formula start."""

_COLUMNS = ("row", "label", "predicted", "probability", "tokens", "truncated")

MAX_ANSWERS = 50
"""The number of the user's own texts that are shown in a terminal."""


def write_mistakes(mistakes: Sequence[Mistake], folder: Path, *, pairs: bool) -> Path:
    """Write mistakes to ``mistakes.csv``, in UTF-8 and in the format of RFC 4180.

    A label or a text that a spreadsheet could take for a formula gets an apostrophe in front, and
    so does one that starts with an apostrophe. To read the original, remove one apostrophe.

    Args:
        mistakes: The mistakes, with their complete texts.
        folder: The folder of the file.
        pairs: Whether each text is a pair. Pairs have the columns ``text`` and ``text_pair``.

    Returns:
        The path of the file.
    """
    path = folder / MISTAKES
    texts = ("text", "text_pair") if pairs else ("text",)
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, *texts])
        for mistake in mistakes:
            parts = [mistake.text] if isinstance(mistake.text, str) else list(mistake.text)
            cells = [*(getattr(mistake, column) for column in _COLUMNS), *parts]
            writer.writerow([_without_formula(cell) for cell in cells])
    return path


def _without_formula(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(cell, str) and cell.lstrip(" ").startswith((*FORMULA, "'")):
        return f"'{cell}"
    return cell


def mistakes_sections(found: Mistakes, most: int, unit: str = "tokens") -> Iterator[RenderableType]:
    """Yield what a fit prints about its mistakes.

    Args:
        found: The mistakes.
        most: The largest number of mistakes that are printed.
        unit: The unit of the lengths of texts, ``tokens`` or ``words``.
    """
    saved = found.most_confident
    if not saved:
        yield f"mistakes  none in {found.texts:,} test texts"
        return
    which = "all of them" if len(saved) == len(found.rows) else f"the {len(saved):,} most confident"
    yield f"mistakes  {len(found.rows):,} of {found.texts:,} test texts; {MISTAKES} lists {which}:"
    yield _mistakes_table(saved[:most], unit)
    yield from _error_rates(found.error_rates, unit)


def _mistakes_table(mistakes: Sequence[Mistake], unit: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("label", "predicted"):
        table.add_column(name, no_wrap=True, max_width=14, overflow="ellipsis")
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column(unit, justify="right", no_wrap=True)
    table.add_column("text")
    for mistake in mistakes:
        tokens = f"{mistake.tokens:,}"
        table.add_row(
            literal(mistake.label),
            literal(mistake.predicted),
            f"{100 * mistake.probability:.1f} %",
            f"{tokens} (truncated)" if mistake.truncated else tokens,
            # A column with no_wrap would not shrink, so the text itself forbids wrapping.
            literal(one_string(mistake.text), KEPT, no_wrap=True, overflow="ellipsis"),
        )
    return table


def _error_rates(rates: ErrorRates, unit: str) -> Iterator[RenderableType]:
    """Yield a table of the error rates by truncation and by length, if texts differ in these."""
    rows: list[tuple[str, ErrorRate]] = []
    if rates.whole.rows and rates.truncated.rows:
        rows += [("complete texts", rates.whole), ("truncated texts", rates.truncated)]
    if len(rates.by_length) > 1:
        rows += [(f"{one.shortest:,} to {one.longest:,} {unit}", one) for one in rates.by_length]
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("errors by length", no_wrap=True)
    for name in ("texts", "mistakes", "error rate"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, part in rows:
        rate = with_interval(part.error_rate, share=True)
        table.add_row(name, f"{part.rows:,}", f"{part.mistakes:,}", rate)
    yield ""
    yield table


def samples_table(samples: Sequence[Sample]) -> Table:
    """Return a table of sample texts with their predictions before and after training.

    Square brackets in names and texts are printed literally.
    """
    return _predictions_table("sample text", ("label",), samples)


def answers_table(answers: Sequence[Answer]) -> Table:
    """Return a table of the first of the user's own texts, which has no column for the label."""
    table = _predictions_table("your text", (), answers[:MAX_ANSWERS])
    more = len(answers) - MAX_ANSWERS
    if more > 0:
        table.add_row(f"and {more:,} more in record.json")
    return table


def _predictions_table(
    title: str, attributes: Sequence[str], texts: Sequence[Sample] | Sequence[Answer]
) -> Table:
    """Return a table of texts with some attributes and both predictions."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title, overflow="fold", min_width=24)
    for name in (*attributes, "untrained", "adapted"):
        table.add_column(name, overflow="fold", max_width=18)
    for text in texts:
        predictions = (text.untrained, text.adapted)
        table.add_row(
            literal(one_string(text.text), KEPT),
            *(literal(getattr(text, name)) for name in attributes),
            *(literal(f"{one.predicted} {100 * one.probability:.1f} %") for one in predictions),
        )
    return table
