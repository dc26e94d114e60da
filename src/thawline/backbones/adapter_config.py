"""Read the configuration of adapters from ``adapter_config.json``, without peft.

The file may come from an untrusted source, and peft would run what it describes: load other models
and tokenizers, search with regular expressions, or change the base model. So only the keys that
`models.lora` writes may have a value, and peft gets a new config with these values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import nn
from transformers.pytorch_utils import Conv1D

from thawline.errors import ThawlineError
from thawline.runs.settings import FIX
from thawline.runtime.untrusted import check_regular, read_json, show_value
from thawline.strategies import MAX_ALPHA

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
"""The names that peft gives to the files of adapters."""

MAX_TARGETS = 10_000
MAX_RANK = 65_536
"""Limits of the values in the config."""

_MAX_BYTES = 4 * 2**20
_PATH = re.compile(r"[A-Za-z0-9_]{1,100}(\.[A-Za-z0-9_]{1,100}){0,19}")
"""The path of a module. Unlike peft, it is never a regular expression."""

_IGNORED = frozenset({"auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version"})
"""Keys that peft writes to describe how the adapters were made."""

_FLAGS = ("use_dora", "use_rslora", "fan_in_fan_out")
"""Keys that are true or false. A missing key is false."""

_TASKS = ("SEQ_CLS", "FEATURE_EXTRACTION")
_DTYPES = ("F32", "F16", "BF16", "F64")


@dataclass(frozen=True)
class AdapterConfig:
    """The values of a LoRA config that Thawline uses.

    Attributes:
        r: Rank of the adapters.
        alpha: Scaling of the adapters: their output is multiplied by alpha / r.
        dropout: Dropout probability of the adapters' input.
        targets: Paths of the adapted modules, or the ends of their paths.
        dora: Whether the magnitudes of the rows are trained too (DoRA).
        rslora: Whether the output is multiplied by alpha / √r instead of alpha / r.
        transposed: Whether the adapted layers store their weights transposed, as `Conv1D` does.
    """

    r: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]
    dora: bool = False
    rslora: bool = False
    transposed: bool = False


def linear_sizes(layer: nn.Module) -> tuple[int, int] | None:
    """Return the number of inputs and of outputs of a linear layer, or None for another layer.

    The linear layers of GPT-2 have the type `Conv1D`, which stores its weight transposed.
    """
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    if isinstance(layer, Conv1D):
        inputs, outputs = layer.weight.shape
        return inputs, outputs
    return None


def read_adapter_config(folder: Path) -> AdapterConfig:
    """Read and check the configuration of adapters.

    Args:
        folder: The folder of the adapters.

    Raises:
        ThawlineError: If the file is damaged, describes other adapters than LoRA, or has a value
            that Thawline does not write. The error names the key.
        OSError: If the file cannot be read.
    """
    path = folder / CONFIG
    check_regular(path, inside=folder)
    values = read_json(path, limit=_MAX_BYTES)
    if not isinstance(values, dict):
        raise _invalid(path, "", "an object", values)
    if values.get("peft_type") != "LORA":
        raise _invalid(path, "peft_type", "'LORA', the only supported type", values)
    if values.get("task_type") not in (None, *_TASKS):
        raise _invalid(path, "task_type", f"null or one of {', '.join(_TASKS)}", values)
    r, alpha, dropout = (values.get(key) for key in ("r", "lora_alpha", "lora_dropout"))
    if type(r) is not int or not 1 <= r <= MAX_RANK:
        raise _invalid(path, "r", f"a rank between 1 and {MAX_RANK:,}", values)
    if type(alpha) not in (int, float) or not 0 < alpha <= MAX_ALPHA:  # type: ignore[operator]
        raise _invalid(path, "lora_alpha", f"a number above 0 and up to {MAX_ALPHA:,.0f}", values)
    if type(dropout) not in (int, float) or not 0 <= dropout < 1:  # type: ignore[operator]
        raise _invalid(path, "lora_dropout", "a number of at least 0 and below 1", values)
    targets = values.get("target_modules")
    if not isinstance(targets, list) or not 1 <= len(targets) <= MAX_TARGETS:
        expected = f"a list of 1 to {MAX_TARGETS:,} paths of modules"
        raise _invalid(path, "target_modules", expected, values)
    for target in targets:
        if not isinstance(target, str) or _PATH.fullmatch(target) is None:
            expected = "paths of modules, which are not regular expressions"
            raise _invalid(path, "target_modules", expected, {"target_modules": target})
    flags = [values.get(key, False) for key in _FLAGS]
    for key, flag in zip(_FLAGS, flags, strict=True):
        if type(flag) is not bool:
            raise _invalid(path, key, "true or false", values)
    _check_other_keys(path, values)
    return AdapterConfig(
        r,
        float(alpha),  # type: ignore[arg-type]
        float(dropout),  # type: ignore[arg-type]
        tuple(targets),
        *flags,
    )


def check_adapter_shapes(model: nn.Module, config: AdapterConfig, folder: Path) -> None:
    """Check that adapters fit a model and their weights, before memory is allocated for them.

    Args:
        model: The base model.
        config: The configuration of the adapters.
        folder: The folder of the adapters.

    Raises:
        ThawlineError: If a target is not a linear layer, if the rank exceeds the sizes of a layer,
            or if the file of weights has other shapes.
        OSError: If the file of weights does not exist.
        SafetensorError: If the file of weights is damaged.
    """
    path = folder / CONFIG
    matched = dict.fromkeys(config.targets, 0)
    wanted: dict[str, tuple[int, ...]] = {}
    transposed = False
    for name, module in model.named_modules():
        ends = {name[start:] for start in _starts(name)} & matched.keys()
        if not ends:
            continue
        matched |= {end: matched[end] + 1 for end in ends}
        sizes = linear_sizes(module)
        if sizes is None:
            found = {"target_modules": min(ends)}
            raise _invalid(path, "target_modules", "linear layers of the backbone", found)
        if config.r > max(sizes):
            expected = f"at most {max(sizes)}, the size of {name}"
            raise _invalid(path, "r", expected, {"r": config.r})
        inputs, outputs = sizes
        transposed = transposed or isinstance(module, Conv1D)
        wanted[f"base_model.model.{name}.lora_A.weight"] = (config.r, inputs)
        wanted[f"base_model.model.{name}.lora_B.weight"] = (outputs, config.r)
        if config.dora:
            wanted[f"base_model.model.{name}.lora_magnitude_vector"] = (outputs,)
    for target, count in matched.items():
        if not count:
            found = {"target_modules": target}
            raise _invalid(path, "target_modules", "linear layers of the backbone", found)
    if config.transposed and not transposed:
        expected = "false, because the backbone's layers are not of the type Conv1D,"
        raise _invalid(path, "fan_in_fan_out", expected, {"fan_in_fan_out": True})
    check_regular(folder / WEIGHTS, inside=folder)
    with safe_open(folder / WEIGHTS, "pt") as file:
        for name in file.keys():  # noqa: SIM118  # the file is not a dict
            part = file.get_slice(name)
            if name in wanted and tuple(part.get_shape()) != wanted[name]:
                raise ThawlineError(
                    f"weights of the shapes that {CONFIG} describes in '{folder / WEIGHTS}'",
                    f"{name} of shape {tuple(part.get_shape())} instead of {wanted[name]}",
                    FIX,
                )
            if part.get_dtype() not in _DTYPES:
                raise ThawlineError(
                    f"weights of the dtypes {', '.join(_DTYPES)} in '{folder / WEIGHTS}'",
                    f"{name} of dtype {part.get_dtype()}",
                    FIX,
                )


def _starts(name: str) -> list[int]:
    """Return the places in a module's path at which the name of a module starts."""
    return [0, *(match.end() for match in re.finditer(r"\.", name))]


def _check_other_keys(path: Path, values: Mapping[str, Any]) -> None:
    """Raise ThawlineError if a key that Thawline does not use has another value than its default.

    An unknown key may come from another version of peft. It is ignored if its value is empty.
    """
    from peft import LoraConfig

    defaults = {field.name: field.default for field in fields(LoraConfig)}
    used = {"peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "target_modules", *_FLAGS}
    for key, value in values.items():
        if key in used | _IGNORED or value is None or value is False or value in ("", [], {}):
            continue
        default = defaults.get(key, MISSING)
        if type(value) is not type(default) or value != default:
            raise _invalid(path, key, "no value or the default value", values)


def _invalid(path: Path, key: str, expected: str, values: Any) -> ThawlineError:
    """Return the error for the value of a key. Without a key, for the complete file."""
    if not key:
        return ThawlineError(f"{expected} in '{path}'", show_value(values), FIX)
    name = show_value(key)
    return ThawlineError(
        f"{expected} in {name} of '{path}'", f"{name} {show_value(values.get(key))}", FIX
    )
