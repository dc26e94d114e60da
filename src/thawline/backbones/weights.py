"""Named tensors: what they are in one hash, and read from a file as strictly as they were written.

safetensors only, never a pickle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """Return a SHA-256 over names, dtypes, shapes and values, in hexadecimal."""
    digest = hashlib.sha256()
    hash_weights(digest, weights)
    return digest.hexdigest()


def hash_weights(digest: hashlib._Hash, weights: Mapping[str, Tensor]) -> None:
    """Add names, dtypes, shapes and values to a hash, in the order of the names."""
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)


def write_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors to a file that `read_weights` and every other reader of safetensors takes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    save_file(plain, path, metadata={"format": "pt"})


def read_weights(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the tensors that are wanted, all of them and no other.

    Args:
        path: of the file.
        wanted: tensors of the names and shapes that it should hold.

    Raises:
        ValueError: the first that is missing, of another shape or one too many.
        OSError: the file cannot be read.
        SafetensorError: it is damaged.
    """
    found: dict[str, Tensor] = load_file(path)
    misshapen = [
        (name, found[name].shape, wanted[name].shape)
        for name in wanted.keys() & found.keys()
        if found[name].shape != wanted[name].shape
    ]
    wrong = faults(wanted.keys() - found.keys(), misshapen, found.keys() - wanted.keys())
    if wrong:
        raise ValueError(f"{path.name}: {wrong[0]}")
    return found


def faults(
    missing: Iterable[str],
    misshapen: Iterable[tuple[str, Sequence[int], Sequence[int]]],
    unexpected: Iterable[str],
) -> list[str]:
    """Say of each tensor what is wrong with it.

    Args:
        missing: names.
        misshapen: names, each with the shape that it has and the one that is wanted.
        unexpected: names.
    """
    return [
        *(f"{name} missing" for name in sorted(missing)),
        *(
            f"{name} of shape {tuple(found)} in place of {tuple(wanted)}"
            for name, found, wanted in sorted(misshapen)
        ),
        *(f"{name}, which has no place" for name in sorted(unexpected)),
    ]
