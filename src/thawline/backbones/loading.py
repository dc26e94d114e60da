"""Find a backbone by path or name, and load it with its tokenizer."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from thawline.backbones.finding import find_backbone
from thawline.backbones.parts import CONFIG, TOKENIZER, WEIGHTS, fault
from thawline.backbones.stack import Stack, family_of
from thawline.backbones.tokenizer import (
    check_tokenizer,
    load_tokenizer,
    set_options,
    settle_tokenizer,
    tokenizer_state,
)
from thawline.backbones.weights import hash_weights
from thawline.compat import quieten_transformers
from thawline.config import DEFAULT_MAX_LENGTH, FAMILY_MAX_LENGTHS, TokensConfig
from thawline.errors import ThawlineError


@dataclass(frozen=True)
class Backbone:
    """A pretrained base model with its tokenizer.

    Attributes:
        name: as the user gave it.
        path: a local folder, or a hub id.
        stack: the base model as a row of stages, fp32, in evaluation mode.
        tokenizer: with a pad token, padding on the right.
        drawn: names of weights that the checkpoint lacks, drawn from a fixed seed.
        made: for a record, what it was made of; None: it was read, and is there to be read again.
    """

    name: str
    path: str
    stack: Stack
    tokenizer: PreTrainedTokenizerBase
    drawn: tuple[str, ...] = ()
    made: Mapping[str, Any] | None = None

    @property
    def limit(self) -> int:
        """The most tokens of a text that the model can take."""
        return token_limit(self.stack.model.config, self.tokenizer)

    def resolve_max_length(self, wanted: int | None) -> int:
        """Return the number of tokens to keep of each text.

        Raises:
            ThawlineError: more was wanted than the model's limit, or too few to hold a word.
        """
        model_type = self.stack.model.config.model_type
        usual = min(FAMILY_MAX_LENGTHS.get(model_type, DEFAULT_MAX_LENGTH), self.limit)
        if wanted is None:
            return usual
        special = self.tokenizer.num_special_tokens_to_add(pair=True)
        if special < wanted <= self.limit:
            return wanted
        raise ThawlineError(
            f"a --max-length from {special + 1} to {self.limit} tokens, the limits of {self.name}",
            str(wanted),
            f"give --max-length {usual} or leave it out",
        )

    def digest(self) -> str:
        """Return a SHA-256 over all that the frozen states depend on.

        That is weights, config and tokenizer; BERT's pooler reads the states and is left out.
        """
        config = self.stack.model.config.to_diff_dict()
        for incidental in ("_name_or_path", "transformers_version", "architectures", "dtype",
                           "id2label", "label2id", "problem_type", "use_cache"):  # fmt: skip
            config.pop(incidental, None)
        parts = [json.dumps(config, sort_keys=True, default=str), tokenizer_state(self.tokenizer)]
        digest = hashlib.sha256("\n".join(parts).encode())
        weights = self.stack.model.state_dict().items()
        hash_weights(digest, {n: tensor for n, tensor in weights if not n.startswith("pooler.")})
        return digest.hexdigest()


def token_limit(config: Any, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the most tokens a text may have: rows of the position table, or fewer."""
    limit = int(config.max_position_embeddings)
    if config.model_type in ("roberta", "xlm-roberta"):
        limit -= config.pad_token_id + 1  # RoBERTa's positions start after the pad id
    return min(limit, int(tokenizer.model_max_length))


def load_backbone(name: str, tokens: TokensConfig | None = None) -> Backbone:
    """Load a pretrained base model and its tokenizer, in fp32 and evaluation mode.

    Args:
        name: a folder, a packaged name or a hub id.
        tokens: with the options of the tokenizer; None: all as they were saved.

    Raises:
        ThawlineError: nothing is there, parts are missing, the family is not known or the
            tokenizer lacks an option.
    """
    path, tokens = find_backbone(name), TokensConfig() if tokens is None else tokens
    quieten_transformers()
    with _readable(path, CONFIG):
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    family_of(config)
    with _readable(path, TOKENIZER):
        tokenizer = load_tokenizer(path, tokens)
    with _readable(path, WEIGHTS):
        model, info = _load_weights(path)
    missing = set(info["missing_keys"])
    _check_complete(name, missing, info["mismatched_keys"])
    _check_finite(name, model)
    check_tokenizer(name, model, tokenizer)
    set_options(name, tokenizer, tokens)
    settle_tokenizer(model, tokenizer)
    return Backbone(name, path, Stack(model.eval()), tokenizer, tuple(sorted(missing)))


def _load_weights(path: str) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Return the base model, and which weights of its checkpoint are missing or do not fit.

    Only safetensors is read, never a pickle. What is lacking (some BERTs come without their
    pooler) is drawn from a fixed seed, so that every load gives the same model.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, info = AutoModel.from_pretrained(
            path,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # `_check_complete` says which, in one line
            trust_remote_code=False,
        )
    return model, info


def copy_base(backbone: Backbone, attention_dropout: float | None = None) -> PreTrainedModel:
    """Return a base model of its own with the backbone's weights, in evaluation mode.

    Args:
        backbone: whose weights.
        attention_dropout: in training mode; None: as the model's config has it.
    """
    with _attention_dropout(_copy_config(backbone), backbone, attention_dropout) as config:
        base: PreTrainedModel = AutoModel.from_config(config)
    base.load_state_dict(backbone.stack.model.state_dict())
    return base.eval()


def load_native(
    backbone: Backbone, n_labels: int, seed: int, attention_dropout: float | None = None
) -> PreTrainedModel:
    """Put the family's own sequence-classification head, freshly drawn, on a backbone.

    The backbone's weights are copied in; a head that its checkpoint may hold is not used.

    Args:
        backbone: whose weights.
        n_labels: the number of classes.
        seed: of the head.
        attention_dropout: in training mode; None: as the model's config has it.

    Raises:
        ThawlineError: the family has no such head.
    """
    config = _copy_config(backbone)
    config.num_labels = n_labels
    torch.manual_seed(seed)
    try:
        with _attention_dropout(config, backbone, attention_dropout):
            model = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        raise ThawlineError(
            "a backbone with a sequence-classification head in transformers",
            f"'{config.model_type}', which has none",
            "use --head linear or --head mlp:64",
        ) from error
    base = model.base_model
    missing, _ = base.load_state_dict(backbone.stack.model.state_dict(), strict=False)
    if missing:
        raise RuntimeError(f"the native model expects weights that the backbone lacks: {missing}")
    if set(backbone.drawn) & set(base.state_dict()):
        warnings.warn(
            f"the checkpoint of '{backbone.name}' has no pooler, which the native head reads: it "
            "was drawn at random; --head linear reads the states themselves",
            stacklevel=2,
        )
    return model.eval()


def _copy_config(backbone: Backbone) -> Any:
    config = backbone.stack.model.config
    return type(config).from_dict(config.to_dict())


@contextmanager
def _attention_dropout(config: Any, backbone: Backbone, share: float | None) -> Iterator[Any]:
    """Set a config's attention dropout while a model is made; what is saved of it stays as it was.

    The modules keep what they are made with.
    """
    name = backbone.stack.family.attention_dropout
    own = getattr(config, name)
    setattr(config, name, own if share is None else share)
    try:
        yield config
    finally:
        setattr(config, name, own)


@contextmanager
def _readable(path: str, part: tuple[str, ...]) -> Iterator[None]:
    """Turn whatever transformers raises while it reads a part of a folder into one clear line."""
    try:
        yield
    except Exception as error:  # of many kinds, and none of them a promise
        raise ThawlineError(
            f"a whole model (config.json, model.safetensors, tokenizer.json) in '{path}'",
            fault(Path(path), error, part),
            "save the model and its tokenizer there with save_pretrained",
        ) from error


def _check_complete(
    name: str, missing: set[str], mismatched: Collection[tuple[str, Any, Any]]
) -> None:
    mend = "use the checkpoint that belongs to this config.json"
    missing = {key for key in missing if not key.startswith("pooler.")}
    if missing:
        found = f"{len(missing)} missing, {sorted(missing)[0]} the first"
        raise ThawlineError(f"all weights of '{name}'", found, mend)
    for key, found_shape, wanted in sorted(mismatched):
        raise ThawlineError(
            f"the weights of '{name}' in the shapes that its config.json asks for",
            f"{key} of shape {tuple(found_shape)} in place of {tuple(wanted)}",
            mend,
        )


def _check_finite(name: str, model: PreTrainedModel) -> None:
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ThawlineError(
                f"finite weights in '{name}'", f"nan or infinity in {key}", "fetch the model again"
            )
