"""Check weights by their headers: names of files, data types, and sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from thawline.backbones.parts import WEIGHTS, incomplete
from thawline.backbones.untrusted.values import JsonFile
from thawline.errors import ThawlineError
from thawline.runs.layout import MODEL_TYPE
from thawline.runtime.hardware import available_memory_bytes
from thawline.runtime.untrusted import open_regular, show_value

MAX_HEADER = 16 * 2**20
"""The largest header of a safetensors file, in bytes."""

DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL")
"""The data types of weights that need no scale. Some checkpoints hold position ids as integers."""

SPARE = 2**22
"""Number of weights that a checkpoint may lack, such as a pooler, before a model is built."""

MAX_UNUSED = 4
"""How many times as many weights as the model a checkpoint may hold."""

LFS = b"version https://git-lfs"
"""The start of a file that Git LFS puts in place of a large one."""

_SHARD = re.compile(r"[^/\\\x00]+\.safetensors")


def check_weights(folder: Path) -> dict[str, tuple[int, ...]]:
    """Check the files of weights in a folder.

    Args:
        folder: The folder of the model. It may have no weights.

    Returns:
        The shape of each tensor by name.

    Raises:
        ThawlineError: If the index names a file that is not a safetensors file in the folder, or
            if a header is too large or names an unknown data type.
        SafetensorError: If a file is damaged.
        OSError: If a file cannot be read.
    """
    whole, index = (folder / name for name in WEIGHTS)
    files = [whole] if whole.is_file() else []
    if index.is_file():
        shards = _read_index(index)
        files = files or shards
    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        shapes |= _read_shapes(path)
    return shapes


def _read_index(path: Path) -> list[Path]:
    file = JsonFile.read(path)
    names = file.mapping("weight_map", file.value.get("weight_map"))
    for tensor, name in names.items():
        if not isinstance(name, str) or not _SHARD.fullmatch(name):
            raise ThawlineError(
                f"names of safetensors files in the folder of '{path}'",
                f"{show_value(name)} as the file of {show_value(tensor)}",
                "save the model again with save_pretrained",
            )
    shards = [path.parent / name for name in sorted(set(names.values()))]
    for shard in shards:
        if not shard.is_file():
            raise ThawlineError(
                f"all files that '{path}' names",
                f"no {show_value(shard.name)}",
                "download the model again",
            )
    return shards


def _read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with open_regular(path) as file:
        start = file.read(len(LFS))
    if start == LFS:
        raise ThawlineError(
            f"weights in '{path}'",
            "a pointer of Git LFS, which stands for the file",
            "download the file with git lfs pull",
        )
    if int.from_bytes(start[:8], "little") > MAX_HEADER:
        raise incomplete(path.parent, f"damaged weights (the header of {path.name} is too long)")
    shapes: dict[str, tuple[int, ...]] = {}
    with safe_open(path, "pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118  # it is not a dict
            part = tensors.get_slice(name)
            if part.get_dtype() not in DTYPES:
                raise ThawlineError(
                    f"weights of the types {', '.join(DTYPES)} in '{path}'",
                    f"{part.get_dtype()} in {show_value(name)}",
                    "use a checkpoint that is not quantised",
                )
            shapes[name] = tuple(part.get_shape())
    return shapes


def check_size(
    folder: Path, values: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]
) -> None:
    """Check that a config does not describe a much larger or smaller model than the weights.

    transformers initialises missing weights, whatever their size. The model is built without
    memory, on the meta device, and its weights are counted.

    Args:
        folder: The folder of the model.
        values: The checked values of config.json.
        shapes: The shape of each tensor in the files.

    Raises:
        ThawlineError: If the model has more weights than the files, or far fewer, or does not fit
            into memory.
    """
    held = sum(math.prod(shape) for shape in shapes.values())
    layers = _depth(values)
    fix = "use the config.json that belongs to these weights"
    if layers > len(shapes):
        raise ThawlineError(
            f"a config.json that describes the {len(shapes):,} tensors of the weights in "
            f"'{folder}'",
            f"{layers:,} blocks",
            fix,
        )
    is_thawline = values["model_type"] == MODEL_TYPE
    auto = AutoModelForSequenceClassification if is_thawline else AutoModel
    with torch.device("meta"):
        model = auto.from_config(AutoConfig.for_model(**values), trust_remote_code=False)
    described = sum(parameter.numel() for parameter in model.parameters())
    if described > 2 * held + SPARE:
        raise ThawlineError(
            f"a config.json that describes the {held:,} weights in '{folder}'",
            f"a model of {described:,} weights",
            fix,
        )
    # A checkpoint may also hold the head of its pretraining.
    if held > MAX_UNUSED * described + SPARE:
        raise ThawlineError(
            f"weights of the {described:,} parameters that config.json describes in '{folder}'",
            f"{held:,} weights",
            fix,
        )
    needed, available = 4 * described, available_memory_bytes()
    if needed > available:
        raise ThawlineError(
            f"a model that fits into the {available / 2**30:.1f} GB of available memory",
            f"'{folder}', which needs {needed / 2**30:.1f} GB",
            "use a smaller backbone, or a machine with more memory",
        )


def _depth(values: Mapping[str, Any]) -> int:
    values = values["backbone"] if values["model_type"] == MODEL_TYPE else values
    names = ("num_hidden_layers", "n_layers")
    return max((values[name] for name in names if name in values), default=0)
