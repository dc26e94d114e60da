"""Find files that other Python packages contain, and check that they are unchanged."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from thawline.errors import ThawlineError


def package_folder(name: str, module: str, extra: str | None) -> Path:
    """Return the folder of an installed package.

    Args:
        name: The name of the model or the data in the package, as the user wrote it.
        module: The package's module.
        extra: The extra of Thawline that installs the package. None if it is Thawline itself.

    Raises:
        ThawlineError: If the package is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ThawlineError(
            f"the installed package that contains '{name}'",
            f"no module {module}",
            f'run pip install "thawline[{extra}]"' if extra is not None else reinstall(module),
        )
    return Path(spec.origin).parent


def check_extra(extra: str, modules: Sequence[str]) -> None:
    """Check that the packages of an extra are installed.

    Args:
        extra: The extra of Thawline.
        modules: The modules of its packages.

    Raises:
        ThawlineError: If one is missing.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ThawlineError(
                f"the packages of the extra '{extra}'",
                f"no module {module}",
                f'run pip install "thawline[{extra}]"',
            )


def check_published(what: str, file: Path, sha256: str, module: str) -> None:
    """Check that a package's file is the published one.

    Args:
        what: What the file contains, for the message ("weights of 'minilm'").
        file: The path of the file.
        sha256: The SHA-256 of the published file, in hexadecimal digits.
        module: The package's module.

    Raises:
        ThawlineError: If the file has another SHA-256.
    """
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise ThawlineError(
            f"the published {what} (SHA-256 {sha256[:12]}…)",
            f"a file {file.name} with SHA-256 {found[:12]}…",
            reinstall(module),
        )


def reinstall(module: str) -> str:
    """Return the instruction to reinstall a package whose files are missing or changed."""
    return f"reinstall the package with pip install --force-reinstall {module}"
