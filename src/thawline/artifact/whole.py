"""Save and load a classifier as one transformers model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from thawline.artifact.checks import check_size
from thawline.backbones.weights import weight_problems
from thawline.errors import ThawlineError
from thawline.inference.fitted import Fitted
from thawline.runtime.randomness import building


def save_whole(fitted: Fitted, folder: Path) -> None:
    """Write ``config.json``, with the labels, and ``model.safetensors`` to a folder.

    If the classifier also reads words, the saved config says so. The model then refuses to run in
    transformers without Thawline, because its own logits are only a part.
    """
    if fitted.words is None:
        fitted.model.save_pretrained(folder, safe_serialization=True)
        return
    fitted.model.config.words = True
    try:
        fitted.model.save_pretrained(folder, safe_serialization=True)
    finally:
        fitted.model.config.words = False


def load_whole(folder: Path, *, words: bool = False) -> PreTrainedModel:
    """Load a model in fp32.

    Args:
        folder: The folder of the artifact.
        words: Whether the logits of words are added to those of the model.

    Raises:
        ThawlineError: If the weights do not match config.json.
        OSError, ValueError, SafetensorError: If a file is missing or damaged.
    """
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with building():
        with torch.device("meta"):
            check_size(
                AutoModelForSequenceClassification.from_config(config, trust_remote_code=False),
                *folder.glob("model*.safetensors"),
            )
        model, info = AutoModelForSequenceClassification.from_pretrained(
            folder,
            dtype=torch.float32,
            output_loading_info=True,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # `_check_weights` reports them in one line
            trust_remote_code=False,
        )
    _check_weights(folder, info)
    if words:
        model.config.words = False
    return (
        model.float()
    )  # transformers reads the base in the dtype of its own config, if it has one


def _check_weights(folder: Path, info: dict[str, Any]) -> None:
    """Raise ThawlineError unless the weights match config.json in names and shapes."""
    wrong = weight_problems(info["missing_keys"], info["mismatched_keys"], info["unexpected_keys"])
    if wrong:
        raise ThawlineError(
            f"the weights that config.json describes in '{folder}'", wrong[0], "run fit again"
        )
