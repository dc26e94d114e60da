"""The names of a saved model's files, and descriptions of errors in reading them."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError

from thawline.errors import ThawlineError, as_given
from thawline.runs.layout import SETTINGS
from thawline.runtime.failures import describe_system_error, first_line
from thawline.runtime.untrusted import open_regular, parse_json, read_regular

CONFIG = ("config.json",)
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
TOKENIZER = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")
"""Each part of a saved model as a tuple of possible file names, the usual name first."""

_JSON_BYTES = 64 * 2**20
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_JSON = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def incomplete(folder: Path, found: str, *, saved: bool | None = None) -> ThawlineError:
    """Return the error about a model with a missing or damaged part.

    Args:
        folder: The folder of the model.
        found: What is wrong, as a noun phrase.
        saved: Whether the folder holds a saved classifier of Thawline. If None, it does if it has
            the classifier's settings.
    """
    if saved is None:
        saved = (folder / SETTINGS).is_file()
    expected = "a complete model (config.json, model.safetensors, tokenizer.json)"
    fix = "save the model and its tokenizer there with save_pretrained"
    if saved:
        expected, fix = "a complete saved classifier", "save it again, or run fit again"
    return ThawlineError(f"{expected} in '{folder}'", found, fix)


def describe_read_error(folder: Path, error: BaseException, *parts: tuple[str, ...]) -> str:
    """Return a noun phrase that says why a saved model could not be read.

    transformers reports a missing file in many ways, and some of them do not name the file.

    Args:
        folder: The folder of the model.
        error: The exception that was raised.
        parts: The parts that were read: `CONFIG`, `WEIGHTS` or `TOKENIZER`.

    Returns:
        The name of the missing part, the name of the damaged JSON file, or the first line of the
        exception.

    Raises:
        ThawlineError: If a file exists, but its permissions forbid reading it, or if it is not a
            regular file.
    """
    _check_permissions(folder)
    for names in parts:
        if not any((folder / name).is_file() for name in names):
            pickles = [name for name in _PICKLES if (folder / name).is_file()]
            only = f", only the pickle {pickles[0]}" if names is WEIGHTS and pickles else ""
            return f"no {names[0]}{only}"
    if isinstance(error, SafetensorError):
        return f"damaged weights ({first_line(error)})"
    if "custom code" in str(error):
        return "a model that needs its own Python code, which is never run"
    damaged = _damaged_json(folder)
    return first_line(error) if damaged is None else damaged


def _check_permissions(folder: Path) -> None:
    for name in (*CONFIG, *WEIGHTS, *TOKENIZER):
        try:
            with open_regular(folder / name):
                continue
        except PermissionError as error:
            raise ThawlineError(
                f"a file that can be read ({as_given(folder / name)})",
                describe_system_error(error),
                "change the permissions of the file",
            ) from error
        except OSError:
            continue


def _damaged_json(folder: Path) -> str | None:
    for name in _JSON:
        try:
            parse_json(read_regular(folder / name, limit=_JSON_BYTES))
        except ValueError as error:
            return f"a damaged {name} ({first_line(error)})"
        except OSError:
            continue
    return None
