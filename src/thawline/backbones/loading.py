"""Find a backbone by path or name, and load it with its tokenizer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from thawline.backbones.adapters import base_digest, merge_adapters
from thawline.backbones.finding import find_backbone
from thawline.backbones.origin import Origin
from thawline.backbones.parts import CONFIG, TOKENIZER
from thawline.backbones.reading import (
    check_complete,
    check_finite,
    read_config,
    read_model,
    readable,
)
from thawline.backbones.stack import Stack, family_of
from thawline.backbones.tokenizer import (
    check_tokenizer,
    lift_truncation,
    load_tokenizer,
    set_options,
    settle_tokenizer,
    tokenizer_state,
)
from thawline.backbones.weights import hash_weights
from thawline.config import DEFAULT_MAX_LENGTH, FAMILY_MAX_LENGTHS, TokensConfig
from thawline.errors import ThawlineError
from thawline.runs.layout import ADAPTER, MODEL_TYPE, SETTINGS, AdapterSettings
from thawline.runtime.hub import quieten_transformers

Drawn = tuple[str, ...]


@dataclass(frozen=True)
class Backbone:
    """A base model with its tokenizer: pretrained, taken from another task's classifier, or made.

    Attributes:
        name: as the user gave it.
        path: the local folder; of one that was made its name.
        stack: the base model as a row of stages, fp32, in evaluation mode.
        tokenizer: with a pad token, padding on the right.
        drawn: names of weights that the checkpoint lacks, drawn from a fixed seed.
        origin: the classifier of another task that it was taken from; None: it is as it was
            pretrained.
        made: for a record, what it was made of; None: it was read, and is there to be read again.
    """

    name: str
    path: str
    stack: Stack
    tokenizer: PreTrainedTokenizerBase
    drawn: Drawn = ()
    origin: Origin | None = None
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
    """Load a base model and its tokenizer, in fp32 and evaluation mode.

    Of a saved classifier that is what lies below its head, its adapters folded in; where it cut
    texts does not matter here.

    Args:
        name: a folder, a run's or a saved classifier's among them, a packaged name or a hub id.
        tokens: with the options of the tokenizer; None: all as they were saved.

    Raises:
        ThawlineError: nothing is there, parts are missing, the run did not finish, the family is
            not known or the tokenizer lacks an option.
    """
    path, tokens = find_backbone(name), TokensConfig() if tokens is None else tokens
    quieten_transformers()
    saved = (Path(path) / SETTINGS).is_file()
    origin = _read_origin(path) if saved else None
    if origin is not None and origin.adapter is not None:
        model, drawn, limit = _load_adapted(path, origin.adapter)
    else:
        model, drawn = _load_model(name, path, saved=saved)
        limit = None
    check_finite(name, model)
    with readable(path, TOKENIZER, saved=saved):
        tokenizer = load_tokenizer(path, tokens)
    if saved:
        lift_truncation(tokenizer, limit)
        model.config.num_labels = PreTrainedConfig().num_labels  # those of the head that is gone
    check_tokenizer(name, model, tokenizer)
    set_options(name, tokenizer, tokens)
    settle_tokenizer(model, tokenizer)
    return Backbone(name, path, Stack(model.eval()), tokenizer, drawn, origin)


def load_base(folder: Path, known: AdapterSettings) -> Backbone:
    """Load the backbone that the adapters in an artifact's folder belong to.

    Args:
        folder: the artifact's.
        known: what its settings say of the adapters.

    Raises:
        ThawlineError: the base is not to be found, or is another by now.
    """
    expected = f"the backbone '{known.base}', which the adapters in '{folder}' belong to"
    fix = f"put it there, or write where it is as the adapter's base in {SETTINGS}"
    if Path(known.base).resolve() in (folder.resolve(), folder.resolve().parent):
        raise ThawlineError(expected, "these adapters themselves", fix)
    try:
        base = load_backbone(known.base)
    except ThawlineError as error:
        raise ThawlineError(expected, error.found, fix) from error
    found = base_digest(base.stack.model)
    if found != known.base_sha256:
        raise ThawlineError(
            f"the backbone '{known.base}' with the weights that the adapters in '{folder}' were "
            f"trained on (SHA-256 {known.base_sha256[:12]}…)",
            f"other weights (SHA-256 {found[:12]}…)",
            "put those weights back, or run fit again",
        )
    return base


def _read_origin(path: str) -> Origin:
    with readable(path, saved=True):
        return Origin.of(Path(path))


def _load_adapted(path: str, adapter: AdapterSettings) -> tuple[PreTrainedModel, Drawn, int]:
    """Return a base model with a classifier's adapters folded in, and its tokenizer's limit."""
    base = load_base(Path(path), adapter)
    with readable(path, saved=True):
        model = merge_adapters(base.stack.model, Path(path) / ADAPTER)
    return model, base.drawn, base.tokenizer.model_max_length


def _load_model(name: str, path: str, *, saved: bool) -> tuple[PreTrainedModel, Drawn]:
    """Return the base model of a folder, and what its checkpoint lacks of it."""
    config = read_config(path, saved=saved)
    own = config.model_type == MODEL_TYPE
    with readable(path, CONFIG, saved=saved):
        base_config = AutoConfig.for_model(**config.backbone) if own else config
    family_of(base_config)
    auto = AutoModelForSequenceClassification if own else AutoModel
    model, info = read_model(path, auto, saved=saved)
    # Of a whole model of ours what is below the head; where a part of the head is at fault, that
    # is nobody's concern here.
    below = f"{model.base_model_prefix}." if own else ""
    missing = {key.removeprefix(below) for key in info["missing_keys"] if key.startswith(below)}
    mismatched = [
        (key.removeprefix(below), *shapes)
        for key, *shapes in info["mismatched_keys"]
        if key.startswith(below)
    ]
    check_complete(name, missing, mismatched)
    return model.base_model if own else model, tuple(sorted(missing))
