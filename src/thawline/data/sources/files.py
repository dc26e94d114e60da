"""Files of data, plain or packed: one way to their bytes, and errors that name them."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TextIO, cast

from thawline.errors import ThawlineError

PACKINGS = (".gz", ".zip")
"""How a file may be packed, by the suffix that comes last."""

_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class DataFile:
    """A file as it stands on disk, what a gzip file holds, or one member of a zip file.

    Attributes:
        path: where it stands on disk.
        member: its name within a zip file; ``None``: it is not in one.
    """

    path: Path
    member: str | None = None

    @property
    def where(self) -> str:
        """What the user knows it by, for messages."""
        return str(self.path) if self.member is None else f"{self.path} ({self.member})"

    @property
    def name(self) -> str:
        """Its own name, unpacked: ``train.csv`` for ``train.csv.gz``."""
        if self.member is not None:
            return PurePosixPath(self.member).name
        return self.path.stem if self.is_packed else self.path.name

    @property
    def suffix(self) -> str:
        """The suffix of its own name, in small letters."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def is_packed(self) -> bool:
        """Whether its bytes have to be unpacked, so that one cannot jump about in them."""
        return self.member is not None or self.path.suffix.lower() in PACKINGS

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open it and yield its bytes, unpacked.

        Raises:
            ThawlineError: it cannot be read, or it is cut short or damaged; within the context too.
        """
        with file_errors(self.path):
            if self.member is not None:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                    yield stream
            elif self.is_packed:
                with gzip.open(self.path) as unpacked:
                    yield cast(IO[bytes], unpacked)
            else:
                with self.path.open("rb") as plain:
                    yield plain

    @contextmanager
    def open_text(self, newline: str = "") -> Iterator[TextIO]:
        """Open it and yield its text, line ends as they stand; a byte order mark is skipped.

        Args:
            newline: what ends a line, as for the built-in `open`: "" is any of the usual ways.

        Raises:
            ThawlineError: as in `open`, or it is not UTF-8; within the context too.
        """
        try:
            with self.open() as stream:
                yield io.TextIOWrapper(stream, encoding="utf-8-sig", newline=newline)
        except UnicodeDecodeError as error:
            with self.open() as stream:
                decode(stream.read(), self.where)
            raise AssertionError(f"{self.where} changed while it was read") from error


def find_file(path: Path, suffixes: Collection[str]) -> DataFile:
    """Return the file of data at a path, which may be packed.

    Args:
        path: where to look.
        suffixes: those of the files that count as data in a zip file.

    Raises:
        ThawlineError: a zip file that cannot be read, or holds no such file or several.
    """
    if path.suffix.lower() != ".zip":
        return DataFile(path)
    members = members_of(path, suffixes)
    names = ", ".join(members[:5])
    if len(members) != 1:
        raise ThawlineError(
            f"one file of data ({', '.join(suffixes)}) in {path}",
            f"{len(members)} ({names})" if members else "none",
            "unpack it and give the folder or one file",
        )
    return DataFile(path, names)


def members_of(path: Path, suffixes: Collection[str]) -> list[str]:
    """Return the names of the files in a zip file that end in a suffix, hidden ones left out.

    Raises:
        ThawlineError: it cannot be read, or has a password.
    """
    with file_errors(path), zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if _is_data(info.filename, suffixes)]
    if any(info.flag_bits & _ENCRYPTED for info in members):
        fix = "unpack it with its password and give the file"
        raise ThawlineError(f"a zip file without a password ({path})", "one with a password", fix)
    return [info.filename for info in members]


def decode(content: bytes, where: str) -> str:
    """Return bytes as text, without a byte order mark.

    Raises:
        ThawlineError: they are not UTF-8; the position of the first bad byte is named.
    """
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        found = f"a byte that is none, at position {error.start}"
        raise ThawlineError(f"UTF-8 text in {where}", found, "save the file as UTF-8") from error


def broken(where: str, expected: str, found: object) -> ThawlineError:
    """Return the error of a file whose content is not what its form promises."""
    return ThawlineError(f"{expected} ({where})", str(found), "fix the file or fetch it again")


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn what reading a file, packed or not, may raise into an error that names the file."""
    try:
        yield
    except _DAMAGED as error:
        raise broken(str(path), "a whole packed file", error) from error
    except NotImplementedError as error:  # what zipfile makes of rare ways to compress
        raise broken(str(path), "a zip file of a common kind", error) from error
    except OSError as error:
        expected, fix = f"a file that can be read ({path})", "check that it is there"
        found = error.strerror if error.strerror is not None else str(error)
        raise ThawlineError(expected, found, f"{fix} and that you may read it") from error


def _is_data(member: str, suffixes: Collection[str]) -> bool:
    path = PurePosixPath(member)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and not member.endswith("/") and path.suffix.lower() in suffixes
