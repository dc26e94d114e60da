"""A classifier that was exported to ONNX. ONNX Runtime runs it without a model of torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.data.batches import plan_batches
from thawline.data.tokens import tokenize
from thawline.errors import ThawlineError
from thawline.inference.described import Described
from thawline.runtime.progress import Reporter

_ERRORS_ONLY = 3
"""The level of ONNX Runtime's log. Its warnings go to standard error."""


INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""The inputs that a model can have, in this order, ``(texts, tokens)`` int64 each."""

OUTPUT = "logits"
"""The only output of a model, ``(texts, labels)``."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedOnnx(Described):
    """A trained classifier as an ONNX model. It can classify, but it cannot be trained further.

    `Described` has further attributes.

    Attributes:
        session: The ONNX model, from `open_session`, which maps token ids to logits.
        precision: The number format of the weights, ``float32`` or ``int8``.
    """

    session: Any
    precision: str

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
        budget, density = compute.tokens_per_batch, compute.density
        if self.precision == "int8":
            budget = 1  # the states of a batch share a scale, so each text gets its own batch
        with reporter.task("predicting", len(texts)) as advance:
            for batch in plan_batches(tokens.lengths, tokens_per_batch=budget, density=density):
                inputs = {name: one.numpy() for name, one in tokens.batch(batch).items()}
                logits[batch] = run_session(self.session, inputs)
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


def run_session(session: Any, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
    """Return the logits of a batch, ``(texts, labels)``.

    Args:
        session: The ONNX model, from `open_session`.
        inputs: The batch, as in `INPUTS`. Only the ids are required: without a mask there is no
            padding, and without types all tokens have type 0.
    """
    ids, mask, types = INPUTS
    tokens = inputs[ids]
    complete = {mask: np.ones_like(tokens), types: np.zeros_like(tokens), **inputs}
    (logits,) = session.run(
        [OUTPUT], {one.name: complete[one.name] for one in session.get_inputs()}
    )
    found: NDArray[np.float32] = logits
    return found


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
