"""The place of an output and of its parts: a path on this machine, or a URL."""

from __future__ import annotations

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from thawline.errors import ThawlineError
from thawline.runs.layout import load_json
from thawline.runs.lock import locked
from thawline.runtime.files import make_folder, new_file, remove, remove_leftovers, write_file
from thawline.runtime.paths import expand
from thawline.scoring.remote import (
    WEB,
    is_url,
    open_system,
    protocol_of,
    remote_errors,
    without_secrets,
)
from thawline.scoring.writers import Opener

STATE = "_state.json"
"""The file in the folder of the parts that says what they were made from."""

FOLDERLESS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "oss", "hf", "memory")
"""The protocols of object stores, in which a folder exists as soon as an object is in it."""

Write = Callable[[IO[bytes]], object]
"""A function that writes the content of a file."""


class Place(ABC):
    """Where an output is written, and where its parts are kept until it is complete.

    Attributes:
        name: The name of the output, whose suffix selects the format.
        shown: The output, for messages.
        parts_shown: The folder of the parts, for messages.
    """

    name: str
    shown: str
    parts_shown: str

    @abstractmethod
    def exists(self) -> bool:
        """Return whether the output exists."""

    @abstractmethod
    def working(self) -> AbstractContextManager[None]:
        """Create the folder of the parts and, if possible, lock it inside a ``with`` block.

        If the block raises an exception, the folders that it created are removed, provided that
        they are empty.
        """

    @abstractmethod
    def part_names(self) -> Sequence[str]:
        """Return the names of all files in the folder of the parts."""

    @abstractmethod
    def write_part(self, name: str, content: bytes) -> None:
        """Write a part, which is complete or does not exist.

        Args:
            name: The name of the file.
            content: Its content.
        """

    @abstractmethod
    def open_part(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a part to read it."""

    @abstractmethod
    def write_output(self, write: Write) -> None:
        """Write the output, which is complete or does not exist.

        Args:
            write: Writes the content to a stream.
        """

    @abstractmethod
    def remove_parts(self) -> None:
        """Remove the folder of the parts."""

    @abstractmethod
    def end(self) -> None:
        """Remove everything but the parts from their folder, which is the output."""

    @abstractmethod
    def read_state(self) -> object:
        """Return what the parts were made from. None if the file is missing."""

    def write_state(self, state: dict[str, Any]) -> None:
        """Write what the parts are made from."""
        self.write_part(STATE, json.dumps(state).encode())

    def check_new(self) -> None:
        """Check that the output does not exist.

        Raises:
            ThawlineError: If it exists.
        """
        if self.exists():
            fix = "choose another output, or delete this one"
            raise ThawlineError("a new output", f"'{self.shown}', which exists", fix)

    def complete_parts(self) -> list[str]:
        """Return the names of the parts without a gap from the first one on."""
        found = [name for name in self.part_names() if _is_part(name)]
        by_number = {int(name[:8]): name for name in found}
        return [by_number[number] for number in range(len(by_number)) if number in by_number]

    def openers(self, names: Sequence[str]) -> list[Opener]:
        """Return a function for each part that opens it."""
        return [lambda name=name: self.open_part(name) for name in names]  # type: ignore[misc]


class LocalPlace(Place):
    """A file on this machine.

    Args:
        path: The path of the output.
        is_folder: Whether the output is the folder of the parts. Otherwise that is beside it.
    """

    def __init__(self, path: Path, *, is_folder: bool = False) -> None:
        self._path, self._is_folder = path, is_folder
        self._parts = path if is_folder else path.with_name(f"{path.name}.parts")
        self.name, self.shown, self.parts_shown = path.name, str(path), str(self._parts)

    def exists(self) -> bool:
        """Return whether the output exists."""
        return self._path.exists()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Create and lock the folder of the parts."""
        folders = [self._parts, *self._parts.absolute().parents]
        created = [folder for folder in folders if not folder.exists()]
        if not self._is_folder and not created:
            created = [self._parts]  # of an earlier job
        make_folder(self._parts)
        remove_leftovers(self._path.parent)
        try:
            with locked(self._parts):
                yield
        except BaseException:
            with suppress(OSError):  # it has files
                for folder in created:
                    folder.rmdir()
            raise

    def part_names(self) -> Sequence[str]:
        """Return the names of all files in the folder of the parts."""
        return [path.name for path in self._parts.glob("*")]

    def write_part(self, name: str, content: bytes) -> None:
        """Write a part; see `Place.write_part`."""
        write_file(self._parts / name, content)

    def open_part(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a part to read it."""
        return (self._parts / name).open("rb")

    def write_output(self, write: Write) -> None:
        """Write the output; see `Place.write_output`."""
        make_folder(self._path.parent)
        with new_file(self._path) as temporary, temporary.open("wb") as stream:
            write(stream)

    def remove_parts(self) -> None:
        """Remove the folder of the parts."""
        remove(self._parts)

    def end(self) -> None:
        """Remove everything but the parts; see `Place.end`."""
        remove_leftovers(self._parts, locked=True)
        remove(self._parts / STATE)

    def read_state(self) -> object:
        """Return what the parts were made from. None if the file is missing."""
        path = self._parts / STATE
        return load_json(path) if path.is_file() else None


class RemotePlace(Place):
    """An object or a file at a URL. Its parts are beside it, so that any machine can continue.

    Every file is written under a temporary name and then moved, because a file system can keep what
    was written before an error.

    Args:
        url: The URL of the output.
        is_folder: Whether the output is the folder of the parts. Otherwise that is beside it.
    """

    def __init__(self, url: str, *, is_folder: bool = False) -> None:
        if protocol_of(url) in WEB:
            fix = "write to a file and upload it, or to a URL such as s3:// or gs://"
            expected, found = "a URL that can be written to", f"'{without_secrets(url)}'"
            raise ThawlineError(expected, found, fix, setting="output")
        self._url = url
        self._system, self._path = open_system(url, "output")
        self._is_folder = is_folder
        self._parts = f"{self._path}.parts" if not is_folder else self._path.rstrip("/")
        self.name = self._path.rpartition("/")[2]
        self.shown = without_secrets(url)
        self.parts_shown = f"{self.shown}.parts" if not is_folder else self.shown

    def exists(self) -> bool:
        """Return whether the output exists."""
        with remote_errors(self._url):
            self._system.invalidate_cache()
            return bool(self._system.exists(self._path))

    @contextmanager
    def working(self) -> Iterator[None]:
        """Create the folder of the parts. Object stores have no locks."""
        created: list[str] = []
        if protocol_of(self._url) not in FOLDERLESS:
            with remote_errors(self.parts_shown):
                created = self._missing_folders()
                self._system.makedirs(self._parts, exist_ok=True)
            if not self._is_folder and not created:
                created = [self._parts]  # of an earlier job
        try:
            yield
        except BaseException:
            with suppress(Exception):
                for folder in created:
                    if self._names_in(folder):
                        break
                    self._system.rmdir(folder)
            raise

    def _missing_folders(self) -> list[str]:
        """Return the folder of the parts and its parents, as far as they do not exist."""
        missing, folder = list[str](), self._parts
        while folder not in ("", *missing) and not self._system.exists(folder):
            missing.append(folder)
            folder = self._system._parent(folder)
        return missing

    def part_names(self) -> Sequence[str]:
        """Return the names of all files in the folder of the parts."""
        return self._names_in(self._parts)

    def _names_in(self, folder: str) -> list[str]:
        with remote_errors(self.parts_shown):
            try:
                paths = self._system.ls(folder, detail=False)
            except FileNotFoundError:
                return []
        return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def write_part(self, name: str, content: bytes) -> None:
        """Write a part; see `Place.write_part`."""
        self._write(f"{self._parts}/{name}", lambda stream: stream.write(content))

    def open_part(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a part to read it."""
        with remote_errors(self.parts_shown):
            part: IO[bytes] = self._system.open(f"{self._parts}/{name}", "rb")
            return part

    def write_output(self, write: Write) -> None:
        """Write the output; see `Place.write_output`."""
        self._write(self._path, write)

    def _write(self, path: str, write: Write) -> None:
        temporary = f"{self._parts}/{secrets.token_hex(8)}.tmp"
        with remote_errors(self._url):
            try:
                with self._system.open(temporary, "wb") as stream:
                    write(stream)
                self._system.mv(temporary, path)
            except BaseException:
                with suppress(Exception):
                    self._system.rm_file(temporary)
                raise

    def remove_parts(self) -> None:
        """Remove the folder of the parts."""
        with remote_errors(self.parts_shown), suppress(FileNotFoundError):
            self._system.rm(self._parts, recursive=True)

    def end(self) -> None:
        """Remove everything but the parts; see `Place.end`."""
        for name in self.part_names():
            if name == STATE or name.endswith(".tmp"):
                with remote_errors(self.parts_shown):
                    self._system.rm_file(f"{self._parts}/{name}")

    def read_state(self) -> object:
        """Return what the parts were made from. None if the file is missing."""
        with remote_errors(self.parts_shown):
            try:
                return json.loads(self._system.cat_file(f"{self._parts}/{STATE}"))
            except (FileNotFoundError, ValueError):
                return None


def open_place(output: Path | str) -> Place:
    """Return the place of an output.

    Args:
        output: The path, or the URL.

    Raises:
        ThawlineError: If the URL cannot be written to.
    """
    if isinstance(output, str) and is_url(output):
        return RemotePlace(output)
    return LocalPlace(expand(output))


def open_folder(output: str) -> Place:
    """Return the place of an output that is a folder of parts.

    Args:
        output: The path or the URL of the folder.

    Raises:
        ThawlineError: If the URL cannot be written to.
    """
    if is_url(output):
        return RemotePlace(output, is_folder=True)
    return LocalPlace(expand(output), is_folder=True)


def _is_part(name: str) -> bool:
    number, _, rows = name.partition("-")
    return len(number) == 8 and number.isdecimal() and rows.isdecimal()
