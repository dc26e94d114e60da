"""Write files and folders atomically: under a temporary name first, then moved into place."""

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
    """Check that a new file or folder can be created at a path, before the work begins.

    Args:
        path: The path. Nothing or an empty folder exists there. Missing parents are allowed.
        what: What will be created, for the message ("a folder for the run").

    Raises:
        ThawlineError: If a file is in the way, or if the nearest folder is not writable.
    """
    parent = next(parent for parent in [path, *path.absolute().parents] if parent.exists())
    if not parent.is_dir():
        raise ThawlineError(what, f"'{path}' below the file '{parent}'", "choose another --out")
    if not os.access(parent, os.W_OK):
        raise ThawlineError(
            "a writable folder", f"no write permission in '{parent}'", "choose another --out"
        )


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, and move the complete file into place at the end.

    If the block raises an error, the temporary file is deleted.

    Args:
        path: The path of the file. An existing file is replaced.

    Raises:
        OSError: If the file cannot be written. The error names ``path``.
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
    """Yield a temporary folder to fill, and move the complete folder into place at the end.

    If the block raises an error, the temporary folder is deleted.

    Args:
        folder: The path of the folder. Missing parents are created.
        replace: Whether to replace an existing folder.

    Raises:
        OSError: If the folder cannot be written, or if it exists and ``replace`` is false. The
            error names ``folder``.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with system_errors(folder):
            yield temporary
            temporary.chmod(0o755)  # mkdtemp makes the folder private
            if replace:
                shutil.rmtree(folder, ignore_errors=True)
            os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
