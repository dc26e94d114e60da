"""Save, find, load and verify classifiers.

An artifact is the folder of a saved classifier. ``thawline.json`` holds the labels and how texts
are read. The same folder contains the tokenizer's files and the weights. With a native head the
folder is a plain transformers model. Other heads have their own model type, which `import thawline`
registers.

Adapters that are not merged are in a subfolder in peft's format. The top folder then contains no
model, because transformers would load such a model with a random head.

Importing the package is quick, because a classifier without a backbone needs no torch. Names that
need it are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from thawline.artifact.loading import load
from thawline.runs.layout import FOLDER, find

if TYPE_CHECKING:
    from thawline.artifact.folder import save
    from thawline.artifact.proof import TOLERANCE, Prover

__all__ = ["FOLDER", "TOLERANCE", "Prover", "find", "load", "save"]

_MODULES = {"save": "folder", "TOLERANCE": "proof", "Prover": "proof"}
"""The modules of the names that are loaded on first use."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
