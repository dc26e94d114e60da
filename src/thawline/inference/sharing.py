"""Find the stages that several classifiers share."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from thawline.backbones.loading import config_values
from thawline.backbones.stack import Stack
from thawline.backbones.tokenizer import tokenizer_state
from thawline.backbones.weights import hash_weights
from thawline.inference.fitted import Fitted


@dataclass(frozen=True)
class Stretch:
    """Consecutive stages with the same weights in several classifiers, and what follows them.

    Attributes:
        first: The first stage.
        last: The last stage.
        classifiers: The positions of the classifiers that read these stages.
        finished: The positions of those that read no stage after these.
        branches: The stages that follow, for the other classifiers.
    """

    first: int
    last: int
    classifiers: tuple[int, ...]
    finished: tuple[int, ...]
    branches: tuple[Stretch, ...]


def find_stretches(chains: Sequence[Sequence[str]]) -> tuple[Stretch, ...]:
    """Arrange the stages of classifiers so that equal beginnings occur only once.

    Args:
        chains: For each classifier the digests of its stages, from stage 0 to the last one that it
            reads. A classifier that reads no stage in this way has an empty chain and is left out.

    Returns:
        The stretches that start at stage 0.
    """
    return _stretches(chains, tuple(range(len(chains))), 0)


def _stretches(
    chains: Sequence[Sequence[str]], among: Sequence[int], first: int
) -> tuple[Stretch, ...]:
    groups: dict[str, list[int]] = defaultdict(list)
    for position in among:
        if len(chains[position]) > first:
            groups[chains[position][first]].append(position)
    return tuple(_stretch(chains, members, first) for members in groups.values())


def _stretch(chains: Sequence[Sequence[str]], members: Sequence[int], first: int) -> Stretch:
    last, going_on = first, [m for m in members if len(chains[m]) > first + 1]
    # The last classifier that goes on gets a stretch of its own, which may compute less.
    while len(going_on) > (len(members) > 1) and len({chains[m][last + 1] for m in going_on}) == 1:
        last += 1
        going_on = [m for m in going_on if len(chains[m]) > last + 1]
    return Stretch(
        first,
        last,
        tuple(members),
        tuple(member for member in members if len(chains[member]) <= last + 1),
        _stretches(chains, going_on, last + 1),
    )


def stage_digests(fitted: Fitted) -> list[str]:
    """Return the SHA-256 of the weights of each stage of a classifier, from stage 0 to L.

    The digest of a stage also covers the config of the base model. BERT's pooler is left out,
    because only native heads read it.

    Args:
        fitted: The classifier.
    """
    stack = Stack(fitted.model.base_model)
    values = config_values(stack.model.config).items()
    # Dropout has no effect in evaluation mode, and strategies train with different values.
    config = json.dumps(
        {n: v for n, v in values if "dropout" not in n}, sort_keys=True, default=str
    )
    digests = []
    for stage in range(stack.depth + 1):
        digest = hashlib.sha256(config.encode())
        for module in stack.modules_of(stage):
            if module is getattr(stack.model, "pooler", None):
                continue
            weights = module.state_dict()
            hash_weights(digest, weights)
            if any("lora_" in name for name in weights):
                digest.update(fitted.strategy.encode())  # the scale of adapters is no weight
        digests.append(digest.hexdigest())
    return digests


def stage_chain(fitted: Fitted, name: str) -> list[str]:
    """Return the digests of the stages that a classifier reads, for `find_stretches`.

    A head of Thawline reads the pooled states of some stages, so the chain ends at the last of
    these. A native head runs together with the last block, which it therefore shares with nobody.

    Args:
        fitted: The classifier.
        name: A name that no other classifier has.
    """
    digests = stage_digests(fitted)
    if fitted.head.kind == "native":
        return [*digests[:-1], name]
    return digests[: max(fitted.reading.stages) + 1]


def tokens_digest(fitted: Fitted) -> str:
    """Return a digest of everything that the tokens of a text depend on in a classifier."""
    reading = fitted.reading
    parts = [tokenizer_state(fitted.tokenizer), str(fitted.tokenizer.pad_token_id)]
    parts += [str(reading.max_length), reading.truncation_side]
    # BERT reads which text of a pair a token belongs to; DistilBERT has the same vocabulary.
    parts += [*fitted.tokenizer.model_input_names]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
