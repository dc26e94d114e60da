"""Files and folders that appear whole or not at all: made under another name beside their place.

Whether a place will take them is checked before the work that they are to hold.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thawline.errors import ThawlineError
from thawline.runtime.failures import system_errors


def check_place(path: Path, what: str) -> None:
    """Raise ThawlineError unless something new can be made at a path, and the folders above it.

    Args:
        path: where nothing is yet, or an empty folder.
        what: it is to be, for the message: "a folder for the run".
    """
    parent = next(parent for parent in [path, *path.absolute().parents] if parent.exists())
    if not parent.is_dir():
        raise ThawlineError(what, f"'{path}' below the file '{parent}'", "choose another --out")
    if not os.access(parent, os.W_OK):
        expected = "a folder that can be written"
        raise ThawlineError(expected, f"no permission in '{parent}'", "choose another --out")


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a path to write a file at; it takes its place when all is written.

    Args:
        path: of the file, which is replaced where it is there.

    Raises:
        OSError: it cannot be written; the error names its place.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with system_errors(path):
            yield temporary
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill; it takes its place when all is written.

    Args:
        folder: its place; what lies above it is made if need be.
        replace: whether a folder that is there makes way.

    Raises:
        OSError: it cannot be written, or something is there; the error names its place.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with system_errors(folder):
            yield temporary
            temporary.chmod(0o755)  # mkdtemp makes it private
            if replace:
                shutil.rmtree(folder, ignore_errors=True)
            os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
