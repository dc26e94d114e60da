"""Word vectors into GloVe's text format."""

from __future__ import annotations

from pathlib import Path

from thawline.backbones.vectors.table import Vectors
from thawline.runtime.files import new_file


def write_vectors(vectors: Vectors, path: Path) -> None:
    """Write a word and its numbers a line; the file appears whole or not at all.

    Args:
        vectors: of words without a space or a line break in them.
        path: of the file, which is replaced where it is there.
    """
    with (
        new_file(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as stream,
    ):
        for word, row in zip(vectors.words, vectors.matrix, strict=True):
            # Nine digits bring every fp32 number back to the bit.
            stream.write(f"{word} {' '.join(f'{number:.9g}' for number in row)}\n")
