"""Read the text files of fastText, whose lines begin with ``__label__`` and the label."""

from __future__ import annotations

import re

from thawline.data.sources.files import DataFile
from thawline.data.sources.tables import Table
from thawline.data.texts import shorten
from thawline.errors import ThawlineError

PREFIX = "__label__"
"""The start of each line."""

_LINE = re.compile(rf"{PREFIX}(\S+)(?:\s+(.*))?", re.DOTALL)


def open_fasttext(file: DataFile) -> Table:
    """Read a text file with a label and a text in each line.

    Raises:
        ThawlineError: If the file cannot be read, or if a line has no label or several.
    """
    columns: dict[str, list[str]] = {"label": [], "text": []}
    with file.open_text(newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            match = _LINE.fullmatch(line.strip("\ufeff\r\n"))
            text = "" if match is None else match[2] or ""
            if match is None or "," in match[1] or text.startswith(PREFIX):
                fix = "give each text one label, or save the texts and labels as CSV with a header"
                if "\t" in line and PREFIX not in line:
                    fix = "rename the file to end in .tsv if tabs separate its cells"
                several = "two labels" if text.startswith(PREFIX) else shorten(repr(line.strip()))
                raise ThawlineError(
                    f"one label at the start of each line, such as '{PREFIX}pos', in {file.where}",
                    f"{several} in line {number}",
                    fix,
                )
            columns["label"].append(match[1])
            columns["text"].append(text)
    warning = f"{file.where} has the format of fastText: the labels follow '{PREFIX}'"
    return Table(file.where, tuple(columns), columns.__getitem__, warnings=(warning,))
