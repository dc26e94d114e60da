"""The families of backbones: where each keeps the modules of its stages, and its properties.

This is the only module that knows the names of these modules. `stack.py` cuts a model of any
family with them. `register_family` adds a family for the current process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from thawline.backbones import first_token
from thawline.backbones.first_token import FirstToken
from thawline.errors import ThawlineError


@dataclass(frozen=True)
class Family:
    """A family of transformers models: the paths of its modules, and its properties.

    Attributes:
        embeddings: Paths of the modules of stage 0.
        blocks: Path of the `nn.ModuleList` of blocks.
        final: Paths of the modules after the last block, which belong to stage L. Paths that a
            model does not have are ignored.
        query: Name of the linear layer in each block that LoRA adapts by default, usually the
            query projection. Several names are joined by ``+``.
        attention_dropout: Name of the config attribute with the dropout of attention weights.
        causal: Whether each token attends only to itself and to earlier tokens.
        token_types: Whether the model distinguishes the two texts of a pair by
            ``token_type_ids``.
        native_pooling: Function that takes the config and returns the pooling of the family's own
            classification head.
        fused: Names of linear layers in each block that are never called, because attention reads
            their weights directly. An adapter in their place would have no effect.
        always_frozen: Function that takes the config and returns the paths of modules that never
            train, for every thaw line.
        first_token: Function that runs a block for the first token of each text alone. None if the
            family has no such function.
    """

    embeddings: tuple[str, ...]
    blocks: str
    final: tuple[str, ...] = ()
    query: str = "query"
    attention_dropout: str = "attention_dropout"
    causal: bool = False
    token_types: bool = False
    native_pooling: Callable[[Any], str] = lambda config: "first"
    fused: tuple[str, ...] = ()
    always_frozen: Callable[[Any], tuple[str, ...]] = lambda config: ()
    first_token: FirstToken | None = None


_BERT = Family(
    ("embeddings",),
    "encoder.layer",
    final=("pooler",),
    attention_dropout="attention_probs_dropout_prob",
    first_token=first_token.bert,
)
_DECODER = Family(
    ("embed_tokens",),
    "layers",
    final=("norm",),
    query="q_proj",
    causal=True,
    native_pooling=lambda config: "last",
)

FAMILIES: dict[str, Family] = {
    "bert": replace(_BERT, token_types=True),
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "distilbert": Family(
        ("embeddings",), "transformer.layer", query="q_lin", first_token=first_token.distilbert
    ),
    "modernbert": Family(
        ("embeddings",),
        "layers",
        final=("final_norm",),
        query="Wqkv",
        native_pooling=lambda config: "mean" if config.classifier_pooling == "mean" else "first",
    ),
    "qwen3": _DECODER,
    "llama": _DECODER,
    "thawline-glove": Family(
        ("embeddings",),
        "encoder.layers",
        final=("encoder.norm",),
        query="linear1+linear2",
        native_pooling=lambda config: "mean",
        fused=("out_proj",),
        always_frozen=lambda config: ("embeddings.words",) if config.freeze_vectors else (),
    ),
}


def register_family(model_type: str, family: Family) -> None:
    """Register a family of backbones for this process.

    Args:
        model_type: The ``model_type`` in the ``config.json`` of the family's models.
        family: The paths of the family's modules, and its properties.
    """
    FAMILIES[model_type] = family


def family_of(config: Any) -> Family:
    """Return the family of a model's config.

    Args:
        config: The config of a base model of transformers.

    Raises:
        ThawlineError: If no family is registered for the config's ``model_type``.
    """
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise ThawlineError(
            f"a backbone of a known family ({', '.join(sorted(FAMILIES))})",
            f"model type '{config.model_type}'",
            "use a backbone of a known family, or register this one with thawline.register_family",
        )
    return family
