"""Compute the logits of several classifiers, and run the stages that they share only once."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thawline.backbones.pooling import pool
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.data.texts import check_pairing
from thawline.data.tokens import Inputs
from thawline.inference.exported import FittedOnnx
from thawline.inference.fitted import AnyFitted, Fitted
from thawline.inference.reader import TextReader
from thawline.inference.sharing import (
    Stretch,
    find_stretches,
    stage_chain,
    tokens_digest,
)
from thawline.inference.whole import run_models
from thawline.inference.words import AS_TRAINED
from thawline.prefix.frozen_pass import FrozenPass
from thawline.prefix.report import PassReport
from thawline.runtime.progress import Reporter


class SharedPredictor:
    """Computes the logits of several classifiers with their complete models.

    Classifiers that read the same tokens share the embeddings and the blocks up to the first one
    whose weights differ. These stages run once for a text.

    Args:
        classifiers: The classifiers, all for single texts or all for pairs.
        compute: The device, the dtype and the token budget of a batch. The models run under
            autocast if the dtype is bfloat16.
        reporter: Receives progress. If None, there is none.

    Attributes:
        groups: The classifiers that read the same tokens, each with the stages that they share.
    """

    def __init__(
        self,
        classifiers: Sequence[AnyFitted],
        compute: ComputeConfig,
        *,
        reporter: Reporter | None = None,
    ) -> None:
        self._classifiers, self._compute = tuple(classifiers), compute
        self._reporter = Reporter() if reporter is None else reporter
        tokens: dict[str, dict[int, Fitted]] = defaultdict(dict)
        for position, fitted in enumerate(self._classifiers):
            if isinstance(fitted, Fitted):
                # A single classifier shares nothing, so that no digest is needed.
                key = tokens_digest(fitted) if len(self._classifiers) > 1 else ""
                tokens[key][position] = fitted
        self.groups = tuple(
            _Group.of(members, compute, self._reporter) for members in tokens.values()
        )

    @property
    def reports(self) -> list[PassReport]:
        """The work of each group so far."""
        return [group.reader.frozen_pass.report for group in self.groups]

    def describe(self, names: Sequence[str]) -> list[str]:
        """Return a line for each part of the backbone that several classifiers share.

        Args:
            names: The names of the classifiers.
        """
        return [line for group in self.groups for line in _shared_lines(group.stretches, names)]

    def select(self, positions: Sequence[int]) -> SharedPredictor:
        """Return a predictor of some of the classifiers, which shares everything with this one.

        Args:
            positions: The positions of the classifiers, in the order of their logits.
        """
        chosen = copy.copy(self)
        chosen._classifiers = tuple(self._classifiers[position] for position in positions)
        chosen.groups = tuple(
            group.select(positions) for group in self.groups if group.members.keys() & {*positions}
        )
        return chosen

    def logits(self, texts: Sequence[Text]) -> list[NDArray[np.float32]]:
        """Return the logits of each classifier, ``(texts, labels)``, in the order of the texts.

        Args:
            texts: Any number of texts, or of pairs if the classifiers were trained on pairs.

        Raises:
            ThawlineError: If a text is not of the kind that a classifier was trained on.
        """
        for fitted in self._classifiers:
            check_pairing(texts, pairs=fitted.pairs, expected=AS_TRAINED)
        found = [
            np.zeros((len(texts), len(fitted.labels)), dtype=np.float32)
            for fitted in self._classifiers
        ]
        if not len(texts):
            return found
        for group in self.groups:
            group.run(texts, found)
        for fitted, logits in zip(self._classifiers, found, strict=True):
            if isinstance(fitted, FittedOnnx):
                logits += fitted.state_logits(texts, self._compute, self._reporter)
            if fitted.words is not None:
                logits += fitted.words.logits(texts)
        return found


@dataclass(frozen=True, eq=False)
class _Group:
    """Classifiers that read the same tokens of a text.

    Attributes:
        members: The classifiers, by their positions.
        chains: The digests of the stages that each member reads, by its position.
        reader: Turns texts into tokens.
    """

    members: dict[int, Fitted]
    chains: dict[int, Sequence[str]]
    reader: TextReader

    @classmethod
    def of(cls, members: dict[int, Fitted], compute: ComputeConfig, reporter: Reporter) -> _Group:
        """Find the stages that classifiers share.

        Args:
            members: The classifiers, by their positions.
            compute: The device, the dtype and the token budget of a batch.
            reporter: Receives progress.
        """
        first = next(iter(members.values()))
        reading = first.reading
        frozen_pass = FrozenPass(
            first.as_backbone(), reading.max_length, reading.truncation_side, compute, reporter
        )
        # A single classifier shares nothing, so that its weights need not be hashed.
        chains: dict[int, Sequence[str]] = {
            position: [""] if len(members) == 1 else stage_chain(fitted, f"{position}")
            for position, fitted in members.items()
        }
        return cls(members, chains, TextReader(frozen_pass, use_store=False))

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        """The stages that run, from stage 0 on."""
        return find_stretches([self.chains.get(n, ()) for n in range(max(self.chains) + 1)])

    def select(self, positions: Sequence[int]) -> _Group:
        """Return the group of some of the members.

        Args:
            positions: Their positions, and those of classifiers in other groups. Their order gives
                the new positions.
        """
        kept = {new: old for new, old in enumerate(positions) if old in self.members}
        return _Group(
            {new: self.members[old] for new, old in kept.items()},
            {new: self.chains[old] for new, old in kept.items()},
            self.reader,
        )

    def run(self, texts: Sequence[Text], found: Sequence[NDArray[np.float32]]) -> None:
        """Compute the logits of every member.

        Args:
            texts: At least one text or pair.
            found: For each classifier the array of its logits, ``(texts, labels)``, which is
                written for the members of this group.
        """
        models = [fitted.model for fitted in self.members.values()]
        for batch, logits in run_models(self.reader, models, texts, self._logits):
            for position, values in logits.items():
                found[position][batch] = values.numpy()

    def _logits(self, inputs: Inputs) -> dict[int, Tensor]:
        """Return the logits of each member for one batch, on the CPU."""
        logits: dict[int, Tensor] = {}
        for stretch in self.stretches:
            self._run_stretch(stretch, _Reached(inputs, {}), logits)
        return {position: tensor.float().cpu() for position, tensor in logits.items()}

    def _run_stretch(self, stretch: Stretch, reached: _Reached, logits: dict[int, Tensor]) -> None:
        """Run a stretch and everything after it for one batch.

        Args:
            stretch: The stretch.
            reached: What the stages before it have computed.
            logits: Receives the logits of the classifiers that finish here or later.
        """
        only = self.members[stretch.classifiers[0]]
        if len(stretch.classifiers) == 1 and _reads_from(only, stretch.first):
            # The last block may then run for the first token alone.
            logits[stretch.classifiers[0]] = _finish(only, stretch.first, reached)
            return
        wanted = {
            (stage, fitted.reading.pooling)
            for fitted in (self.members[position] for position in stretch.classifiers)
            if fitted.head.kind != "native"
            for stage in fitted.reading.stages
        }
        pooled, mask = dict(reached.pooled), reached.inputs.get("attention_mask")

        def visit(stage: int, states: Tensor) -> None:
            for each, pooling in wanted:
                if each == stage:
                    pooled[stage, pooling] = pool(states, mask, pooling)

        states = Stack(only.model.base_model).stage_states(
            reached.inputs, visit, stretch.last, start=max(1, stretch.first), states=reached.states
        )
        after = _Reached(reached.inputs, pooled, states)
        for position in stretch.finished:
            logits[position] = _finish(self.members[position], stretch.last + 1, after)
        for branch in stretch.branches:
            self._run_stretch(branch, after, logits)


@dataclass(frozen=True)
class _Reached:
    """What the stages so far have computed for a batch.

    Attributes:
        inputs: Token ids and masks, ``(batch, tokens)`` each.
        pooled: The pooled states by stage and pooling, ``(batch, hidden)`` each.
        states: The states of the last stage so far, ``(batch, tokens, hidden)``. None if no stage
            has run.
    """

    inputs: Inputs
    pooled: dict[tuple[int, str], Tensor]
    states: Tensor | None = None


def _shared_lines(stretches: Sequence[Stretch], names: Sequence[str]) -> list[str]:
    lines = []
    for stretch in stretches:
        if len(stretch.classifiers) > 1:
            stages = f"stages {stretch.first} to {stretch.last}"
            if stretch.first == stretch.last:
                stages = f"stage {stretch.first}"
            sharing = ", ".join(names[position] for position in stretch.classifiers)
            lines.append(f"{stages} run once for {sharing}")
        lines += _shared_lines(stretch.branches, names)
    return lines


def _reads_from(fitted: Fitted, line: int) -> bool:
    """Return whether a classifier reads no state of a stage before a line."""
    return fitted.head.kind == "native" or min(fitted.reading.stages) >= line


def _finish(fitted: Fitted, line: int, reached: _Reached) -> Tensor:
    """Return the logits of a classifier, ``(batch, labels)``.

    Args:
        fitted: The classifier.
        line: The first stage that has not run.
        reached: What the stages before it have computed.
    """
    pooling, stages = fitted.reading.pooling, fitted.reading.stages
    if fitted.head.kind != "native" and max(stages) < line:
        features = torch.cat([reached.pooled[stage, pooling] for stage in stages], dim=1)
        logits: Tensor = fitted.head_module()(features)
        return logits
    stack = Stack(fitted.model.base_model)
    view = stack.classifier_view(fitted.model, pooling, line=max(1, line), states=reached.states)
    found: Tensor = view(**reached.inputs).logits
    return found
