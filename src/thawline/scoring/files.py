"""Find the files to score, and name their outputs."""

from __future__ import annotations

import glob
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from thawline.data.sources.files import DataFile
from thawline.errors import ThawlineError
from thawline.runtime.paths import expand
from thawline.scoring.readers import READERS


def pair_files(given: str, output: str) -> list[tuple[DataFile, Path]]:
    """Return each input file with the path of its output.

    Args:
        given: A file, a folder, whose files are read with those of its subfolders, or a pattern
            such as ``reviews/*.parquet``.
        output: A file. For a folder or a pattern, a folder, in which each output has the name of
            its input.

    Raises:
        ThawlineError: If there is no such file.
    """
    source, target = expand(given), expand(output)
    if source.is_file():
        if target.is_dir():
            target /= _output_name(source)
        return [(DataFile(source), target)]
    if source.is_dir():
        root, found = source, sorted(source.rglob("*"))
    elif glob.has_magic(given):
        root, found = _root_of(source), sorted(map(Path, glob.glob(str(source), recursive=True)))
    else:
        fix = "check the path"
        raise ThawlineError("a file, a folder or a pattern", f"'{given}'", fix, setting="input")
    outputs = target.resolve()
    files = [
        path
        for path in found
        if path.is_file()
        and DataFile(path).suffix in READERS
        and not (outputs != root.resolve() and path.resolve().is_relative_to(outputs))
    ]
    if not files:
        expected = f"files that end in {', '.join(READERS)} in '{given}'"
        raise ThawlineError(expected, "none", "give another folder or pattern", setting="input")
    if target.is_file():
        fix = "give a folder for the outputs"
        raise ThawlineError("a folder for several outputs", f"the file '{output}'", fix)
    pairs = [
        (DataFile(path), target / path.parent.relative_to(root) / _output_name(path))
        for path in files
    ]
    by_target: dict[Path, Path] = {}
    for path, (_, each) in zip(files, pairs, strict=True):
        other = by_target.setdefault(each, path)
        if other != path:
            raise ThawlineError(
                "inputs with outputs of different names",
                f"'{each.name}' for '{other}' and for '{path}'",
                "rename one of them, or score them separately",
                setting="input",
            )
    return pairs


@contextmanager
def spooled_input(stream: IO[bytes], form: str | None) -> Iterator[Path]:
    """Copy a stream to a temporary file, because its beginning is read several times.

    Args:
        stream: The stream.
        form: Its format, which becomes the suffix of the file. If None, jsonl if it begins with a
            brace, else csv.

    Yields:
        The path of the file, which is deleted at the end.
    """
    with tempfile.TemporaryDirectory() as folder:
        head = stream.read(1)
        while head.isspace():
            head = stream.read(1)
        suffix = form or ("jsonl" if head == b"{" else "csv")
        path = Path(folder) / f"standard input.{suffix}"
        with path.open("wb") as file:
            file.write(head)
            shutil.copyfileobj(stream, file, 2**20)
        yield path


def _root_of(pattern: Path) -> Path:
    """Return the part of a pattern before the first wildcard."""
    plain: Sequence[str] = pattern.parts
    for number, part in enumerate(plain):
        if glob.has_magic(part):
            return Path(*plain[:number])
    return pattern


def _output_name(path: Path) -> str:
    """Return the name of an input, with .csv for a text file, whose format has no columns."""
    return re.sub(r"\.txt(?=(\.gz)?$)", ".csv", path.name, flags=re.IGNORECASE)
