"""From texts to logits, in batches, from whatever is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.data.batches import plan_batches
from thawline.data.tokens import tokenize
from thawline.inference.examples import Examples, PooledExamples
from thawline.inference.fitted import Fitted
from thawline.models.heads import Standardisation
from thawline.prefix.passes import PassReport, ensure_states, open_entry
from thawline.runtime.devices import pick_device, pick_dtype
from thawline.runtime.progress import Reporter
from thawline.store import Features


def example_logits(module: nn.Module, examples: Examples, density: float) -> NDArray[np.float32]:
    """Run a module in evaluation mode over examples.

    Args:
        module: from a batch of the examples to logits.
        examples: at least one.
        density: the least share of real tokens in a batch.

    Returns:
        Logits, ``(examples, labels)``, in their order.
    """
    module.eval()
    batches = examples.batches(np.arange(len(examples)), density)
    with torch.inference_mode():
        found = [module(examples.take(batch)).float().cpu().numpy() for batch in batches]
    logits = np.empty((len(examples), found[0].shape[1]), dtype=np.float32)
    for batch, rows in zip(batches, found, strict=True):
        logits[batch] = rows
    return logits


def head_logits(head: nn.Module, features: Features) -> NDArray[np.float32]:
    """Run a head over stored features as they are; returns ``(rows, labels)``."""
    return example_logits(head, PooledExamples(features, Standardisation.none()), density=1.0)


def stored_logits(
    fitted: Fitted,
    texts: Sequence[Text],
    config: ComputeConfig,
    report: PassReport,
    reporter: Reporter,
) -> NDArray[np.float32]:
    """Classify texts at the least cost.

    Where nothing of the backbone was trained, their states come from the store or go into it.
    Where something was, the whole model runs and nothing is stored.

    Returns:
        Logits, ``(texts, labels)``.
    """
    if not fitted.is_frozen():
        return text_logits(fitted, texts, config, reporter)
    reading, backbone = fitted.reading, fitted.as_backbone()
    entry = open_entry(backbone, reading.max_length, reading.truncation_side, config)
    ensure_states(entry, backbone, texts, config, report, reporter)
    features = entry.features(texts, reading.stages, reading.pooling)
    return head_logits(fitted.head_module(), features)


def text_logits(
    fitted: Fitted,
    texts: Sequence[Text],
    config: ComputeConfig,
    reporter: Reporter,
) -> NDArray[np.float32]:
    """Classify texts with the whole model, in length-sorted batches; nothing is stored.

    Args:
        fitted: the classifier.
        texts: any number of texts or pairs.
        config: the device, the dtype (bfloat16 runs under autocast) and a batch's token budget.
        reporter: told how many texts are done.

    Returns:
        Logits, ``(texts, labels)``, in the order of the texts.
    """
    device = pick_device(config.device)
    reading = fitted.reading
    tokens = tokenize(
        fitted.tokenizer,
        texts,
        max_length=reading.max_length,
        truncation_side=reading.truncation_side,
    )
    batches = plan_batches(
        tokens.lengths, tokens_per_batch=config.tokens_per_batch, density=config.density
    )
    logits = np.empty((len(texts), len(fitted.labels)), dtype=np.float32)
    low = pick_dtype(config.dtype, device) == "bfloat16"
    model = fitted.model.to(device).eval()
    with (
        torch.inference_mode(),
        torch.autocast(device, torch.bfloat16, enabled=low),
        reporter.task("predicting", len(texts)) as advance,
    ):
        for batch in batches:
            inputs = {name: tensor.to(device) for name, tensor in tokens.batch(batch).items()}
            logits[batch] = model(**inputs).logits.float().cpu().numpy()
            advance(len(batch))
    return logits


def prediction_records(
    fitted: Fitted, texts: Sequence[Text], probabilities: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Turn probabilities, ``(texts, labels)``, into one record a text.

    For two classes named neg and pos a record is ``text, neg_prob, pos_prob, label``; otherwise
    ``text, label, confidence, probs``. The ``text`` of a pair is a tuple of the two.
    """
    names = fitted.labels.names
    records: list[dict[str, Any]] = []
    for text, row in zip(texts, probabilities, strict=True):
        label = names[int(row.argmax())]
        if set(names) == {"neg", "pos"}:
            shares = {f"{name}_prob": float(row[names.index(name)]) for name in ("neg", "pos")}
            records.append({"text": text, **shares, "label": label})
        else:
            probs = {name: float(share) for name, share in zip(names, row, strict=True)}
            records.append(
                {"text": text, "label": label, "confidence": float(row.max()), "probs": probs}
            )
    return records
