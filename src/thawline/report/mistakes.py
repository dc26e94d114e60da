"""The error analysis of a run: the most confident mistakes as CSV, and lines for the terminal."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from thawline.data.texts import one_string
from thawline.report.tables import with_interval
from thawline.runs.records import ErrorRate, ErrorRates, Mistake, Mistakes, Sample

MISTAKES = "mistakes.csv"
"""The name of the file in a run's folder."""

_COLUMNS = ("row", "label", "predicted", "probability", "tokens", "truncated")


def write_mistakes(mistakes: Sequence[Mistake], folder: Path, *, pairs: bool) -> Path:
    """Write mistakes with their complete texts as ``mistakes.csv``, in UTF-8 and as RFC 4180 says.

    Args:
        mistakes: The mistakes.
        folder: The folder of the file.
        pairs: Whether each text is a pair, which takes the columns ``text`` and ``text_pair``.

    Returns:
        The path of the file.
    """
    path = folder / MISTAKES
    texts = ("text", "text_pair") if pairs else ("text",)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, *texts])
        for mistake in mistakes:
            parts = [mistake.text] if isinstance(mistake.text, str) else list(mistake.text)
            writer.writerow([*(getattr(mistake, column) for column in _COLUMNS), *parts])
    return path


def mistakes_sections(found: Mistakes, most: int) -> Iterator[RenderableType]:
    """Yield the sections that a fit prints about its mistakes.

    Args:
        found: The mistakes.
        most: The number of mistakes that are listed. The others are in the file.
    """
    listed = found.most_confident
    if not listed:
        yield f"mistakes  none in {found.texts:,} texts"
        return
    which = "all" if len(listed) == len(found.rows) else f"the {len(listed):,} most confident"
    yield f"mistakes  {len(found.rows):,} of {found.texts:,} texts; {which} are in {MISTAKES}:"
    yield _mistakes_table(listed[:most])
    yield from _rate_lines(found.error_rates)


def _mistakes_table(mistakes: Sequence[Mistake]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("label", "predicted"):
        table.add_column(name, no_wrap=True, max_width=14, overflow="ellipsis")
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("text")
    for mistake in mistakes:
        tokens = f"{mistake.tokens:,}"
        table.add_row(
            Text(mistake.label),
            Text(mistake.predicted),
            f"{100 * mistake.probability:.1f} %",
            f"{tokens} (cut)" if mistake.truncated else tokens,
            # The text itself forbids wrapping, because a column that does so would not shrink.
            Text(one_string(mistake.text), no_wrap=True, overflow="ellipsis"),
        )
    return table


def _rate_lines(rates: ErrorRates) -> Iterator[str]:
    """Yield a line for truncation and one for length, if there are texts of more than one kind."""
    whole, truncated = rates.whole, rates.truncated
    if whole.rows and truncated.rows:
        yield f"wrong     {_share(whole)} of whole texts, {_share(truncated)} of cut ones"
    quarters = rates.by_length
    if len(quarters) > 1:
        values = [f"{100 * part.mistakes / part.rows:.1f} %" for part in quarters]
        ends = [f"to {part.longest:,}" for part in quarters[1:-1]]
        first = f"{values[0]} wrong up to {quarters[0].longest:,} tokens"
        later = [f"{v} {end}" for v, end in zip(values[1:], [*ends, "above"], strict=True)]
        yield f"by length {', '.join([first, *later])}"


def _share(part: ErrorRate) -> str:
    return with_interval(part.error_rate, share=True)


def samples_table(samples: Sequence[Sample]) -> Table:
    """Return a table of sample texts with their predictions before and after training.

    Names and texts are shown as they are: square brackets in them are not markup.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("sample text", overflow="fold", min_width=24)
    for name in ("label", "untrained", "adapted"):
        table.add_column(name, overflow="fold", max_width=18)
    for sample in samples:
        guesses = (sample.untrained, sample.adapted)
        table.add_row(
            Text(one_string(sample.text)),
            Text(sample.label),
            *(Text(f"{one.predicted} {100 * one.probability:.1f} %") for one in guesses),
        )
    return table
