"""Save, find, load and verify classifiers.

An artifact is the folder of a saved classifier. ``thawline.json`` holds the labels and how texts
are read. The same folder contains the tokenizer's files and the weights. With a native head the
folder is a plain transformers model. Other heads have their own model type, which `import thawline`
registers.

Adapters that are not merged are in a subfolder in peft's format. The top folder then contains no
model, because transformers would load such a model with a random head.
"""

from __future__ import annotations

from thawline.artifact.folder import load, save
from thawline.artifact.proof import TOLERANCE, Prover
from thawline.runs.layout import FOLDER, find

__all__ = ["FOLDER", "TOLERANCE", "Prover", "find", "load", "save"]
