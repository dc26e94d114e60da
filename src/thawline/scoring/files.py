"""Find the files to score, and name their outputs."""

from __future__ import annotations

import glob
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from thawline.data.sources.files import DataFile, Limits
from thawline.errors import ThawlineError
from thawline.runtime.paths import expand
from thawline.scoring.readers import READERS
from thawline.scoring.remote import (
    WEB,
    RemoteFile,
    is_url,
    open_system,
    protocol_of,
    remote_errors,
)

UNLIMITED = Limits(file_bytes=2**63)
"""The limits of a file that is read in blocks: its size does not matter to the memory."""


@dataclass(frozen=True)
class Inputs:
    """The files to score.

    Attributes:
        files: The files.
        names: Their paths below the folder or before the wildcards, with ``/``.
        single: Whether the user named one file, and not a folder or a pattern.
    """

    files: Sequence[DataFile]
    names: Sequence[str]
    single: bool


def pair_files(given: str, output: str) -> list[tuple[DataFile, Path | str]]:
    """Return each input file with the path or the URL of its output.

    Args:
        given: A file, a folder, whose files are read with those of its subfolders, or a pattern
            such as ``reviews/*.parquet``; a path or a URL.
        output: A file. For a folder or a pattern, a folder, in which each output has the name of
            its input; a path or a URL.

    Raises:
        ThawlineError: If there is no such file.
    """
    inputs = find_inputs(given, output)
    if inputs.single:
        inside = _is_folder(output)
        target = _below(output, _output_name(inputs.names[0])) if inside else _plain(output)
        return [(inputs.files[0], target)]
    if isinstance(target := _plain(output), Path) and target.is_file():
        fix = "give a folder for the outputs"
        raise ThawlineError("a folder for several outputs", f"the file '{output}'", fix)
    by_target: dict[Path | str, str] = {}
    for name, file in zip(inputs.names, inputs.files, strict=True):
        each = _below(output, _output_name(name))
        other = by_target.setdefault(each, name)
        if other != name:
            raise ThawlineError(
                "inputs with outputs of different names",
                f"'{_output_name(name)}' for '{other}' and for '{file.shown}'",
                "rename one of them, or score them separately",
                setting="input",
            )
    return list(zip(inputs.files, by_target, strict=True))


def find_inputs(given: str, output: str) -> Inputs:
    """Find the files to score.

    Args:
        given: A file, a folder or a pattern; a path or a URL.
        output: The folder of the outputs. If it is in the folder of the inputs, its files are left
            out.

    Raises:
        ThawlineError: If there is no such file.
    """
    inputs = _remote_inputs(given, output) if is_url(given) else _local_inputs(given, output)
    if not inputs.files:
        expected = f"files that end in {', '.join(READERS)} in '{given}'"
        raise ThawlineError(expected, "none", "give another folder or pattern", setting="input")
    return inputs


def _local_inputs(given: str, output: str) -> Inputs:
    source = expand(given)
    if source.is_file():
        return Inputs([DataFile(source, limits=UNLIMITED)], [source.name], single=True)
    if source.is_dir():
        root, found = source, sorted(source.rglob("*"))
    elif glob.has_magic(given):
        root, found = _root_of(source), sorted(map(Path, glob.glob(str(source), recursive=True)))
    else:
        raise _no_such_input(given)
    outputs = None if is_url(output) else expand(output).resolve()
    files = [
        path
        for path in found
        if path.is_file()
        and DataFile(path).suffix in READERS
        and not (
            outputs not in (None, root.resolve()) and path.resolve().is_relative_to(str(outputs))
        )
    ]
    names = [path.relative_to(root).as_posix() for path in files]
    return Inputs([DataFile(path, limits=UNLIMITED) for path in files], names, single=False)


def _remote_inputs(given: str, output: str) -> Inputs:
    system, path = open_system(given, "input")
    if protocol_of(given) in WEB:
        file = RemoteFile.at(given, UNLIMITED)
        return Inputs([file], [file.path.name], single=True)
    with remote_errors(given):
        if glob.has_magic(path):
            root, found = str(_root_of(Path(path)).as_posix()), sorted(system.glob(path))
        elif system.isfile(path):
            file = RemoteFile.at(given, UNLIMITED)
            return Inputs([file], [file.path.name], single=True)
        elif system.isdir(path):
            root, found = path.rstrip("/"), sorted(system.find(path))
        else:
            raise _no_such_input(given)
    # The path of a server without its host is not enough to open a file again.
    whole = given.rstrip("/")
    start = whole.removesuffix(path) if whole.endswith(path) else None
    outputs = None
    if is_url(output) and protocol_of(output) == protocol_of(given):
        outputs = str(system._strip_protocol(output)).rstrip("/")
    pairs = [
        (
            RemoteFile.at(
                system.unstrip_protocol(each) if start is None else start + each, UNLIMITED
            ),
            each.removeprefix(root).lstrip("/"),
        )
        for each in found
        if outputs in (None, root) or not each.startswith(f"{outputs}/")
    ]
    kept = [(file, name) for file, name in pairs if file.suffix in READERS]
    return Inputs([file for file, _ in kept], [name for _, name in kept], single=False)


def _no_such_input(given: str) -> ThawlineError:
    expected, fix = "a file, a folder or a pattern", "check the path"
    return ThawlineError(expected, f"nothing at '{given}'", fix, setting="input")


@dataclass(frozen=True)
class _SpooledFile(DataFile):
    """A copy of standard input."""

    @property
    def shown(self) -> str:
        """The name of the stream, for messages."""
        return "standard input"


@contextmanager
def spooled_input(stream: IO[bytes], form: str | None) -> Iterator[DataFile]:
    """Copy a stream to a temporary file, because its beginning is read several times.

    Args:
        stream: The stream.
        form: Its format, which becomes the suffix of the file. If None, jsonl if it begins with a
            brace, else csv.

    Yields:
        The file, which is deleted at the end.
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
        yield _SpooledFile(path, limits=UNLIMITED)


def _root_of(pattern: Path) -> Path:
    """Return the part of a pattern before the first wildcard."""
    plain: Sequence[str] = pattern.parts
    for number, part in enumerate(plain):
        if glob.has_magic(part):
            return Path(*plain[:number])
    return pattern


def _is_folder(output: str) -> bool:
    """Return whether an output is a folder. A URL is one if it ends with a slash."""
    return output.endswith("/") if is_url(output) else expand(output).is_dir()


def _plain(output: str) -> Path | str:
    return output if is_url(output) else expand(output)


def _below(output: str, name: str) -> Path | str:
    return f"{output.rstrip('/')}/{name}" if is_url(output) else expand(output) / name


def _output_name(name: str) -> str:
    """Return the name of an input, with .csv for a text file, whose format has no columns."""
    return re.sub(r"\.txt(?=(\.gz)?$)", ".csv", name, flags=re.IGNORECASE)
