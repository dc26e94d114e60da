"""The parts of a report: plain values, which the templates turn into HTML.

Strings are texts, not HTML. The templates escape all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from markupsafe import Markup

Tone = Literal["", "good", "caution", "bad"]
"""The meaning of a cell or a box, which its colour shows in addition to its words."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: The text.
        sort: The value by which the rows are sorted. If None, they are sorted by the text.
        note: A second, smaller line. If empty, there is none.
        tone: The meaning of the cell.
        shade: The strength of the background, from 0 to 1. If None, there is no background.
    """

    text: str
    sort: float | None = None
    note: str = ""
    tone: Tone = ""
    shade: float | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: The heading.
        numeric: Whether the cells are right-aligned.
        prose: Whether the cells hold long texts, which are wrapped.
        unit: A second, smaller line of the heading. If empty, there is none.
    """

    name: str
    numeric: bool = True
    prose: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A table. The first cell of each row is the heading of the row.

    Attributes:
        caption: What the table shows, in one sentence.
        columns: The columns.
        rows: The cells of each row.
        sortable: Whether the reader can sort the rows.
        matrix: Whether all cells are counts of equal size, as in a confusion matrix.
    """

    kind: ClassVar = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    sortable: bool = False
    matrix: bool = False


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        svg: The ``svg`` element.
        label: The text alternative, which says what the plot shows, with its main values.
        caption: What to see in the plot, and how to read it.
        narrow: The same plot for a small screen. If None, there is no such plot.
        wide: Whether the plot is too wide for a small screen, on which it scrolls.
    """

    kind: ClassVar = "plot"
    svg: Markup
    label: str
    caption: str
    narrow: Markup | None = None
    wide: bool = True


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar = "text"
    text: str


@dataclass(frozen=True)
class Lines:
    """A list of sentences, with an optional heading in a box whose colour is the tone."""

    kind: ClassVar = "lines"
    lines: Sequence[str]
    heading: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class Fact:
    """A term with its value, and an optional second line."""

    term: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """A list of terms with their values."""

    kind: ClassVar = "facts"
    facts: Sequence[Fact]


@dataclass(frozen=True)
class Code:
    """Commands or the content of a file, under a line that says what they are."""

    kind: ClassVar = "code"
    caption: str
    code: str


@dataclass(frozen=True)
class Details:
    """Blocks that are hidden until the reader opens them."""

    kind: ClassVar = "details"
    summary: str
    blocks: Sequence[Block]


Block = Table | Plot | Text | Lines | Facts | Code | Details


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Attributes:
        anchor: The name of the section in links within the page.
        title: The heading.
        blocks: The content.
    """

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Statement:
    """A sentence at the top of the page, under a label such as "Verdict"."""

    label: str
    text: str


@dataclass(frozen=True)
class Page:
    """A complete report.

    Attributes:
        subject: What is reported: a run, a comparison or a pretraining.
        title: The heading of the page.
        statements: The results in words.
        figures: The main values.
        sections: The sections.
        maker: The version of Thawline that made the results, and when.
        notices: Boxes with warnings, below the main values.
    """

    subject: str
    title: str
    statements: Sequence[Statement]
    figures: Sequence[Fact]
    sections: Sequence[Section]
    maker: str
    notices: Sequence[Lines] = field(default=())
