"""The files of a saved model, and which of them is at fault where they cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError

from thawline.errors import ThawlineError
from thawline.runtime.failures import first_line

CONFIG = ("config.json",)
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
TOKENIZER = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")
"""Each part of a saved model: the names that it may have, the usual one first."""

_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_JSON = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def fault(folder: Path, error: Exception, *parts: tuple[str, ...]) -> str:
    """Say what is at fault where reading a saved model raised an error.

    transformers has many words for a file that is missing, and some of them name none.

    Args:
        folder: the model's.
        error: what reading it raised.
        parts: those that were read: `CONFIG`, `WEIGHTS`, `TOKENIZER`.

    Returns:
        The part that is missing, the JSON file that breaks off, or what the error says.

    Raises:
        ThawlineError: a file is whole, but may not be read.
    """
    _check_permissions(folder)
    for names in parts:
        if not any((folder / name).is_file() for name in names):
            pickles = [name for name in _PICKLES if (folder / name).is_file()]
            only = f", only {pickles[0]}, a pickle" if names is WEIGHTS and pickles else ""
            return f"no {names[0]}{only}"
    if isinstance(error, SafetensorError):
        return f"damaged weights ({first_line(error)})"
    if "custom code" in str(error):
        return "one that brings code of its own, which is never run"
    damaged = _damaged_json(folder)
    return first_line(error) if damaged is None else damaged


def _check_permissions(folder: Path) -> None:
    for name in (*CONFIG, *WEIGHTS, *TOKENIZER):
        try:
            with (folder / name).open("rb"):
                continue
        except PermissionError as error:
            raise ThawlineError(
                f"a file that can be read ({folder / name})",
                str(error.strerror),
                "give yourself the right to read it",
            ) from error
        except OSError:
            continue


def _damaged_json(folder: Path) -> str | None:
    for name in _JSON:
        try:
            json.loads((folder / name).read_text(encoding="utf-8"))
        except ValueError as error:
            return f"a damaged {name} ({first_line(error)})"
        except OSError:
            continue
    return None
