"""Read a saved model only from safetensors files, without custom code, and explain errors."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel

from thawline.backbones.parts import CONFIG, WEIGHTS, describe_read_error, incomplete
from thawline.errors import ThawlineError
from thawline.runtime.failures import is_panic
from thawline.runtime.randomness import building


def read_config(path: str, *, saved: bool = False) -> Any:
    """Read the config of a model.

    Args:
        path: The folder of the model.
        saved: Whether the folder holds a saved classifier of Thawline.

    Raises:
        ThawlineError: If the config is missing or damaged.
    """
    with explain_read_errors(path, CONFIG, saved=saved):
        return AutoConfig.from_pretrained(path, trust_remote_code=False)


def read_model(
    path: str, auto: Any, *, saved: bool = False
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Read a model in fp32 from safetensors files, never from a pickle.

    Missing weights, for example the pooler of some BERT checkpoints, are initialised from a fixed
    seed. So every call gives the same model.

    Args:
        path: The folder of the model.
        auto: The Auto class of transformers that builds the model.
        saved: Whether the folder holds a saved classifier of Thawline.

    Returns:
        The model, and the loading info of transformers with the weights that are missing or have
        another shape.

    Raises:
        ThawlineError: If the weights are missing or damaged.
    """
    with explain_read_errors(path, WEIGHTS, saved=saved), building():
        found: tuple[PreTrainedModel, dict[str, Any]] = auto.from_pretrained(
            path,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # `check_complete` reports them in one line
            trust_remote_code=False,
        )
        return found


@contextmanager
def explain_read_errors(path: str, *parts: tuple[str, ...], saved: bool = False) -> Iterator[None]:
    """Turn every exception that is raised while a folder is read into a ThawlineError.

    Args:
        path: The folder of the model.
        parts: The parts that are read: `CONFIG`, `WEIGHTS` or `TOKENIZER` of `backbones.parts`.
        saved: Whether the folder holds a saved classifier of Thawline.

    Raises:
        ThawlineError: If the code inside the ``with`` block raises an exception.
    """
    try:
        yield
    except ThawlineError:
        raise
    except BaseException as error:  # transformers raises many types and documents none of them
        if not (isinstance(error, Exception) or is_panic(error)):
            raise
        found = describe_read_error(Path(path), error, *parts)
        raise incomplete(Path(path), found, saved=saved) from error


def check_complete(
    name: str, missing: Collection[str], mismatched: Collection[tuple[str, Any, Any]]
) -> None:
    """Check that a checkpoint has every weight in the right shape.

    Args:
        name: The name of the model.
        missing: Names of the missing weights. BERT's pooler may be missing.
        mismatched: For each weight of another shape its name, its shape and the expected shape.

    Raises:
        ThawlineError: If a weight other than the pooler's is missing, or has another shape.
    """
    fix = "use the checkpoint that belongs to this config.json"
    lacking = {key for key in missing if not key.startswith("pooler.")}
    if lacking:
        first = sorted(lacking)[0]
        found = f"{len(lacking)} missing weights, for example {first}"
        found = f"1 missing weight: {first}" if len(lacking) == 1 else found
        raise ThawlineError(f"all weights of '{name}'", found, fix)
    for key, found_shape, wanted in sorted(mismatched):
        raise ThawlineError(
            f"the weights of '{name}' in the shapes that its config.json describes",
            f"{key} of shape {tuple(found_shape)} instead of {tuple(wanted)}",
            fix,
        )


def check_finite(name: str, model: PreTrainedModel, fix: str = "download the model again") -> None:
    """Check that all weights of a model are finite.

    Args:
        name: The name of the model.
        model: The model to check.
        fix: How to fix the weights, for the error.

    Raises:
        ThawlineError: If a weight is nan or infinite.
    """
    for key, tensor in model.state_dict().items():
        # The sum is much faster than `isfinite`. It is not finite if a weight is not, and rarely
        # if large weights overflow it.
        if (
            tensor.is_floating_point()
            and not tensor.sum().isfinite()
            and not tensor.isfinite().all()
        ):
            raise ThawlineError(f"finite weights in '{name}'", f"nan or infinity in {key}", fix)


def try_model(model: PreTrainedModel, pad_id: int, limit: int) -> None:
    """Run a model on a few tokens, because some configs only fail when a model runs.

    Args:
        model: The model in evaluation mode.
        pad_id: A token id.
        limit: The maximum number of tokens in a text.

    Raises:
        Exception: If the model cannot run. The type depends on the model.
    """
    width = min(4, limit)
    ids = torch.full((2, width), pad_id, device=model.device)
    mask = torch.ones_like(ids)
    mask[0, 1:] = 0
    with torch.inference_mode():
        model(input_ids=ids, attention_mask=mask)
        model(input_ids=ids)  # some kinds of attention run other code without a mask
