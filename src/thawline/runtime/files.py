"""Write files and folders so that they are complete, or do not exist, even after a power loss.

A file or folder is written under a temporary name, flushed to the disk and then moved into place.
A temporary name has the form ``.thawline-HOST-PID-RANDOM.tmp``. It cannot be predicted, it is never
a link that already existed, and it shows which process made it. `remove_leftovers` deletes the
temporary files and folders of processes that were killed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from thawline.errors import ThawlineError
from thawline.runtime.failures import describe_system_error, system_errors

TEMPORARY = ".tmp"
"""The suffix of every temporary file and folder."""

_NAME = re.compile(r"\.thawline-(?P<host>[0-9a-f]{8})-(?P<pid>\d{1,10})-[0-9a-f]{16}\.tmp")

_CANNOT_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBADF, errno.EACCES}
"""Errors of file systems that cannot flush a folder, or of folders that cannot be opened."""


def check_place(path: Path, what: str) -> None:
    """Check that a new file or folder can be created at a path, before the work begins.

    An empty folder is created next to the path and removed again, because a file system can refuse
    it although the permissions allow it.

    Args:
        path: The path. Nothing or an empty folder exists there. Missing parents are allowed.
        what: What will be created, for the message ("a folder for the run").

    Raises:
        ThawlineError: If a file is in the way, or if nothing can be created in the nearest folder.
    """
    parent = next(parent for parent in [path, *path.absolute().parents] if parent.exists())
    if not parent.is_dir():
        raise ThawlineError(what, f"'{path}' below the file '{parent}'", "choose another place")
    try:
        _temporary_folder(parent).rmdir()
    except OSError as error:
        found = f"{describe_system_error(error)} ('{parent}')"
        raise ThawlineError("a writable folder", found, "choose another place") from error


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, and move the complete file into place at the end.

    The file is flushed to the disk before it is moved. If the block raises an error, the temporary
    file is deleted.

    Args:
        path: The path of the file. An existing file, or a link, is replaced.

    Raises:
        OSError: If the file cannot be written. The error names ``path``.
    """
    with system_errors(path):
        temporary = _temporary_file(path.parent)
        try:
            mode = _mode(temporary)
            yield temporary
            _set_mode(temporary, mode)  # some libraries replace the file by a private one
            sync_file(temporary)
            os.replace(temporary, path)
            sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_file(path: Path, content: bytes) -> None:
    """Write a complete file. An existing file is replaced when the new one is on the disk.

    Raises:
        OSError: If the file cannot be written. An existing file is then unchanged.
    """
    with new_file(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def new_folder(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder to fill, and move the complete folder into place at the end.

    All its files are flushed to the disk before it is moved, and get the permissions that the
    umask of this process gives to new files. If the block raises an error, the temporary folder is
    deleted.

    Args:
        folder: The path of the folder. Missing parents are created.
        replace: Whether to replace an existing folder. It remains until the new one is complete.

    Raises:
        OSError: If the folder cannot be written, or if it exists and ``replace`` is false. The
            error names ``folder``.
    """
    with system_errors(folder):
        make_folder(folder.parent)
        temporary = _temporary_folder(folder.parent)
        try:
            yield temporary
            _complete_folder(temporary)
            if replace and os.path.lexists(folder):
                _exchange(temporary, folder)
            else:
                os.replace(temporary, folder)
            sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, and flush their names to the disk.

    Raises:
        OSError: If a folder cannot be created.
    """
    missing = [path for path in (folder, *folder.absolute().parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Flush the content of a file to the disk.

    Raises:
        OSError: If the file cannot be opened or the disk does not accept its content.
    """
    # Windows flushes only files that are open for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the operating system can do that.

    Raises:
        OSError: If the disk has an error.
    """
    if os.name == "nt":  # folders cannot be opened, and the file system keeps a journal of names
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


class Leftovers(NamedTuple):
    """What `remove_leftovers` deleted.

    Attributes:
        items: The number of temporary files and folders.
        bytes: Their total size.
    """

    items: int
    bytes: int


def is_temporary(path: Path) -> bool:
    """Return whether a file or folder has a temporary name that this module gave."""
    return _NAME.fullmatch(path.name) is not None


def remove_leftovers(folder: Path, *, locked: bool = False) -> Leftovers:
    """Delete the temporary files and folders that killed processes left in a folder.

    Only names that this module gave are deleted.

    Args:
        folder: The folder. It may be missing.
        locked: Whether this process holds a lock that every process takes before it writes to the
            folder. If False, a name is deleted only if its process ran on this machine and has
            ended.

    Returns:
        The number and the size of what was deleted. Files that cannot be deleted are not counted.
    """
    items = size = 0
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            found = _NAME.fullmatch(path.name)
            if found and (locked or _is_dead(path, found["host"], int(found["pid"]))):
                bytes_ = _size(path)
                if remove(path):
                    items, size = items + 1, size + bytes_
    return Leftovers(items, size)


def remove(path: Path) -> bool:
    """Delete a file, a link or a folder if the operating system allows it.

    Returns:
        Whether nothing is left. A link is deleted, but not the file or folder that it leads to.
    """
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return not os.path.lexists(path)


# -- temporary names ------------------------------------------------------------------------------


def _temporary_path(folder: Path) -> Path:
    return folder / f".thawline-{_host()}-{os.getpid()}-{secrets.token_hex(8)}{TEMPORARY}"


def _temporary_file(folder: Path) -> Path:
    """Create an empty temporary file. The umask decides its permissions."""
    path = _temporary_path(folder)
    # With O_EXCL an existing file or link is an error, so no link is followed.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
    return path


def _temporary_folder(folder: Path) -> Path:
    """Create an empty temporary folder. The umask decides its permissions."""
    path = _temporary_path(folder)
    path.mkdir()
    return path


def _host() -> str:
    """Return eight hexadecimal digits that stand for this machine."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _is_dead(path: Path, host: str, pid: int) -> bool:
    """Return whether the process that made a temporary file has surely ended."""
    if host != _host():
        return False
    import psutil

    try:
        # A process that started after the file was written has got the number of a dead one.
        return bool(psutil.Process(pid).create_time() > path.lstat().st_mtime + 60)
    except psutil.NoSuchProcess:
        return True
    except (OSError, psutil.Error):
        return False


def _size(path: Path) -> int:
    paths = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    total = 0
    for one in paths:
        with suppress(OSError):
            status = one.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


# -- permissions and moves ------------------------------------------------------------------------


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) & 0o777


def _set_mode(path: Path, mode: int) -> None:
    if _mode(path) != mode:
        path.chmod(mode)


def _complete_folder(folder: Path) -> None:
    """Give everything in a folder the permissions that the umask allows, and flush it."""
    mode = _mode(folder)  # as the umask left it when the folder was created
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(place, name)
            if not path.is_symlink():
                _set_mode(path, mode & 0o666)
                sync_file(path)
        _set_mode(Path(place), mode)
        sync_folder(Path(place))


def _exchange(temporary: Path, folder: Path) -> None:
    """Move a complete folder into the place of an old one, and delete the old one."""
    old = _temporary_path(folder.parent)
    os.replace(folder, old)
    try:
        os.replace(temporary, folder)
    except BaseException:
        os.replace(old, folder)
        raise
    remove(old)
