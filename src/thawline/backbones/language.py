"""A backbone with the head that writes: a causal language model and its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from thawline.backbones.finding import find_backbone
from thawline.backbones.loading import token_limit
from thawline.backbones.parts import TOKENIZER
from thawline.backbones.reading import (
    check_complete,
    check_finite,
    read_config,
    read_model,
    readable,
)
from thawline.backbones.stack import FAMILIES, family_of
from thawline.backbones.tokenizer import check_tokenizer, load_tokenizer
from thawline.config import TokensConfig
from thawline.errors import ThawlineError
from thawline.runtime.hub import quieten_transformers


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model with its tokenizer.

    Attributes:
        name: as the user gave it.
        path: a local folder.
        model: of one of transformers' ``…ForCausalLM`` classes, fp32, in evaluation mode.
        tokenizer: as it was saved.
    """

    name: str
    path: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def limit(self) -> int:
        """The most tokens that the model can take, those that it writes counted."""
        return token_limit(self.model.config, self.tokenizer)

    @property
    def ends(self) -> list[int]:
        """The ids that end a text: the tokenizer's, and those that the model's configs name."""
        named = [
            self.tokenizer.eos_token_id,
            getattr(self.model.config, "eos_token_id", None),
            self.model.generation_config.eos_token_id,
        ]
        ids = [one for name in named for one in (name if isinstance(name, list) else [name])]
        return sorted({one for one in ids if one is not None})

    @property
    def start(self) -> int | None:
        """The id that every text starts with; None: there is none."""
        own: int | None = self.tokenizer.bos_token_id
        return getattr(self.model.config, "bos_token_id", None) if own is None else own


def load_language_model(name: str) -> LanguageModel:
    """Load a causal language model and its tokenizer, in fp32 and evaluation mode.

    Args:
        name: a folder, a pretraining run's folder, a packaged name or a hub id.

    Raises:
        ThawlineError: nothing is there, parts are missing, the family is not known or not causal,
            or the checkpoint is that of a base model, which has no head that writes.
    """
    path = find_backbone(name)
    quieten_transformers()
    _check_causal(name, read_config(path))
    with readable(path, TOKENIZER):
        tokenizer = load_tokenizer(path, TokensConfig())
    model, info = read_model(path, AutoModelForCausalLM)
    missing = frozenset(info["missing_keys"])
    _check_head(name, model, missing)
    check_complete(name, missing, info["mismatched_keys"])
    check_finite(name, model)
    check_tokenizer(name, model, tokenizer)
    return LanguageModel(name, path, model.eval(), tokenizer)


def _check_causal(name: str, config: Any) -> None:
    if not family_of(config).causal:
        causal = sorted(family for family, known in FAMILIES.items() if known.causal)
        raise ThawlineError(
            f"a causal language model ({', '.join(causal)}) in '{name}'",
            f"model type '{config.model_type}', whose tokens see those after them",
            "give a language model that writes from left to right",
        )


def _check_head(name: str, model: PreTrainedModel, missing: frozenset[str]) -> None:
    """Refuse a head drawn at random; one that shares the embeddings' weights is never missing."""
    head = model.get_output_embeddings()
    own = {id(parameter) for parameter in head.parameters()}
    of_head = {key for key, value in model.named_parameters() if id(value) in own}
    lacking = sorted(of_head & missing)
    if lacking:
        raise ThawlineError(
            f"a language model with its head in '{name}'",
            f"no {lacking[0]}, as in the checkpoint of a base model",
            "give a whole language model, such as a run of thawline pretrain",
        )
