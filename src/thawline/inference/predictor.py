"""Compute the logits of a classifier for texts, from stored states or with the complete model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from thawline.backbones.kernels import fast_kernels
from thawline.backbones.pooling import pool
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.data.texts import check_pairing
from thawline.inference.examples import Examples, PooledExamples, Positions
from thawline.inference.fitted import AnyFitted, Fitted
from thawline.inference.reader import TextReader
from thawline.inference.words import AS_TRAINED, FittedWords
from thawline.models.heads import Standardisation
from thawline.prefix.frozen_pass import FrozenPass
from thawline.prefix.report import PassReport
from thawline.runtime.progress import Reporter
from thawline.runtime.threads import run_in_order
from thawline.store import Features, KeyedTexts

_MOVING = threading.Lock()
"""Held while a model is moved to a device, so that no other thread runs a half-moved model."""


class Predictor:
    """Computes the logits of one fitted classifier, from the states of its backbone and from words.

    Args:
        fitted: The classifier. If it has no backbone, no model runs and the other arguments have no
            effect.
        compute: The device, the dtype and the token budget of a batch. The complete model runs
            under autocast if the dtype is bfloat16.
        use_store: Whether pooled states are read from the store and missing ones are added to it.
            Otherwise the complete model runs on every text and nothing is stored. The complete
            model also runs if parts of the backbone were trained, because the store holds the
            states of the pretrained backbone only.
        reporter: Receives progress and messages. If None, there are none.
    """

    def __init__(
        self,
        fitted: AnyFitted,
        compute: ComputeConfig,
        *,
        use_store: bool,
        reporter: Reporter | None = None,
    ) -> None:
        self._fitted = fitted
        self._states = None
        if isinstance(fitted, Fitted):
            reporter = Reporter() if reporter is None else reporter
            self._states = _StatesPredictor(fitted, compute, use_store=use_store, reporter=reporter)

    @property
    def report(self) -> PassReport:
        """The work of the frozen pass so far."""
        return PassReport() if self._states is None else self._states.report

    def logits(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """Return the logits of texts, ``(texts, labels)``, in the order of the texts.

        Args:
            texts: Any number of texts, or of pairs if the classifier was trained on pairs.

        Raises:
            ThawlineError: If a text is not of the kind that the classifier was trained on, or if
                neither the store nor memory has space for missing states.
        """
        if isinstance(self._fitted, FittedWords):
            return self._fitted.logits(texts)
        check_pairing(texts, pairs=self._fitted.pairs, expected=AS_TRAINED)
        logits = np.zeros((len(texts), len(self._fitted.labels)), dtype=np.float32)
        if self._states is not None:
            logits += self._states.logits(texts)
        if self._fitted.words is not None and len(texts):
            logits += self._fitted.words.logits(texts)
        return logits

    def features(self, texts: Sequence[Text]) -> Any:
        """Return the features of texts, ``(texts, features)`` in fp32.

        They are the pooled states that the head reads, followed by the TF-IDF features. They are a
        sparse array if there are TF-IDF features.

        Args:
            texts: Any number of texts or pairs.

        Raises:
            ThawlineError: If neither the store nor memory has space for missing states.
        """
        parts: list[Any] = []
        if self._states is not None:
            parts.append(self._states.features(texts))
        if self._fitted.words is not None:
            parts.append(self._fitted.words.features(texts).astype(np.float32))
        if len(parts) == 1:
            return parts[0]
        from scipy.sparse import csr_array, hstack

        return hstack([csr_array(part) for part in parts], format="csr")


class _StatesPredictor:
    """Computes logits and features from the states of a backbone.

    The arguments and the methods are those of `Predictor`.
    """

    def __init__(
        self, fitted: Fitted, compute: ComputeConfig, *, use_store: bool, reporter: Reporter
    ) -> None:
        reading = fitted.reading
        frozen_pass = FrozenPass(
            fitted.as_backbone(), reading.max_length, reading.truncation_side, compute, reporter
        )
        self._fitted = fitted
        self._reader = TextReader(frozen_pass, use_store=use_store and fitted.is_frozen())

    @property
    def report(self) -> PassReport:
        return self._reader.frozen_pass.report

    def logits(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        return self._from_store(texts) if self._reader.use_store else self._from_model(texts)

    def _from_store(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        keyed, reading = KeyedTexts.of(texts), self._fitted.reading
        entry = self._reader.pooled_states(keyed, reading.stages)
        features = entry.features(keyed, reading.stages, reading.pooling)
        return head_logits(self._fitted.head_module(), features)

    def features(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        reading, fitted = self._fitted.reading, self._fitted
        if self._reader.use_store:
            keyed = KeyedTexts.of(texts)
            entry = self._reader.pooled_states(keyed, reading.stages)
            stored = entry.features(keyed, reading.stages, reading.pooling)
            return stored.take(torch.arange(len(stored))).numpy()

        def read(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
            pooled: dict[int, Tensor] = {}

            def keep(stage: int, states: Tensor) -> None:
                if stage in reading.stages:
                    pooled[stage] = pool(states, inputs.get("attention_mask"), reading.pooling)

            Stack(model.base_model).stage_states(inputs, keep, max(reading.stages))
            return torch.cat([pooled[stage] for stage in reading.stages], dim=1)

        return self._run(texts, len(reading.stages) * fitted.as_backbone().stack.hidden_size, read)

    def _from_model(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        def classify(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
            pooling = self._fitted.reading.pooling
            view = Stack(model.base_model).classifier_view(model, pooling)
            logits: Tensor = view(**inputs).logits
            return logits

        return self._run(texts, len(self._fitted.labels), classify)

    def _run(
        self,
        texts: Sequence[Text],
        width: int,
        compute: Callable[[PreTrainedModel, dict[str, Tensor]], Tensor],
    ) -> NDArray[np.float32]:
        """Run the complete model over texts.

        Args:
            texts: Any number of texts or pairs.
            width: The number of values for each text.
            compute: Computes these values, ``(batch, width)``, from the model and its inputs.
        """
        examples, _ = self._reader.token_examples(texts, line=0)
        frozen_pass = self._reader.frozen_pass
        device, low = frozen_pass.device, frozen_pass.dtype == "bfloat16"
        model = self._fitted.model
        with _MOVING:
            if model.device.type != device or model.training:
                model.to(device).eval()

        def run(batch: Positions) -> Tensor:
            inputs = examples.take(batch).inputs
            on_device = {name: tensor.to(device) for name, tensor in inputs.items()}
            with torch.autocast(device, torch.bfloat16, enabled=low), fast_kernels(device):
                return compute(model, on_device).float().cpu()

        found = np.empty((len(texts), width), dtype=np.float32)
        batches = examples.batches(np.arange(len(texts)), frozen_pass.compute.density)
        with frozen_pass.reporter.task("predicting", len(texts)) as advance:
            for batch, values in run_in_order(run, batches, device, share_single=True):
                found[batch] = values.numpy()
                advance(len(batch))
        return found


def example_logits(module: nn.Module, examples: Examples, density: float) -> NDArray[np.float32]:
    """Run a module in evaluation mode over examples.

    Args:
        module: Maps a batch of the examples to logits.
        examples: At least one example.
        density: The lowest share of tokens in a batch that are not padding.

    Returns:
        Logits, ``(examples, labels)``, in the order of the examples.
    """
    module.eval()
    device = next(module.parameters()).device.type

    def run(batch: Positions) -> Tensor:
        logits: Tensor = module(examples.take(batch)).float().cpu()
        return logits

    batches = examples.batches(np.arange(len(examples)), density)
    found = list(run_in_order(run, batches, device))
    logits = np.empty((len(examples), found[0][1].shape[1]), dtype=np.float32)
    for batch, rows in found:
        logits[batch] = rows.numpy()
    return logits


def head_logits(head: nn.Module, features: Features) -> NDArray[np.float32]:
    """Run a head over stored features that are not standardised.

    Returns:
        Logits, ``(texts, labels)``.
    """
    return example_logits(head, PooledExamples(features, Standardisation.none()), density=1.0)
