"""Compute and check the SHA-256 of files, so that damage is noticed before a file is used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from thawline.errors import ThawlineError
from thawline.runtime.untrusted import open_regular


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a regular file in hexadecimal.

    Raises:
        ThawlineError: If the path is not a regular file.
        OSError: If the file does not exist or cannot be read.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_checksums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of files in a folder, by name.

    Args:
        folder: The folder.
        names: The paths of the files relative to the folder, with forward slashes.
    """
    return {name: file_sha256(folder / name) for name in sorted(names)}


def check_checksums(folder: Path, expected: Mapping[str, str], fix: str) -> None:
    """Check that the files of a folder have the expected contents.

    Args:
        folder: The folder.
        expected: The SHA-256 of each file, by its path relative to the folder.
        fix: How to fix a damaged file, for the error.

    Raises:
        ThawlineError: If a file is missing, is not a regular file or has other contents. The error
            names the file.
        OSError: If a file cannot be read.
    """
    for name, sha256 in expected.items():
        try:
            found = file_sha256(folder / name)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ThawlineError(f"all files of '{folder}'", f"no {name}", fix) from error
        if found != sha256:
            raise ThawlineError(
                f"the file '{name}' as it was saved in '{folder}' (SHA-256 {sha256[:12]}…)",
                f"other contents of {name} (SHA-256 {found[:12]}…)",
                fix,
            )
