"""Compute and check the SHA-256 of files, so that damage is noticed before a file is used.

A saved classifier keeps its checksums in its settings. A pretrained model has a file `CHECKSUMS`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from thawline.errors import ThawlineError
from thawline.runtime.untrusted import open_regular, read_json, show_value

CHECKSUMS = "checksums.json"
"""The file with the checksums of a model that Thawline has pretrained."""

_COVERED = (".json", ".safetensors")
_FIX = f"restore the folder from a copy, or delete {CHECKSUMS} if you changed its files yourself"


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
                f"the file '{name}' as it was saved in '{folder}'",
                f"other contents of {name}, whose SHA-256 differs",
                fix,
            )


def write_checksums(folder: Path) -> None:
    """Write the checksums of a model's files, without its model card, to `CHECKSUMS`.

    Args:
        folder: The folder of the model, which contains all other files.
    """
    names = [path.name for path in folder.iterdir() if path.suffix in _COVERED]
    values = {"sha256": folder_checksums(folder, names)}
    (folder / CHECKSUMS).write_text(json.dumps(values, indent=1), encoding="utf-8")


def check_written_checksums(folder: Path) -> None:
    """Check the files of a model if its folder has a file `CHECKSUMS`.

    Args:
        folder: The folder of the model.

    Raises:
        ThawlineError: If a file is missing or has changed, or if `CHECKSUMS` is damaged.
        OSError: If a file cannot be read.
    """
    if not (folder / CHECKSUMS).is_file():
        return
    values = read_json(folder / CHECKSUMS, limit=2**20)
    sha256 = values.get("sha256") if isinstance(values, dict) else None
    if not isinstance(sha256, dict) or not all(
        re.fullmatch(r"\w[\w.-]{0,200}", name) and isinstance(value, str)
        for name, value in sha256.items()
    ):
        raise ThawlineError(
            f"SHA-256 values by file name in '{folder / CHECKSUMS}'", show_value(values), _FIX
        )
    check_checksums(folder, sha256, _FIX)
