"""Hash named tensors, write them to safetensors files, and read and check them.

Pickles are never read or written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """Return a SHA-256 of the names, dtypes, shapes and values of tensors, in hexadecimal."""
    digest = hashlib.sha256()
    hash_weights(digest, weights)
    return digest.hexdigest()


def hash_weights(digest: hashlib._Hash, weights: Mapping[str, Tensor]) -> None:
    """Add the names, dtypes, shapes and values of tensors to a hash, sorted by name."""
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)


def write_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write named tensors to a safetensors file."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    save_file(plain, path, metadata={"format": "pt"})


def read_weights(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read a safetensors file that must hold exactly the wanted names and shapes.

    Args:
        path: The safetensors file.
        wanted: Tensors with the names and shapes that the file should hold.

    Returns:
        The tensors of the file by name.

    Raises:
        ValueError: If a tensor is missing, has another shape or is not wanted. The message names
            the first of them.
        OSError: If the file cannot be read.
        SafetensorError: If the file is damaged.
    """
    found: dict[str, Tensor] = load_file(path)
    mismatched = [
        (name, found[name].shape, wanted[name].shape)
        for name in wanted.keys() & found.keys()
        if found[name].shape != wanted[name].shape
    ]
    problems = weight_problems(
        wanted.keys() - found.keys(), mismatched, found.keys() - wanted.keys()
    )
    if problems:
        raise ValueError(f"{path.name}: {problems[0]}")
    return found


def weight_problems(
    missing: Iterable[str],
    mismatched: Iterable[tuple[str, Sequence[int], Sequence[int]]],
    unexpected: Iterable[str],
) -> list[str]:
    """Describe what is wrong with each tensor of a checkpoint.

    Args:
        missing: Names of the missing tensors.
        mismatched: For each tensor of another shape its name, its shape and the expected shape.
        unexpected: Names of the tensors that the model does not have.

    Returns:
        One noun phrase for each tensor: first the missing ones, then the mismatched, then the
        unexpected, sorted by name.
    """
    return [
        *(f"no weight {name}" for name in sorted(missing)),
        *(
            f"{name} of shape {tuple(found)} instead of {tuple(wanted)}"
            for name, found, wanted in sorted(mismatched)
        ),
        *(f"an unexpected weight {name}" for name in sorted(unexpected)),
    ]
