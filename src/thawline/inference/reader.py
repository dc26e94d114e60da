"""Turn texts into the input of a head or a model: pooled states, or tokens with their states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from thawline.data import Text
from thawline.inference.examples import TokenExamples
from thawline.prefix.frozen_pass import FrozenPass
from thawline.prefix.token_states import token_states
from thawline.store import Entry, KeyedTexts


@dataclass(frozen=True)
class TextReader:
    """The only way from texts to states, which `fit` and `Predictor` use for every text.

    Attributes:
        frozen_pass: The backbone and the settings under which texts are read.
        use_store: Whether states are read from the store and missing ones are added to it. If
            False, the reader gives tokens only and does not touch the store.
    """

    frozen_pass: FrozenPass
    use_store: bool

    def pooled_states(
        self, texts: Sequence[Text], stages: Iterable[int], line_later: int | None = None
    ) -> Entry:
        """Return an entry with the pooled states of all texts; compute those that are missing.

        Only the blocks up to the last of the stages run, unless the store has the states of every
        stage for so many of the texts that it is less work to complete that entry.

        Args:
            texts: Any number of texts or pairs.
            stages: The stages whose states are needed.
            line_later: A line whose token states a later fit needs. If they and the pooled states
                are missing, and all blocks run, one pass computes both.

        Raises:
            ThawlineError: If neither the store nor memory has space for the states.
        """
        assert self.use_store, "pooled states are kept in the store"
        texts, last = KeyedTexts.of(texts), max(stages)
        entry, depth = self.frozen_pass.open_entry(), self.frozen_pass.backbone.stack.depth
        if line_later is not None and last == depth:
            at_line = self.frozen_pass.open_entry(line_later)
            self.frozen_pass.compute_both(entry, at_line, texts, needed=1)
        if last < depth:
            part = self.frozen_pass.open_entry(stage=last)
            if last * len(part.missing(texts)) < depth * len(entry.missing(texts)):
                entry = part
        self.frozen_pass.ensure_pooled_states(entry, texts)
        return entry

    def token_examples(
        self,
        texts: Sequence[Text],
        line: int,
        pooled: Entry | None = None,
        *,
        pooled_later: bool = False,
    ) -> tuple[TokenExamples, Entry | None]:
        """Return the tokens of texts, with their states if the line is above 1.

        Args:
            texts: Any number of texts or pairs.
            line: The line at which the model is entered, at most the number of blocks. At 0 and 1
                the complete model runs.
            pooled: An entry of the pooled states of every stage, which is completed, too. If it and
                the entry of the line lack the same texts, one pass computes both. If None, only
                the line is needed.
            pooled_later: Whether a later fit needs the pooled states of every stage. If they and
                the states at the line are missing, one pass computes both.

        Returns:
            The examples, and the entry of the line. The entry is None if the line is 0 or 1.
        """
        entry, states = None, None
        if line > 1:
            assert self.use_store, "token states are kept in the store"
            texts, entry = KeyedTexts.of(texts), self.frozen_pass.open_entry(line)
        tokens = self.frozen_pass.tokenize(texts)
        if pooled is not None:
            if entry is not None:
                self.frozen_pass.compute_both(pooled, entry, texts, tokens)
            self.frozen_pass.ensure_pooled_states(pooled, texts, tokens)
        elif pooled_later and entry is not None:
            both = self.frozen_pass.open_entry(), entry
            self.frozen_pass.compute_both(*both, texts, tokens, needed=1)
        if entry is not None:
            states = token_states(self.frozen_pass, entry, texts, tokens)
        budget = self.frozen_pass.compute.tokens_per_batch
        return TokenExamples(tokens, states, np.arange(len(texts)), budget), entry
