"""The saved classifier: a folder that transformers can read where it should, and refuses where not.

``thawline.json`` says how texts are read and what the labels are; beside it are the tokenizer's
files and the weights. With a native head the folder is a plain transformers model; any other head
has a model type of its own, which `import thawline` registers. Live adapters are in a folder of
peft's, which leaves the top without a model that transformers would load with a random head.
"""

from __future__ import annotations

from thawline.artifact.folder import load, save
from thawline.artifact.proof import TOLERANCE, Prover
from thawline.runs.layout import FOLDER, find

__all__ = ["FOLDER", "TOLERANCE", "Prover", "find", "load", "save"]
