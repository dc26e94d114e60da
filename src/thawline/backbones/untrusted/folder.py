"""Check all files of a model's folder that a library may read."""

from __future__ import annotations

from pathlib import Path

from thawline.backbones.parts import CONFIG
from thawline.backbones.reading import explain_read_errors
from thawline.backbones.untrusted.config import check_config, check_generation_config
from thawline.backbones.untrusted.tokenizer import (
    check_added_tokens,
    check_special_tokens,
    check_tokenizer_config,
    check_tokenizer_file,
)
from thawline.backbones.untrusted.values import JsonFile
from thawline.backbones.untrusted.weights import check_size, check_weights
from thawline.errors import ThawlineError
from thawline.runs.layout import SETTINGS
from thawline.runtime.untrusted import check_regular

TOKENIZER_BYTES = 40 * 2**20
"""The largest file of a tokenizer, in bytes. Those of the supported families take up to 20 MB."""

LIMITS = {
    ".json": TOKENIZER_BYTES,
    ".txt": TOKENIZER_BYTES,
    ".model": TOKENIZER_BYTES,
    ".jinja": 2**20,
    ".safetensors": None,
}
"""The suffixes of the files that transformers reads, with their largest size in bytes. The size of
weights is compared with the config and with the memory."""

CONFIG_BYTES = 16 * 2**20
"""The largest config, which holds a name for each label, in bytes."""

TEMPLATES = "additional_chat_templates"


def check_model_files(folder: Path) -> None:
    """Check the files of a model before a library opens them. Missing files are not reported.

    The files are the config, the weights and the tokenizer, in the format of transformers. The
    settings, the adapters and the head of an artifact are not checked here.

    Args:
        folder: The folder of a backbone, a tokenizer or an artifact.

    Raises:
        ThawlineError: If a file is not a regular file inside the folder, is too large or damaged,
            or holds a value that the supported families do not need.
    """
    saved = (folder / SETTINGS).is_file()
    with explain_read_errors(str(folder), saved=saved):
        _check_entries(folder, folder)
        if (folder / TEMPLATES).is_dir():
            _check_entries(folder / TEMPLATES, folder)
        if (folder / "adapter_config.json").exists():
            raise ThawlineError(
                f"a complete model in '{folder}'",
                "adapter_config.json, which names another model that peft would load",
                "merge the adapter into its base, or remove that file",
            )
        config = _read(folder, CONFIG[0])
        checked = None if config is None else check_config(config)
        rows = None if checked is None else checked.rows
        generation = _read(folder, "generation_config.json")
        if generation is not None:
            check_generation_config(generation, rows)
        shapes = check_weights(folder)
        if checked is not None and shapes:
            check_size(folder, checked.values, shapes)
        _check_tokenizer(folder, rows)


def _read(folder: Path, name: str) -> JsonFile | None:
    path = folder / name
    return JsonFile.read(path, limit=CONFIG_BYTES) if path.is_file() else None


def _check_tokenizer(folder: Path, rows: int | None) -> None:
    checks = {
        "tokenizer_config.json": check_tokenizer_config,
        "special_tokens_map.json": check_special_tokens,
        "added_tokens.json": check_added_tokens,
    }
    for name, check in checks.items():
        file = _read(folder, name)
        if file is not None:
            check(file)
    path = folder / "tokenizer.json"
    if path.is_file():
        check_tokenizer_file(JsonFile.read(path), rows)


def _check_entries(folder: Path, model: Path) -> None:
    """Refuse files that are not regular, are too large, or are links that lead out of the model.

    A snapshot in the hub's cache consists of links to the folder ``blobs`` of the same model.
    """
    blobs = model.resolve().parent.parent / "blobs"
    is_snapshot = model.resolve().parent.name == "snapshots" and not blobs.is_symlink()
    for path in sorted(folder.iterdir()):
        if path.suffix not in LIMITS:
            continue
        inside = blobs if is_snapshot and path.is_symlink() else model
        try:
            check_regular(path, limit=LIMITS[path.suffix], inside=inside)
        except FileNotFoundError:
            continue  # a link to nothing counts as a missing file
