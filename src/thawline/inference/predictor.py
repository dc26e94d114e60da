"""Compute the logits of a classifier for texts, from stored states or with the complete model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from thawline.backbones.pooling import pool
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.data.texts import check_pairing
from thawline.data.tokens import Inputs
from thawline.inference.examples import Examples, PooledExamples, Positions
from thawline.inference.exported import check_has_states
from thawline.inference.fitted import AnyFitted, Fitted
from thawline.inference.reader import TextReader
from thawline.inference.shared import SharedPredictor
from thawline.inference.whole import run_models
from thawline.inference.words import AS_TRAINED
from thawline.models.heads import Standardisation
from thawline.prefix.frozen_pass import FrozenPass
from thawline.prefix.report import PassReport
from thawline.runtime.progress import Reporter
from thawline.runtime.threads import run_in_order
from thawline.store import Features, KeyedTexts


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
        reporter = Reporter() if reporter is None else reporter
        self._fitted = fitted
        self._states = None
        if isinstance(fitted, Fitted):
            self._states = _StatesPredictor(fitted, compute, use_store=use_store, reporter=reporter)
        self._complete = SharedPredictor([fitted], compute, reporter=reporter)

    @property
    def report(self) -> PassReport:
        """The work of the frozen pass so far."""
        if self._states is None:
            return PassReport()
        return self._states.report if self._states.use_store else self._complete.reports[0]

    def logits(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """Return the logits of texts, ``(texts, labels)``, in the order of the texts.

        Args:
            texts: Any number of texts, or of pairs if the classifier was trained on pairs.

        Raises:
            ThawlineError: If a text is not of the kind that the classifier was trained on, or if
                neither the store nor memory has space for missing states.
        """
        if self._states is None or not self._states.use_store:
            return self._complete.logits(texts)[0]
        check_pairing(texts, pairs=self._fitted.pairs, expected=AS_TRAINED)
        logits = self._states.logits(texts)
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
            ThawlineError: If neither the store nor memory has space for missing states, or if the
                classifier was exported to ONNX.
        """
        check_has_states(self._fitted)
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
    """Computes features from the states of a backbone, and logits from stored states.

    The arguments and the methods are those of `Predictor`.

    Attributes:
        use_store: Whether states are read from the store.
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

    @property
    def use_store(self) -> bool:
        return self._reader.use_store

    def logits(self, texts: Sequence[Text]) -> NDArray[np.float32]:
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

        stack = Stack(fitted.model.base_model)

        def read(inputs: Inputs) -> Tensor:
            pooled: dict[int, Tensor] = {}

            def keep(stage: int, states: Tensor) -> None:
                if stage in reading.stages:
                    pooled[stage] = pool(states, inputs.get("attention_mask"), reading.pooling)

            stack.stage_states(inputs, keep, max(reading.stages))
            return torch.cat([pooled[stage] for stage in reading.stages], dim=1).float().cpu()

        found = np.empty((len(texts), len(reading.stages) * stack.hidden_size), dtype=np.float32)
        for batch, values in run_models(self._reader, [fitted.model], texts, read):
            found[batch] = values.numpy()
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
