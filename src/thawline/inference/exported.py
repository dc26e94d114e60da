"""A classifier that was exported to ONNX. ONNX Runtime runs it without a model of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from thawline.config import ComputeConfig
from thawline.data import Labels, Text
from thawline.data.batches import plan_batches
from thawline.data.tokens import tokenize
from thawline.errors import ThawlineError
from thawline.inference.reading import Reading
from thawline.inference.words import Words
from thawline.models.specs import HeadSpec
from thawline.runtime.progress import Reporter

_ERRORS_ONLY = 3
"""The level of ONNX Runtime's log. Its warnings go to standard error."""


@dataclass(frozen=True, eq=False)
class FittedOnnx:
    """A trained classifier as an ONNX model. It can classify, but it cannot be trained further.

    Attributes:
        session: The ONNX model, from `open_session`, which maps token ids to logits.
        tokenizer: The tokenizer, with a pad token and padding on the right.
        labels: The names of the classes and their raw values.
        reading: The settings under which texts are read.
        head: The kind of head.
        strategy: The strategy in its written form.
        backbone: The name of the pretrained backbone.
        precision: The number format of the weights, ``float32`` or ``int8``.
        words: A linear layer on TF-IDF features, whose logits are added to those of the model. None
            if the classifier reads only states.
    """

    session: Any
    tokenizer: PreTrainedTokenizerBase
    labels: Labels
    reading: Reading
    head: HeadSpec
    strategy: str
    backbone: str
    precision: str
    words: Words | None = None

    @property
    def pairs(self) -> bool:
        """Whether the classifier was trained on pairs of texts."""
        return self.reading.pairs

    def is_frozen(self) -> bool:
        """Return False, because an ONNX model cannot use states from the store."""
        return False

    def state_logits(
        self, texts: Sequence[Text], compute: ComputeConfig, reporter: Reporter
    ) -> NDArray[np.float32]:
        """Return the logits of the ONNX model, ``(texts, labels)``, without those of words.

        Args:
            texts: Any number of texts or pairs.
            compute: The token budget of a batch. The model always runs on the CPU in its own
                number format.
            reporter: Receives progress.
        """
        reading = self.reading
        tokens = tokenize(
            self.tokenizer,
            texts,
            max_length=reading.max_length,
            truncation_side=reading.truncation_side,
        )
        logits = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        names = [one.name for one in self.session.get_inputs()]
        budget, density = compute.tokens_per_batch, compute.density
        if self.precision == "int8":
            budget = 1  # the states of a batch share a scale, so each text gets its own batch
        with reporter.task("predicting", len(texts)) as advance:
            for batch in plan_batches(tokens.lengths, tokens_per_batch=budget, density=density):
                inputs = {name: one.numpy() for name, one in tokens.batch(batch).items()}
                ids = inputs["input_ids"]
                inputs.setdefault("attention_mask", np.ones_like(ids))
                inputs.setdefault("token_type_ids", np.zeros_like(ids))
                feed = {name: inputs[name] for name in names}
                (logits[batch],) = self.session.run(None, feed)
                advance(len(batch))
        return logits


def open_session(file: Path) -> Any:
    """Return a session of ONNX Runtime on the CPU, with as many threads as torch uses.

    Args:
        file: The ONNX model.

    Raises:
        Exception: If the model is damaged. The type is one of ONNX Runtime's own.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = _ERRORS_ONLY
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def check_has_states(fitted: object) -> None:
    """Check that a classifier can return the states that its head reads.

    Args:
        fitted: The classifier.

    Raises:
        ThawlineError: If it was exported to ONNX.
    """
    if isinstance(fitted, FittedOnnx):
        raise ThawlineError(
            "a classifier that returns the states of its backbone",
            "one that was exported to ONNX, which returns only logits",
            "load the run that it was exported from",
        )
