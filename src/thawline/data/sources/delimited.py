"""Read CSV and TSV files, with a header line or in one of the known formats without a header."""

from __future__ import annotations

from thawline.data.sources.fasttext import PREFIX, open_fasttext
from thawline.data.sources.files import DataFile
from thawline.data.sources.headers import name_columns
from thawline.data.sources.rows import first_line, read_rows
from thawline.data.sources.tables import Table
from thawline.errors import ThawlineError


def open_csv(file: DataFile) -> Table:
    """Read a CSV file. Its delimiter, and its columns without a header, are recognised.

    The published files of AG News, Yelp and DBpedia have no header: each line holds the number of
    a class and one or two texts. The columns of such a file are ``label`` and ``text``, or
    ``label``, ``title``, ``description`` and ``text``, where ``text`` is the title and the
    description joined by a space.

    Raises:
        ThawlineError: If the file cannot be read, has an unknown encoding, is truncated or has an
            invalid row.
    """
    return _open(file, ",")


def open_tsv(file: DataFile) -> Table:
    """Read a TSV file like `open_csv`.

    Quotation marks belong to the texts unless the file is quoted consistently.

    Raises:
        ThawlineError: If the file cannot be read, has an unknown encoding, is truncated or has an
            invalid row.
    """
    return _open(file, "\t")


def _open(file: DataFile, delimiter: str) -> Table:
    if first_line(file).startswith(PREFIX):  # a file of fastText with another suffix
        try:
            return open_fasttext(file)
        except ThawlineError:
            pass  # a label column whose values have the prefix
    return name_columns(read_rows(file, delimiter), file.path)
