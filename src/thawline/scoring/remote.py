"""Read files by URL, with the file systems of fsspec."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from thawline.data.sources.files import DEFAULT_LIMITS, DataFile, Limits
from thawline.errors import ThawlineError
from thawline.runtime.failures import first_line

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

WEB = ("http", "https")
"""The protocols of single files, which have no folders and no patterns, and cannot be written."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://.")
_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s'\"]+")
_SECRETS = re.compile(r"(?<=://)[^/@]*@|\?.*", re.DOTALL)
"""A password before the host, and a query, which can hold a signature."""


def is_url(name: str) -> bool:
    """Return whether a name is a URL such as ``s3://bucket/reviews.csv``."""
    return _URL.match(name) is not None


def protocol_of(url: str) -> str:
    """Return the protocol of a URL, in lower case."""
    return url.partition("://")[0].lower()


def without_secrets(url: str) -> str:
    """Return a URL without a password and without a query."""
    return _SECRETS.sub("", url)


def open_system(url: str, setting: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system of a URL, and the path in it.

    Args:
        url: The URL.
        setting: What the URL is for, ``input`` or ``output``.

    Raises:
        ThawlineError: If the protocol is unknown, if its package is not installed, or if the file
            system cannot be opened.
    """
    from fsspec.core import url_to_fs
    from fsspec.registry import known_implementations

    protocol = protocol_of(url)
    expected = f"a URL whose protocol can be opened ('{without_secrets(url)}')"
    try:
        found: tuple[AbstractFileSystem, str] = url_to_fs(url)
    except ImportError as error:
        package = known_implementations[protocol]["class"].partition(".")[0]
        if package == "fsspec":  # fsspec contains the file system, but not what it needs
            package = {"http": "aiohttp", "https": "aiohttp", "ssh": "paramiko"}.get(
                protocol, f"fsspec[{protocol}]"
            )
        expected = f"the package {package}, which opens {protocol}://"
        fix = f'run pip install "{package}"'
        raise ThawlineError(expected, "no such package", fix, setting=setting) from error
    except Exception as error:  # each file system has errors of its own
        reason, fix = first_line(error), "check the URL and the credentials"
        if protocol not in known_implementations:
            reason, fix = (
                f"the protocol {protocol}://",
                "write for example s3://, gs:// or https://",
            )
        raise ThawlineError(expected, reason, fix, setting=setting) from error
    return found


@contextmanager
def remote_errors(url: str) -> Iterator[None]:
    """Convert the exceptions of a file system, which have many types, to an OSError.

    Args:
        url: The URL that the error names.
    """
    try:
        yield
    except ThawlineError:
        raise
    except Exception as error:
        shown = without_secrets(url)
        # fsspec reports a refused connection as a missing file, with the reason as its cause.
        reason = getattr(error, "strerror", None) or first_line(error.__cause__ or error)
        reason = _URL_IN_TEXT.sub(lambda found: without_secrets(found[0]), str(reason))
        raise OSError(getattr(error, "errno", None) or 5, reason, shown) from error


@dataclass(frozen=True)
class RemoteFile(DataFile):
    """A file at a URL, compressed or not.

    Attributes:
        url: The URL.
    """

    url: str = ""

    @classmethod
    def at(cls, url: str, limits: Limits = DEFAULT_LIMITS) -> RemoteFile:
        """Return the file at a URL.

        Args:
            url: The URL.
            limits: How much may be read.
        """
        return cls(Path(without_secrets(url).partition("://")[2]), limits=limits, url=url)

    @property
    def shown(self) -> str:
        """The URL without secrets, for messages."""
        return without_secrets(self.url)

    @cached_property
    def _system(self) -> tuple[AbstractFileSystem, str]:
        return open_system(self.url, "input")

    @cached_property
    def size(self) -> int:
        """The number of bytes as they are stored. 0 if the server does not say."""
        system, path = self._system
        with remote_errors(self.url):
            return int(system.info(path).get("size") or 0)

    @contextmanager
    def stored(self) -> Iterator[tuple[IO[bytes], int]]:
        """Open the file and yield its bytes as they are stored, and their number."""
        system, path = self._system
        with remote_errors(self.url):
            file = system.open(path, "rb")
        with file:
            yield io.BufferedReader(_Remote(file, self.url), 2**20), self.size

    def fingerprint(self) -> list[str | int]:
        """Return values that change if the file is replaced."""
        system, path = self._system
        with remote_errors(self.url):
            return [self.url, self.size, system.ukey(path)]


class _Remote(io.RawIOBase):
    """The bytes of an open remote file. Reading raises no error but OSError."""

    def __init__(self, file: Any, url: str) -> None:
        super().__init__()
        self._file, self._url = file, url

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with remote_errors(self._url):
            content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def tell(self) -> int:
        return int(self._file.tell())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with remote_errors(self._url):
            return int(self._file.seek(offset, whence))
