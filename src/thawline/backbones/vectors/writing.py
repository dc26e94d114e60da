"""Write word vectors in GloVe's text format."""

from __future__ import annotations

from pathlib import Path

from thawline.backbones.vectors.table import Vectors
from thawline.runtime.files import new_file


def write_vectors(vectors: Vectors, path: Path) -> None:
    """Write one word and its numbers per line.

    Args:
        vectors: The vectors. Their words must not contain spaces or line breaks.
        path: The path of the file. An existing file is replaced atomically.
    """
    with (
        new_file(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as stream,
    ):
        for word, row in zip(vectors.words, vectors.matrix, strict=True):
            # Nine significant digits are enough to restore every fp32 number exactly.
            stream.write(f"{word} {' '.join(f'{number:.9g}' for number in row)}\n")
