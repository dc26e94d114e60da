"""Open data files, compressed or not, and report errors that name the file."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, TextIO

from thawline.config import DataConfig
from thawline.data.sources.encodings import HEAD_BYTES, decode, find_encoding
from thawline.errors import ThawlineError, as_given
from thawline.runtime.failures import describe_system_error
from thawline.runtime.untrusted import open_regular

PACKINGS = (".gz", ".zip")
"""The suffixes of compressed files that can be read."""

_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)
_ENCRYPTED = 0x1
_MAX_RATIO = 100
"""How many times larger than its file the content may be. Texts are compressed by 2 to 30 times."""
_UNCHECKED_BYTES = 16 * 2**20
"""How many bytes of a content are read before its ratio is checked."""

MAX_COLUMNS = 20_000
"""The largest number of columns. Each of them takes time and memory, however short its cells."""

_MAX_AT_ONCE = 2**20
"""How many bytes of a content are read before its size is checked again."""


@dataclass(frozen=True)
class Limits:
    """How much is read from a source, to protect the memory from a wrong or hostile file.

    Attributes:
        file_bytes: The largest size of a file after decompression, in bytes.
        text_characters: The largest number of characters of a text.
    """

    file_bytes: int = DataConfig.max_file_bytes
    text_characters: int = DataConfig.max_text_characters


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class DataFile:
    """A file on disk, the content of a gzip file, or one member of a zip file.

    Attributes:
        path: The path of the file on disk.
        member: The name of the member in a zip file. None if the file is not a zip file.
        limits: How much may be read.
    """

    path: Path
    member: str | None = None
    limits: Limits = DEFAULT_LIMITS

    @property
    def shown(self) -> str:
        """The path, for messages."""
        return str(self.path)

    @property
    def where(self) -> str:
        """The path, and the member in parentheses, for messages."""
        return as_given(self.shown if self.member is None else f"{self.shown} ({self.member})")

    @property
    def name(self) -> str:
        """The name of the uncompressed file: ``train.csv`` for ``train.csv.gz``."""
        if self.member is not None:
            return PurePosixPath(self.member).name
        return self.path.stem if self.is_packed else self.path.name

    @property
    def suffix(self) -> str:
        """The suffix of that name, in lower case."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def is_packed(self) -> bool:
        """Whether the file is compressed, so that random access to its bytes is slow."""
        return self.member is not None or self.path.suffix.lower() in PACKINGS

    @contextmanager
    def stored(self) -> Iterator[tuple[IO[bytes], int]]:
        """Open the file and yield its bytes as they are stored, and their number."""
        with open_regular(self.path) as file:
            yield file, os.fstat(file.fileno()).st_size

    def fingerprint(self) -> list[str | int]:
        """Return values that change if the file is replaced or written to."""
        stat = self.path.stat()
        return [str(self.path.resolve()), stat.st_size, stat.st_mtime_ns]

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the file and yield its uncompressed bytes.

        Raises:
            ThawlineError: If the file cannot be read, is truncated, damaged or too large, or is
                not a regular file. Reading inside the ``with`` block raises this error too.
        """
        with file_errors(self.shown), self.stored() as (file, size):
            if self.member is not None:
                with zipfile.ZipFile(file) as archive, archive.open(self.member) as stream:
                    packed, start = archive.getinfo(self.member).compress_size, file.tell()
                    read = lambda: min(packed, file.tell() - start)  # noqa: E731
                    yield bounded(stream, self.where, read, self.limits)
            elif self.is_packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield bounded(unpacked, self.where, file.tell, self.limits)
            else:
                if size > self.limits.file_bytes:
                    raise _too_large(self.where, f"{size:,} bytes", self.limits)
                yield file

    @property
    def codec(self) -> str:
        """The codec that decodes the file, found by its first bytes.

        Raises:
            ThawlineError: If the file cannot be read, or is truncated or damaged.
        """
        with self.open() as stream:
            return find_encoding(stream.read(HEAD_BYTES))

    @contextmanager
    def open_text(self, newline: str = "") -> Iterator[TextIO]:
        """Open the file and yield its text. Line ends are kept, a byte order mark is skipped.

        Args:
            newline: The line end, as in the built-in `open`. "" accepts every common line end.

        Raises:
            ThawlineError: If the file cannot be read, is damaged or has an unknown encoding.
                Reading inside the ``with`` block raises this error too.
        """
        codec = self.codec
        try:
            with self.open() as stream:
                yield io.TextIOWrapper(stream, encoding=codec, newline=newline)
        except UnicodeDecodeError as error:
            with self.open() as stream:
                decode(stream.read(), self.where, codec)
            raise AssertionError(f"{self.where} changed while it was read") from error


class BoundedStream(io.RawIOBase):
    """The content of a compressed file, of which only a limited number of bytes can be read.

    Attributes:
        stream: The unlimited content.
    """

    def __init__(self, stream: Any, where: str, packed: Callable[[], int], limits: Limits) -> None:
        super().__init__()
        self.stream, self._where, self._packed, self._limits = stream, where, packed, limits

    def readable(self) -> bool:
        """Return that the stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read bytes into a buffer, and raise ThawlineError if there are too many."""
        content = self.stream.read(min(len(buffer), _MAX_AT_ONCE))
        buffer[: len(content)] = content
        self._check(self.stream.tell())
        return len(content)

    def seekable(self) -> bool:
        """Return that the position can be set."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes."""
        position: int = self.stream.tell()
        return position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and raise ThawlineError if it is beyond the limit."""
        if whence != io.SEEK_END:
            self._check(offset if whence == io.SEEK_SET else self.tell() + offset)
        position: int = self.stream.seek(offset, whence)
        return position

    def _check(self, position: int) -> None:
        if position > self._limits.file_bytes:
            raise _too_large(self._where, "more", self._limits)
        check_ratio(self._where, position, self._packed())


def check_ratio(where: str, unpacked: int, packed: int) -> None:
    """Check that the content of a compressed file is not very much larger than the file.

    Args:
        where: The name of the file, for the error.
        unpacked: The number of bytes of the content so far.
        packed: The number of compressed bytes that they were read from.

    Raises:
        ThawlineError: If the content is more than 100 times larger, and larger than 16 MiB.
    """
    if unpacked > max(_UNCHECKED_BYTES, _MAX_RATIO * packed):
        raise ThawlineError(
            f"a compressed file whose content is at most {_MAX_RATIO} times larger ({where})",
            f"more than {unpacked:,} bytes in {packed:,} compressed bytes",
            "unpack the file yourself and give its content, if you trust it",
        )


def too_many_columns(where: str, number: int) -> ThawlineError:
    """Return the error about a file with more than `MAX_COLUMNS` columns.

    Args:
        where: The name of the file.
        number: The number of its columns.
    """
    return ThawlineError(
        f"at most {MAX_COLUMNS:,} columns in {where}",
        f"{number:,} columns",
        "keep only the columns of the texts and of the labels",
    )


def bounded(stream: Any, where: str, packed: Callable[[], int], limits: Limits) -> IO[bytes]:
    """Return the content of a compressed file as a stream that ends with an error if it is long.

    Args:
        stream: The content, which has a method ``read``.
        where: The name of the file, for the error.
        packed: Returns the number of compressed bytes that have been read.
        limits: How much may be read.
    """
    return io.BufferedReader(BoundedStream(stream, where, packed, limits), 1 << 16)


def _too_large(where: str, found: str, limits: Limits) -> ThawlineError:
    return ThawlineError(
        f"at most {limits.file_bytes:,} bytes in {where}",
        found,
        "split the file, or raise the limit with `data.max_file_bytes=BYTES`",
        setting="data.max_file_bytes",
    )


def find_file(path: Path, suffixes: Collection[str], limits: Limits) -> DataFile:
    """Return the data file at a path, which may be compressed.

    Args:
        path: The path of the file.
        suffixes: The suffixes of data files in a zip file.
        limits: How much may be read.

    Raises:
        ThawlineError: If it is a zip file that cannot be read, or that does not hold exactly one
            data file.
    """
    if path.suffix.lower() != ".zip":
        return DataFile(path, limits=limits)
    members = members_of(path, suffixes)
    names = ", ".join(members[:5])
    if len(members) != 1:
        raise ThawlineError(
            f"one data file ({', '.join(suffixes)}) in {as_given(path)}",
            f"{len(members)} files ({as_given(names)})" if members else "none",
            "unpack the zip file and give the folder or one file",
        )
    return DataFile(path, names, limits)


def members_of(path: Path, suffixes: Collection[str]) -> list[str]:
    """Return the names of the members of a zip file with one of the suffixes, except hidden ones.

    Raises:
        ThawlineError: If the zip file cannot be read or has a password.
    """
    with file_errors(path), open_regular(path) as file, zipfile.ZipFile(file) as archive:
        members = [info for info in archive.infolist() if _is_data(info.filename, suffixes)]
    if any(info.flag_bits & _ENCRYPTED for info in members):
        fix = "unpack the zip file with its password and give the data file"
        expected = f"a zip file without a password ({as_given(path)})"
        raise ThawlineError(expected, "one with a password", fix)
    return [info.filename for info in members]


def damaged_file(where: str, expected: str, found: object) -> ThawlineError:
    """Return the error for a file whose content is invalid.

    Args:
        where: The name of the file.
        expected: A description of valid content.
        found: The invalid content as a noun phrase, or the exception that reports it.
    """
    reason = f"a damaged file: {found}" if isinstance(found, Exception) else str(found)
    fix = "fix the file or download it again"
    return ThawlineError(f"{expected} ({where})", reason.rstrip("."), fix)


@contextmanager
def file_errors(path: Path | str) -> Iterator[None]:
    """Convert exceptions of reading a file, compressed or not, to a ThawlineError that names it."""
    try:
        yield
    except _DAMAGED as error:
        raise damaged_file(as_given(path), "a complete compressed file", error) from error
    except NotImplementedError as error:  # zipfile does not support rare compression methods
        expected = "a zip file with a common compression method"
        raise damaged_file(as_given(path), expected, f"another method: {error}") from error
    except OSError as error:
        found = describe_system_error(error)
        fix = "check that the file exists and that you may read it"
        raise ThawlineError(f"a file that can be read ({as_given(path)})", found, fix) from error


def _is_data(member: str, suffixes: Collection[str]) -> bool:
    path = PurePosixPath(member)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and not member.endswith("/") and path.suffix.lower() in suffixes
