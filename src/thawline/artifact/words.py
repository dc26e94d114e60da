"""Save and load the linear layer of a classifier that reads words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from thawline.errors import ThawlineError
from thawline.inference.words import Words
from thawline.runs.layout import TERMS, WORD_WEIGHTS
from thawline.runs.settings import FIX
from thawline.runtime.untrusted import read_json

MAX_TERM_BYTES = 2**30
"""The largest file of terms, in bytes. A term takes about 20 bytes."""

MAX_IDF, MAX_WEIGHT = 100.0, 1e6
"""The largest values that are accepted. With larger ones, logits could overflow."""


def save_words(words: Words, folder: Path) -> None:
    """Write the terms as JSON and the numbers as safetensors to a folder."""
    terms = json.dumps({"terms": words.terms}, ensure_ascii=False)
    (folder / TERMS).write_text(terms, encoding="utf-8")
    tensors = {"idf": words.idf, "weights": words.weights, "bias": words.bias}
    plain = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(plain, folder / WORD_WEIGHTS, metadata={"format": "np"})


def load_words(folder: Path, n_labels: int) -> Words:
    """Load the linear layer of a classifier, and check that its parts fit together.

    Args:
        folder: The folder of the artifact.
        n_labels: The number of classes.

    Raises:
        ThawlineError: If a value is invalid.
        OSError, ValueError, SafetensorError: If a file is missing or damaged.
    """
    terms = _read_terms(folder / TERMS)
    tensors = load_file(folder / WORD_WEIGHTS)
    wanted = {
        "idf": (np.float64, (len(terms),)),
        "weights": (np.float32, (n_labels, len(terms))),
        "bias": (np.float32, (n_labels,)),
    }
    found = {name: (tensor.dtype.type, tensor.shape) for name, tensor in tensors.items()}
    if found != wanted:
        raise ThawlineError(
            f"{', '.join(wanted)} for {len(terms):,} terms and {n_labels} labels in "
            f"'{folder / WORD_WEIGHTS}'",
            ", ".join(f"{name} of shape {shape}" for name, (_, shape) in sorted(found.items())),
            FIX,
        )
    limits = {"idf": (1.0, MAX_IDF), "weights": (-MAX_WEIGHT, MAX_WEIGHT)}
    for name, tensor in tensors.items():
        low, high = limits.get(name, limits["weights"])
        if not ((tensor >= low) & (tensor <= high)).all():  # false for nan
            raise ThawlineError(
                f"values of '{name}' between {low:g} and {high:g} in '{folder / WORD_WEIGHTS}'",
                "other values",
                FIX,
            )
    return Words(terms, tensors["idf"], tensors["weights"], tensors["bias"])


def _read_terms(file: Path) -> tuple[str, ...]:
    values = read_json(file, limit=MAX_TERM_BYTES)
    terms = values.get("terms") if isinstance(values, dict) else None
    if (
        not isinstance(terms, list)
        or not terms
        or not all(isinstance(term, str) for term in terms)
        or len(set(terms)) < len(terms)
    ):
        raise ThawlineError(f"different terms, as strings, in '{file}'", "other values", FIX)
    return tuple(terms)
