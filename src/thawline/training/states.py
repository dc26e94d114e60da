"""The states of all texts of a task at the thaw line, which the frozen prefix computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from thawline.backbones.loading import Backbone
from thawline.config import Config
from thawline.data import LabelledTexts
from thawline.inference.examples import TokenExamples
from thawline.inference.reader import TextReader
from thawline.prefix.frozen_pass import FrozenPass
from thawline.prefix.report import PassReport
from thawline.runtime.progress import Reporter
from thawline.store import Entry, Features, KeyedTexts
from thawline.training.plan import Plan


@dataclass(frozen=True)
class FrozenStates:
    """The outputs of the stages before the thaw line, for every split.

    Attributes:
        texts: The texts of each split with their keys in the store.
        entry: The entry of the store that training reads. It holds pooled states if the line is
            above the last block, and token states at a lower line. None if the line is 0 or 1.
        examples: The tokens of each split, with their states at the line. Empty if training reads
            pooled states.
        report: The work of the frozen pass.
        pooled: The entry of the pooled states on which the head is trained first. None if the head
            is not trained first.
        others: The outputs for further splits, which another pass computed. None if there are none.
    """

    texts: Mapping[str, KeyedTexts]
    entry: Entry | None
    examples: Mapping[str, TokenExamples]
    report: PassReport
    pooled: Entry | None = None
    others: FrozenStates | None = None

    def of(self, split: str) -> FrozenStates:
        """Return the outputs that contain those of a split."""
        return self if split in self.texts or self.others is None else self.others

    def of_head(self) -> FrozenStates:
        """Return the pooled states alone, which the training of the head reads."""
        return replace(self, entry=self.pooled, examples={}, pooled=None)

    def features(self, split: str, stages: Sequence[int], pooling: str) -> Features:
        """Return the pooled states of a split.

        Args:
            split: The name of the split.
            stages: The stages whose states are concatenated.
            pooling: ``first``, ``last`` or ``mean``.
        """
        states = self.of(split)
        assert states.entry is not None, "pooled states were not computed"
        return states.entry.features(states.texts[split], stages, pooling)

    def lengths(self, split: str) -> NDArray[np.int64]:
        """Return the number of tokens of each text of a split after truncation, ``(texts,)``."""
        states = self.of(split)
        if split in states.examples:
            examples = states.examples[split]
            return examples.tokens.lengths[examples.rows]
        assert states.entry is not None, "there are either tokens or pooled states"
        return states.entry.lengths(states.texts[split])

    def describe(self) -> dict[str, str] | None:
        """Return the name of the entry and a digest of the states in it, for a record.

        Returns:
            None if the store does not hold the states of these texts.
        """
        texts = KeyedTexts.joined(self.texts.values())
        if self.entry is None or self.entry.missing(texts):
            return None
        return {"entry": self.entry.key.digest(), "sha256": self.entry.digest(texts)}


def run_prefix(
    backbone: Backbone,
    plan: Plan,
    config: Config,
    parts: Mapping[str, LabelledTexts],
    reporter: Reporter,
) -> FrozenStates:
    """Run the stages before the thaw line over the texts whose states are missing from the store.

    If the head is trained first, the pass goes through all stages and computes pooled states, too.

    Args:
        backbone: The pretrained backbone.
        plan: The plan, from `make_plan` for this backbone and config.
        config: The settings.
        parts: The labelled texts of each split.
        reporter: Receives progress and messages.

    Raises:
        ThawlineError: If neither the store nor memory has space for pooled states.
    """
    side, depth = config.tokens.truncation_side, backbone.stack.depth
    frozen_pass = FrozenPass(backbone, plan.max_length, side, config.compute, reporter)
    reader = TextReader(frozen_pass, use_store=True)
    splits = {name: KeyedTexts(part.texts) for name, part in parts.items()}
    texts = KeyedTexts.joined(splits.values())
    if plan.line > depth:
        entry = reader.pooled_states(texts, chain.from_iterable(plan.candidates))
        return FrozenStates(splits, entry, {}, frozen_pass.report)
    pooled = None if plan.first is None else frozen_pass.open_entry()
    everything, at_line = reader.token_examples(texts, plan.line, pooled)
    ends = np.cumsum([len(split) for split in splits.values()])
    examples = {
        name: replace(everything, rows=rows)
        for name, rows in zip(splits, np.split(everything.rows, ends[:-1]), strict=True)
    }
    return FrozenStates(splits, at_line, examples, frozen_pass.report, pooled)
