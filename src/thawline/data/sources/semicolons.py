"""Read text files whose lines hold a text, a semicolon and a label, as the Emotion set has them."""

from __future__ import annotations

from thawline.data.sources.fasttext import PREFIX, open_fasttext
from thawline.data.sources.files import DataFile
from thawline.data.sources.rows import first_line
from thawline.data.sources.tables import LABEL_COLUMNS, TEXT_COLUMNS, Table
from thawline.data.texts import shorten
from thawline.errors import ThawlineError

SEPARATOR = ";"

_MAX_WORDS = 3
"""The largest number of words of a label."""

_FIX = "save the texts and labels as CSV with a header"


def open_text(file: DataFile) -> Table:
    """Read a ``.txt`` file, in the format of fastText or with a label at the end of each line.

    Raises:
        ThawlineError: If the file cannot be read, if a line has no label, or if it is not certain
            that the words after the semicolons are labels.
    """
    head = first_line(file)
    if head.startswith(PREFIX) or SEPARATOR not in head:
        return open_fasttext(file)
    return _open_semicolons(file)


def _open_semicolons(file: DataFile) -> Table:
    """Read a text and a label from each line. A text may contain semicolons, too."""
    columns: dict[str, list[str]] = {"text": [], "label": []}
    with file.open_text(newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            text, _, label = line.strip("\ufeff\r\n").rpartition(SEPARATOR)
            if not text.strip() or not 0 < len(label.split()) <= _MAX_WORDS:
                raise ThawlineError(
                    f"a text, a semicolon and a label in each line of {file.where}, because its "
                    "first line has a semicolon",
                    f"{shorten(repr(line.strip()))} in line {number}",
                    _FIX,
                )
            if not columns["text"] and _is_header(text, label):
                raise ThawlineError(
                    f"a text and its label in the first line of {file.where}",
                    f"the header {shorten(repr(line.strip()))}",
                    "rename the file to end in .csv",
                )
            columns["text"].append(text)
            columns["label"].append(label.strip())
    texts, labels = (len(set(columns[name])) for name in ("text", "label"))
    rows = len(columns["text"])
    if labels > rows // 2 or labels >= texts:
        raise ThawlineError(
            f"labels that repeat, after the last semicolon of each line of {file.where}",
            f"{labels:,} different ones after {texts:,} different texts in {rows:,} lines",
            _FIX,
        )
    warning = f"{file.where} has no header: the labels follow the last semicolon of each line"
    return Table(file.where, tuple(columns), columns.__getitem__, warnings=(warning,))


def _is_header(text: str, label: str) -> bool:
    return text.strip().lower() in TEXT_COLUMNS and label.strip().lower() in LABEL_COLUMNS
