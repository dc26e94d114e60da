"""What the frozen part says of a task's texts, once: pooled states, tokens' at the line or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thawline.backbones.loading import Backbone
from thawline.config import Config
from thawline.data import LabelledTexts, Text
from thawline.data.tokens import tokenize
from thawline.inference.examples import TokenExamples
from thawline.prefix.passes import PassReport, ensure_states, open_entry, tokenize_for
from thawline.prefix.token_states import token_states
from thawline.runtime.progress import Reporter
from thawline.store import Entry
from thawline.training.plan import Plan


@dataclass(frozen=True)
class Frozen:
    """The outputs of the stages before the line, for every part of a set.

    Attributes:
        entry: of the store, where the line has states: pooled ones above the last block, those of
            tokens at a lower line; None: the line is 0 or 1.
        examples: each part's tokens, with their states at the line; empty where they are pooled.
        pooled: of the store, with what the head is trained on first, beside the states at the line;
            None: it is not trained first.
    """

    entry: Entry | None
    examples: Mapping[str, TokenExamples]
    pooled: Entry | None = None

    def of_head(self) -> Frozen:
        """Return the pooled states alone, as the head's own training reads them."""
        return Frozen(self.pooled, {})

    def lengths(self, name: str, texts: Sequence[Text]) -> NDArray[np.int64]:
        """Return how many tokens are read of a part's texts, ``(texts,)``."""
        if name in self.examples:
            examples = self.examples[name]
            return examples.tokens.lengths[examples.rows]
        assert self.entry is not None, "either tokens are at hand or pooled states"
        return self.entry.lengths(texts)

    def described(self, parts: Mapping[str, LabelledTexts]) -> dict[str, str] | None:
        """Return the entry's name and a digest of what it holds of these parts, for a record.

        It is None where the store holds nothing of them.
        """
        texts = [text for part in parts.values() for text in part.texts]
        if self.entry is None or self.entry.missing(texts):
            return None
        return {"entry": self.entry.key.digest(), "sha256": self.entry.digest(texts)}


def run_prefix(
    backbone: Backbone,
    plan: Plan,
    config: Config,
    parts: Mapping[str, LabelledTexts],
    report: PassReport,
    reporter: Reporter,
) -> Frozen:
    """Run the stages before the line over the texts that the store lacks.

    Where the head is trained first, all stages run before, for pooled states: these are two
    passes, for a backbone cut at the line gives no state above it. ``report`` adds them up.

    Raises:
        ThawlineError: neither the store nor memory has room for pooled states.
    """
    side, compute = config.tokens.truncation_side, config.compute
    texts = [text for part in parts.values() for text in part.texts]
    pooled = None
    if plan.line > backbone.stack.depth or plan.first is not None:
        pooled = open_entry(backbone, plan.max_length, side, compute)
        ensure_states(pooled, backbone, texts, compute, report, reporter)
    if plan.line > backbone.stack.depth:
        return Frozen(pooled, {})
    entry, states = None, None
    if plan.line > 1:
        entry = open_entry(backbone, plan.max_length, side, compute, plan.line)
        tokens = tokenize_for(entry, backbone, texts, report, reporter)
        states = token_states(entry, backbone, texts, tokens, compute, report, reporter)
    else:
        with report.timing("tokenising"):
            tokens = tokenize(
                backbone.tokenizer, texts, max_length=plan.max_length, truncation_side=side
            )
    ends = np.cumsum([len(part) for part in parts.values()])
    rows = np.split(np.arange(ends[-1]), ends[:-1])
    examples = {
        name: TokenExamples(tokens, states, own, compute.tokens_per_batch)
        for name, own in zip(parts, rows, strict=True)
    }
    return Frozen(entry, examples, pooled)
