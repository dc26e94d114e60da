"""Write the table of a benchmark into a page of the documentation.

This module has no command of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path


def write_table(page: Path, name: str, text: str) -> None:
    """Write text into a page, between the comments ``<!-- NAME -->`` and ``<!-- /NAME -->``.

    Args:
        page: The Markdown file.
        name: The name in the comments.
        text: The text, which replaces the text between the comments.

    Raises:
        SystemExit: If the page lacks one of the comments.
    """
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, mark, rest = page.read_text(encoding="utf-8").partition(first)
    _, end, after = rest.partition(last)
    if not mark or not end:
        sys.exit(f"'{page.name}' lacks the comments {first} and {last}.")
    # A Markdown table needs an empty line before it.
    page.write_text(f"{before}{mark}\n\n{text}\n\n{end}{after}", encoding="utf-8")
