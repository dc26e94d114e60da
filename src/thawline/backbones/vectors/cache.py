"""Cache text files of word vectors in a binary format that can be mapped into memory.

Below ``THAWLINE_HOME``::

    vectors/<key>/vectors.npy   the matrix
    vectors/<key>/words.txt     one word per line

The key depends on the file's path, size and modification time. The folder is created atomically.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from thawline.backbones.vectors.reading import read_blocks
from thawline.backbones.vectors.table import Vectors
from thawline.data.sources.files import DataFile
from thawline.runtime.files import new_folder
from thawline.runtime.paths import home
from thawline.runtime.progress import Reporter

FORMAT = 1
MATRIX, WORDS = "vectors.npy", "words.txt"


def cached_vectors(file: DataFile, name: str, reporter: Reporter) -> Vectors:
    """Return the vectors of a text file; on first use, cache them in the binary format.

    Args:
        file: The text file, plain or compressed.
        name: The name that the user gave to the vectors.
        reporter: Receives the progress if the text file is read.

    Returns:
        The vectors, with a matrix that is mapped into memory.

    Raises:
        ThawlineError: If the text file cannot be read or has an invalid line.
        OSError: If the cache cannot be written.
    """
    folder = home() / "vectors" / _key(file)
    if not folder.is_dir():
        try:
            with new_folder(folder) as temporary:
                _write(file, temporary, reporter)
        except OSError:
            if not folder.is_dir():  # otherwise another process wrote it in the meantime
                raise
    matrix = np.load(folder / MATRIX, mmap_mode="r")
    # `splitlines` would also split at line separators of Unicode, which may be words.
    words = (folder / WORDS).read_bytes().decode("utf-8").split("\n")[:-1]
    return Vectors(name, words, matrix)


def _key(file: DataFile) -> str:
    status = file.path.stat()
    path = str(file.path.resolve())
    identity = json.dumps([FORMAT, path, file.member, status.st_size, status.st_mtime_ns])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _write(file: DataFile, folder: Path, reporter: Reporter) -> None:
    rows, width = 0, 0
    with (folder / MATRIX).open("wb") as matrix, (folder / WORDS).open("wb") as words:
        for names, block in read_blocks(file, reporter):
            if not rows:
                width = block.shape[1]
                _write_header(matrix, 0, width)
            matrix.write(block.tobytes())
            words.write("".join(f"{name}\n" for name in names).encode())
            rows += len(names)
        # The number of rows is only known now. numpy reserves space for it in the header.
        matrix.seek(0)
        _write_header(matrix, rows, width)


def _write_header(stream: object, rows: int, width: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    np.lib.format.write_array_header_1_0(stream, header)  # type: ignore[arg-type]
