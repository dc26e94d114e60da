"""Load a causal language model, which is a backbone with a language modelling head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from thawline.backbones.families import FAMILIES, family_of
from thawline.backbones.finding import find_backbone
from thawline.backbones.loading import token_limit
from thawline.backbones.parts import TOKENIZER
from thawline.backbones.reading import (
    check_complete,
    check_finite,
    explain_read_errors,
    read_config,
    read_model,
)
from thawline.backbones.tokenizer import check_tokenizer, load_tokenizer
from thawline.config import TokensConfig
from thawline.errors import ThawlineError
from thawline.runtime.checksums import check_written_checksums
from thawline.runtime.hub import quieten_transformers


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model with its tokenizer.

    Attributes:
        name: The name that the user gave.
        path: The local folder.
        model: A model of one of transformers' ``…ForCausalLM`` classes, in fp32 and evaluation
            mode.
        tokenizer: The tokenizer as it was saved.
    """

    name: str
    path: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def limit(self) -> int:
        """The maximum number of tokens in a sequence, generated tokens included."""
        return token_limit(self.model.config, self.tokenizer)

    @property
    def end_ids(self) -> list[int]:
        """The token ids that end a text, from the tokenizer and from the model's configs."""
        configured = [
            self.tokenizer.eos_token_id,
            getattr(self.model.config, "eos_token_id", None),
            self.model.generation_config.eos_token_id,
        ]
        lists = [value if isinstance(value, list) else [value] for value in configured]
        return sorted({token for ids in lists for token in ids if token is not None})

    @property
    def start_id(self) -> int | None:
        """The token id that every text starts with. None if the model has no such token."""
        start: int | None = self.tokenizer.bos_token_id
        return getattr(self.model.config, "bos_token_id", None) if start is None else start


def load_language_model(name: str) -> LanguageModel:
    """Load a causal language model and its tokenizer.

    Args:
        name: A folder, the folder of a pretraining run, a packaged name or a hub id.

    Returns:
        The model in fp32 and evaluation mode, with its tokenizer.

    Raises:
        ThawlineError: If the model is not found, incomplete or changed, if its family is unknown or
            not causal, or if the checkpoint is a base model without a language modelling head.
    """
    path = find_backbone(name)
    check_written_checksums(Path(path))
    quieten_transformers()
    _check_causal(name, read_config(path))
    with explain_read_errors(path, TOKENIZER):
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
            f"model type '{config.model_type}', whose tokens also attend to later tokens",
            "use a model that generates text from left to right",
        )


def _check_head(name: str, model: PreTrainedModel, missing: frozenset[str]) -> None:
    """Refuse a checkpoint without the weights of the language modelling head.

    A head that shares the weights of the embeddings is never reported as missing.
    """
    head_ids = {id(parameter) for parameter in model.get_output_embeddings().parameters()}
    head_names = {key for key, value in model.named_parameters() if id(value) in head_ids}
    lacking = sorted(head_names & missing)
    if lacking:
        raise ThawlineError(
            f"a language model with its language modelling head in '{name}'",
            f"no weight {lacking[0]}, as in the checkpoint of a base model",
            "use a complete language model, for example a run of thawline pretrain",
        )
