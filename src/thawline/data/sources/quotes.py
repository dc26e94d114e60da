"""Decide whether quotation marks enclose cells or belong to the texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from thawline.data.sources.parsing import Rows, unclosed_quotes


def is_enclosed(enclosed: Rows, plain: Rows, delimiter: str) -> bool:
    """Return whether quotation marks enclose cells, when both ways to read them are possible."""
    if enclosed.width != plain.width:
        return False
    if len(enclosed.cells) != len(plain.cells):
        # Each line has the right number of cells. Reading the lines as rows loses none of them.
        throughout = _is_quoted_throughout(enclosed, plain)
        return throughout or _has_gaps(enclosed.spread.values(), delimiter)
    for inside, outside in zip(
        zip(*enclosed.cells[1:], strict=True), zip(*plain.cells[1:], strict=True), strict=True
    ):
        if all(map(is_in_quotes, outside)):
            continue
        if any('"' in cell for cell in outside if not is_in_quotes(cell)):
            return False  # a program that encloses cells would have enclosed this one too
        if any('"' not in cell for cell, raw in zip(inside, outside, strict=True) if cell != raw):
            return False  # a cell that does not need quotation marks
    return True


def _is_quoted_throughout(enclosed: Rows, plain: Rows) -> bool:
    """Return whether a column is in quotation marks in every row that takes one line."""
    by_line = dict(zip(plain.lines, plain.cells, strict=True))
    short = [by_line[line] for row, line in enumerate(enclosed.lines) if row not in enclosed.spread]
    return len(short) > 2 and any(
        all(map(is_in_quotes, column)) for column in zip(*short[1:], strict=True)
    )


def _has_gaps(spread: Iterable[Sequence[str]], delimiter: str) -> bool:
    """Return whether a line inside a quoted cell has an empty cell, so that it is not a row."""
    return any(
        not cell.strip('" \r\n')
        for lines in spread
        for line in lines
        for cell in line.split(delimiter)
    )


def is_in_quotes(cell: str) -> bool:
    """Return whether a cell begins and ends with a quotation mark."""
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def without_quotes(cell: str) -> str:
    """Return a cell without the quotation marks that enclose it."""
    return cell[1:-1].replace('""', '"') if is_in_quotes(cell) else cell


# -- rows that take several lines -----------------------------------------------------------------


def check_spread(rows: Rows, delimiter: str) -> None:
    """Raise InvalidRows if a stray quotation mark made several rows the text of one cell."""
    if not rows.spread:
        return
    values = _values_of(rows)
    for row, lines in rows.spread.items():
        if _looks_like_rows(lines, rows.cells[row], values, delimiter):
            start = rows.lines[row]
            raise unclosed_quotes(
                rows.where,
                start,
                f"the {len(lines)} lines {start} to {start + len(lines) - 1} as one row, although "
                "each looks like a row",
            )


def _values_of(rows: Rows) -> list[set[str]]:
    """Return the values of each column in the rows that take one line."""
    short = [cells for row, cells in enumerate(rows.cells) if row and row not in rows.spread]
    return [{cell for cell in column if cell.strip()} for column in zip(*short, strict=True)]


def _looks_like_rows(
    lines: Sequence[str], row: Sequence[str], values: Sequence[set[str]], delimiter: str
) -> bool:
    """Return whether the lines inside a quoted cell look like rows of their own.

    A line looks like a row if it has the right number of cells and one of them, such as the label,
    also occurs elsewhere in its column. If there is no other row, its cells must not be empty.
    """
    split = [line.rstrip("\r\n").split(delimiter) for line in lines if line.strip()]

    def is_row(cells: list[str]) -> bool:
        if not values:
            return len(cells) == len(row) > 1 and all(cell.strip('" ') for cell in cells)
        return len(cells) == len(row) and any(
            cell in known or cell == own
            for cell, known, own in zip(cells, values, row, strict=True)
        )

    first, *inner, last = split
    if inner:
        return all(map(is_row, inner)) and (is_row(first) or is_row(last))
    return is_row(first) and is_row(last)
