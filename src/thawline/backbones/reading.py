"""A saved model's folder, read strictly: safetensors only, no code that it brings, clear errors."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel

from thawline.backbones.parts import CONFIG, WEIGHTS, fault
from thawline.errors import ThawlineError


def read_config(path: str, *, saved: bool = False) -> Any:
    """Read the config of a model; arguments and errors as of `readable`."""
    with readable(path, CONFIG, saved=saved):
        return AutoConfig.from_pretrained(path, trust_remote_code=False)


def read_model(
    path: str, auto: Any, *, saved: bool = False
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Read a model in fp32, and which weights its checkpoint lacks or has in another shape.

    Only safetensors is read, never a pickle. What is lacking (some BERTs come without their
    pooler) is drawn from a fixed seed, so that every load gives the same model.

    Args:
        path: of the folder.
        auto: the class of transformers that makes the model.
        saved: as of `readable`.
    """
    with readable(path, WEIGHTS, saved=saved), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found: tuple[PreTrainedModel, dict[str, Any]] = auto.from_pretrained(
            path,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # `check_complete` says which, in one line
            trust_remote_code=False,
        )
        return found


@contextmanager
def readable(path: str, *parts: tuple[str, ...], saved: bool = False) -> Iterator[None]:
    """Turn whatever is raised while a part of a folder is read into one clear line.

    Args:
        path: of the folder.
        parts: which part it is.
        saved: whether it is a saved classifier's.
    """
    whole = "a whole model (config.json, model.safetensors, tokenizer.json)"
    fix = "save the model and its tokenizer there with save_pretrained"
    if saved:
        whole, fix = "a whole saved classifier", "save it again, or run fit again"
    try:
        yield
    except ThawlineError:
        raise
    except Exception as error:  # of many kinds, and none of them a promise
        raise ThawlineError(
            f"{whole} in '{path}'", fault(Path(path), error, *parts), fix
        ) from error


def check_complete(
    name: str, missing: Collection[str], mismatched: Collection[tuple[str, Any, Any]]
) -> None:
    """Raise ThawlineError where weights are missing, or of another shape than they should be.

    Args:
        name: of the model.
        missing: names; a BERT may come without its pooler.
        mismatched: name, shape found, shape wanted.
    """
    fix = "use the checkpoint that belongs to this config.json"
    lacking = {key for key in missing if not key.startswith("pooler.")}
    if lacking:
        found = f"{len(lacking)} missing, {sorted(lacking)[0]} the first"
        raise ThawlineError(f"all weights of '{name}'", found, fix)
    for key, found_shape, wanted in sorted(mismatched):
        raise ThawlineError(
            f"the weights of '{name}' in the shapes that its config.json asks for",
            f"{key} of shape {tuple(found_shape)} in place of {tuple(wanted)}",
            fix,
        )


def check_finite(name: str, model: PreTrainedModel) -> None:
    """Raise ThawlineError where a weight is no number."""
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ThawlineError(
                f"finite weights in '{name}'", f"nan or infinity in {key}", "fetch the model again"
            )
