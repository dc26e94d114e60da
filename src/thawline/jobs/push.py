"""Copy a saved classifier to a folder for the model hub, and upload it."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from thawline import artifact
from thawline._version import __version__
from thawline.errors import ThawlineError
from thawline.report.card import CARD, hub_card, is_hub_card
from thawline.runs.layout import FORMAT, ONNX, ONNX_WEIGHTS, SETTINGS
from thawline.runs.settings import (
    SHA256,
    add_checksums,
    boundary,
    check_files,
    files_of_artifact,
    read_settings,
)
from thawline.runtime.failures import first_line
from thawline.runtime.files import new_folder
from thawline.runtime.hub import hub_failure, quieten_hub
from thawline.runtime.untrusted import check_regular

PARTS = (
    *("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json"),
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("words.json", "adapter/*", ONNX, ONNX_WEIGHTS),
    *("vocab.txt", "merges.txt", "*.model", "*.jinja"),
)
"""The files of artifacts, which an upload deletes from the repository if it does not replace them.
"""


@dataclass(frozen=True)
class HubFile:
    """A file that is pushed.

    Attributes:
        name: Its path in the repository.
        bytes: Its size.
    """

    name: str
    bytes: int


@dataclass(frozen=True)
class HubFolder:
    """A folder that is ready for the hub.

    Attributes:
        repository: The repository, USER/NAME.
        folder: The folder.
        files: Its files.
        left_out: The names of the files of the artifact's folder that are not in it.
    """

    repository: str
    folder: Path
    files: list[HubFile]
    left_out: list[str]


def write_hub_folder(run: Path, repository: str, folder: Path) -> HubFolder:
    """Write the folder that a push uploads: the artifact and its card, and nothing else.

    The paths of this machine are removed from the settings. The folder is loaded once, to check
    that nothing is missing.

    Args:
        run: The folder of a run or of a saved classifier.
        repository: The repository, USER/NAME.
        folder: The folder to write. One that an earlier push wrote is replaced.

    Raises:
        ThawlineError: If there is no classifier, if it cannot be loaded on another machine, if the
            name of the repository is invalid, if a file of the classifier is missing or has
            changed, or if the folder holds something that push did not write.
        OSError: If the folder cannot be written.
    """
    check_repository(repository)
    source = artifact.find(run)
    values = read_settings(source)
    check_files(source, values)  # the copy gets checksums of its own, which would hide damage
    _check_adapter(source, values)
    if source.resolve().is_relative_to(folder.resolve()) or folder.resolve() == run.resolve():
        raise ThawlineError("a folder outside of the run", f"'{folder}'", "choose another folder")
    if not _may_replace(folder):
        fix = "choose another folder, or delete this one"
        raise ThawlineError("a new folder, or one that push wrote", f"'{folder}'", fix)
    kept = files_of_artifact(source, values)
    all_names = [p.relative_to(source).as_posix() for p in sorted(source.rglob("*")) if p.is_file()]
    with new_folder(folder, replace=folder.exists()) as temporary:
        for name in kept:
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, temporary / name)
        _write_settings(temporary, values)
        content = hub_card(_read_card(source), repository, strategy=values["strategy"])
        (temporary / CARD).write_text(content, encoding="utf-8")
        artifact.load(temporary)
    names = [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file()]
    files = [HubFile(name, (folder / name).stat().st_size) for name in names]
    return HubFolder(repository, folder, files, [n for n in all_names if n not in names])


def upload(ready: HubFolder, *, private: bool) -> str:
    """Upload a folder and return the URL of the repository, which is created if it is missing.

    Files of an earlier artifact that the folder does not replace are deleted there.

    Args:
        ready: The folder, from `write_hub_folder`.
        private: Whether the repository is private.

    Raises:
        ThawlineError: If the hub does not answer or refuses, if there is no token, or if the
            repository is public although ``private`` is true.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import HfHubHTTPError

    quieten_hub()
    api = HfApi(library_name="thawline", library_version=__version__)
    later = f"push it later with hf upload {ready.repository} {ready.folder}"
    if HF_HUB_OFFLINE:
        found = f"HF_HUB_OFFLINE; '{ready.folder}' is ready"
        raise ThawlineError("a connection to the hub", found, later)
    if get_token() is None:
        found = f"no token; '{ready.folder}' is ready"
        fix = f"run hf auth login or set HF_TOKEN, then push again, or {later}"
        raise ThawlineError("a token of the hub", found, fix)
    failure = hub_failure(partial(api.model_info, ready.repository))
    if failure is not None:
        found = f"{failure}; '{ready.folder}' is ready"
        raise ThawlineError("a hub that answers", found, later)
    try:
        # Without `private`, an organisation's own default holds.
        api.create_repo(ready.repository, private=private or None, exist_ok=True)
        if private and not api.model_info(ready.repository).private:
            fix = "make it private on its page, or choose another name"
            found = f"{ready.repository}, which exists and is public"
            raise ThawlineError("a private repository", found, fix)
        done = api.upload_folder(
            repo_id=ready.repository,
            folder_path=ready.folder,
            commit_message=f"Upload a classifier of Thawline {__version__}",
            delete_patterns=list(PARTS),
        )
    except HfHubHTTPError as error:
        fix = "check the name of the repository and the rights of the token"
        found = f"{first_line(error)}; '{ready.folder}' is ready"
        raise ThawlineError(f"a push to {ready.repository}", found, fix) from error
    return str(done.repo_url.url)


def check_repository(repository: str) -> None:
    """Check the name of a repository.

    Raises:
        ThawlineError: If it is not USER/NAME with the characters that the hub allows.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
        valid = repository.count("/") == 1
    except HFValidationError:
        valid = False
    if not valid:
        fix = "write for example anna/reviews; letters, digits, -, _ and . are allowed"
        raise ThawlineError("a repository as USER/NAME", f"'{repository}'", fix)


def _read_card(source: Path) -> str | None:
    """Return the model card of an artifact. None if it has none.

    Raises:
        ThawlineError: If it is a link that leads elsewhere, or if it is not in UTF-8.
    """
    card = source / CARD
    if not os.path.lexists(card):
        return None
    check_regular(card, inside=boundary(source))
    try:
        return card.read_text("utf-8")
    except UnicodeDecodeError as error:
        fix = "save the file in UTF-8, or delete it to get a short card"
        raise ThawlineError(f"a model card in UTF-8 ('{card}')", first_line(error), fix) from error


def _may_replace(folder: Path) -> bool:
    """Return whether nothing is at a path, or only what an earlier push wrote."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return False
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if not names:
        return True
    try:
        files = files_of_artifact(folder, read_settings(folder))
        card = (folder / CARD).read_text("utf-8")
    except (ThawlineError, OSError, UnicodeDecodeError):
        return False
    written = {name.partition("/")[0] for name in files}
    return is_hub_card(card) and names <= {*written, SETTINGS, CARD}


def _check_adapter(source: Path, values: dict[str, Any]) -> None:
    """Check that the backbone of adapters is not a folder, which other machines do not have."""
    adapter = values.get("adapter")
    base = adapter.get("base") if isinstance(adapter, dict) else None
    if isinstance(base, str) and (_is_path(base) or Path(base).is_dir()):
        raise ThawlineError(
            f"adapters on a backbone from the hub or from a package ('{source}')",
            f"the folder '{base}'",
            "fit again with `artifact.merge=true`, which saves a complete model",
        )


def _write_settings(folder: Path, values: dict[str, Any]) -> None:
    """Write the settings of an artifact, without the path of the backbone on this machine."""
    kept = {name: value for name, value in values.items() if name != SHA256}
    backbone = kept.get("backbone")
    if isinstance(backbone, str) and (_is_path(backbone) or Path(backbone).is_dir()):
        kept["backbone"] = re.split(r"[/\\]", backbone.rstrip("/\\"))[-1]
    signed = add_checksums(folder, {**kept, "format": FORMAT})  # format 1 has no checksums
    (folder / SETTINGS).write_text(json.dumps(signed, indent=1), encoding="utf-8")


def _is_path(name: str) -> bool:
    return name.startswith(("/", ".", "~")) or "\\" in name or name.count("/") > 1
