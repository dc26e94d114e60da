"""Write values as short texts, with spaces that do not break."""

from __future__ import annotations

import re
from collections.abc import Sequence

from thawline.data.texts import one_string
from thawline.report.html.blocks import Cell
from thawline.report.tables import MISSING, rounded_up
from thawline.runs.records import FitRecord, Score
from thawline.runs.records.mistakes import RecordedText

SPACE = "\N{NO-BREAK SPACE}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share as "85.4 %"."""
    return f"{100 * share:.{digits}f}{SPACE}%"


def points(share: float, *, signed: bool = False) -> str:
    """Return a difference of shares as "+3.6 points", or without its sign as "1 point"."""
    number = f"{100 * share:+z.1f}" if signed else f"{100 * share:g}"
    return f"{number}{SPACE}point{'' if number.lstrip('+-') in ('1', '1.0') else 's'}"


def interval(score: Score, *, share: bool = True) -> str:
    """Return the interval of a score as "83.8 to 86.9 %"."""
    if share:
        return f"{100 * score.low:.1f} to {100 * score.high:.1f}{SPACE}%"
    return f"{score.low:.3f} to {score.high:.3f}"


def value(score: Score, *, share: bool = True) -> str:
    """Return the value of a score as "85.4 %" or "0.372"."""
    return percent(score.value) if share else f"{score.value:.3f}"


def score_cell(score: Score | None, *, share: bool = True) -> Cell:
    """Return a cell with a score, above its interval."""
    if score is None:
        return Cell(MISSING)
    return Cell(value(score, share=share), score.value, interval(score, share=share))


def number_cell(number: float | None) -> Cell:
    """Return a cell with a whole number."""
    return Cell(MISSING) if number is None else Cell(f"{number:,.0f}", number)


def share_cell(share: float | None) -> Cell:
    """Return a cell with a share in per cent."""
    return Cell(MISSING) if share is None else Cell(percent(share), share)


def seconds(number: float) -> str:
    """Return a duration as "0.42 s", "7.5 s", "312 s", "5 min 12 s" or "2 h 5 min"."""
    if number < 10:
        return f"{number:.2g}{SPACE}s"
    if number < 600:
        return f"{number:.0f}{SPACE}s"
    minutes, rest = divmod(round(number), 60)
    if minutes < 60:
        return f"{minutes}{SPACE}min {rest}{SPACE}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{SPACE}h {minutes}{SPACE}min"


def seconds_cell(number: float | None) -> Cell:
    """Return a cell with a duration."""
    return Cell(MISSING) if number is None else Cell(seconds(number), number)


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, for example "1 text" or "2,000 texts"."""
    many = f"{noun}s" if plural is None else plural
    return f"{number:,} {noun if number == 1 else many}"


def shown_text(text: RecordedText) -> str:
    """Return a text, or both texts of a pair, as one string."""
    return one_string(text)


def length_unit(record: FitRecord) -> str:
    """Return the unit in which a run counts the lengths of texts: tokens or words."""
    return "words" if record.backbone is None else "tokens"


def about(number: int) -> str:
    """Return an estimate with two significant digits, for example "3,600"."""
    return f"{rounded_up(number):,}"


def unbroken(text: str) -> str:
    """Return a text in which no line ends between a number and its unit."""
    return re.sub(r"(?<=\d) (?=%|points?\b)", SPACE, text)


def listed(names: Sequence[str]) -> str:
    """Return names as "a, b and c"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def name_of(path: str) -> str:
    """Return the name of a backbone, which may be a folder. The rest of its path is private."""
    is_path = path.startswith(("/", "~", ".", "\\")) or path[1:3] in (":\\", ":/")
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] if is_path else path
