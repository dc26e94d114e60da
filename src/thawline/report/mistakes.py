"""The error analysis of a run: the most confident mistakes as CSV, and lines for the terminal."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

MISTAKES = "mistakes.csv"
"""Its name in a run's folder."""

_COLUMNS = ("row", "label", "predicted", "probability", "tokens", "truncated")


def write_mistakes(mistakes: Sequence[Mapping[str, Any]], folder: Path, *, pairs: bool) -> Path:
    """Write mistakes with their whole texts as ``mistakes.csv``: UTF-8, by RFC 4180.

    Args:
        mistakes: as `analysis.confident_mistakes` returns them.
        folder: where the file goes.
        pairs: whether a text is two, ``text`` and ``text_pair``.

    Returns:
        The file's path.
    """
    path = folder / MISTAKES
    texts = ("text", "text_pair") if pairs else ("text",)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, *texts])
        for mistake in mistakes:
            text = mistake["text"]
            parts = [text] if isinstance(text, str) else list(text)
            writer.writerow([*(mistake[column] for column in _COLUMNS), *parts])
    return path


def mistakes_sections(found: Mapping[str, Any], most: int) -> Iterator[RenderableType]:
    """Yield what a fit's terminal says of its mistakes.

    Args:
        found: the ``mistakes`` of a record: the ``rows`` of all, the number of ``texts``, the
            ``most_confident`` with their texts shortened, and the ``error_rates``.
        most: how many are listed; the others are in the file.
    """
    listed = found["most_confident"]
    if not listed:
        yield f"mistakes  none in {found['texts']:,} texts"
        return
    every = len(listed) == len(found["rows"])
    which = "all" if every else f"the {len(listed):,} most confident"
    many = f"{len(found['rows']):,} of {found['texts']:,} texts"
    yield f"mistakes  {many}; {which} are in {MISTAKES}:"
    yield _mistakes_table(listed[:most])
    yield from _rate_lines(found["error_rates"])


def _mistakes_table(mistakes: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("label", "predicted"):
        table.add_column(name, no_wrap=True, max_width=14, overflow="ellipsis")
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("text")
    for mistake in mistakes:
        tokens = f"{mistake['tokens']:,}"
        table.add_row(
            Text(mistake["label"]),
            Text(mistake["predicted"]),
            f"{100 * mistake['probability']:.1f} %",
            f"{tokens} (cut)" if mistake["truncated"] else tokens,
            # The column may shrink, as it is none that forbids wrapping; the text itself does.
            Text(mistake["text"], no_wrap=True, overflow="ellipsis"),
        )
    return table


def _rate_lines(rates: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each way of parting the texts that parts them."""
    whole, truncated = rates["whole"], rates["truncated"]
    if whole["rows"] and truncated["rows"]:
        yield f"wrong     {_share(whole)} of whole texts, {_share(truncated)} of cut ones"
    quarters = rates["by_length"]
    if len(quarters) > 1:
        values = [f"{100 * part['error_rate']['value']:.1f} %" for part in quarters]
        ends = [f"to {part['longest']:,}" for part in quarters[1:-1]]
        first = f"{values[0]} wrong up to {quarters[0]['longest']:,} tokens"
        later = [f"{v} {end}" for v, end in zip(values[1:], [*ends, "above"], strict=True)]
        yield f"by length {', '.join([first, *later])}"


def _share(part: Mapping[str, Any]) -> str:
    value, low, high = (100 * part["error_rate"][end] for end in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def samples_table(samples: Sequence[Mapping[str, Any]]) -> Table:
    """Set what was predicted of sample texts before training beside what was after.

    Args:
        samples: as `analysis.before_after` returns them. Names and texts are shown as they are.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("sample text", overflow="fold", min_width=24)
    for name in ("label", "untrained", "adapted"):
        table.add_column(name, overflow="fold", max_width=18)
    for sample in samples:
        said = [sample["untrained"], sample["adapted"]]
        table.add_row(
            Text(sample["text"]),
            Text(sample["label"]),
            *(Text(f"{one['predicted']} {100 * one['probability']:.1f} %") for one in said),
        )
    return table
