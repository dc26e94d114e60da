"""Load a backbone and its tokenizer from a path or a name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
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
from thawline.backbones.families import family_of
from thawline.backbones.finding import find_backbone
from thawline.backbones.origin import Origin, check_bases
from thawline.backbones.parts import CONFIG, TOKENIZER
from thawline.backbones.reading import (
    check_complete,
    check_finite,
    explain_read_errors,
    read_config,
    read_model,
    try_model,
)
from thawline.backbones.stack import Stack
from thawline.backbones.tokenizer import (
    check_tokenizer,
    configure_tokenizer,
    load_tokenizer,
    reset_truncation,
    set_options,
    tokenizer_state,
)
from thawline.backbones.weights import hash_weights
from thawline.config import DEFAULT_MAX_LENGTH, FAMILY_MAX_LENGTHS, TokensConfig
from thawline.errors import ThawlineError
from thawline.runs.layout import ADAPTER, MODEL_TYPE, SETTINGS, AdapterSettings
from thawline.runtime.checksums import check_written_checksums
from thawline.runtime.failures import describe_system_error
from thawline.runtime.hub import quieten_transformers
from thawline.runtime.paths import absolute_name


@dataclass(frozen=True)
class Backbone:
    """A base model with its tokenizer.

    It is pretrained, taken from the classifier of another task, or built for one fit.

    Attributes:
        name: The name that the user gave. The path of a folder is absolute.
        path: The local folder. For a backbone that was built for this fit, its name.
        stack: The base model as a row of stages, in fp32 and evaluation mode.
        tokenizer: The tokenizer, with a pad token and padding on the right.
        random_weights: Names of the weights that the checkpoint lacks. They were initialised from
            a fixed seed.
        origin: The classifier of another task that the backbone was taken from. None if it was
            not taken from a classifier.
        built_from: The values that a record holds about an encoder that was built for this fit.
            None if the backbone was loaded, so that it can be loaded again.
    """

    name: str
    path: str
    stack: Stack
    tokenizer: PreTrainedTokenizerBase
    random_weights: tuple[str, ...] = ()
    origin: Origin | None = None
    built_from: Mapping[str, Any] | None = None

    @property
    def limit(self) -> int:
        """The maximum number of tokens in a text."""
        return token_limit(self.stack.model.config, self.tokenizer)

    def resolve_max_length(self, wanted: int | None) -> int:
        """Return the number of tokens to keep of each text.

        Args:
            wanted: The number that the user chose. If None, the default of the family, or the
                model's limit if that is lower.

        Raises:
            ThawlineError: If ``wanted`` exceeds the model's limit, or leaves no space for a token
                in addition to the special tokens of a pair. Also if the limit itself does.
        """
        model_type = self.stack.model.config.model_type
        default = min(FAMILY_MAX_LENGTHS.get(model_type, DEFAULT_MAX_LENGTH), self.limit)
        if wanted is None:
            self._check_limit()
            return default
        special = self.tokenizer.num_special_tokens_to_add(pair=True)
        if special < wanted <= self.limit:
            return wanted
        raise ThawlineError(
            f"a maximum length between {special + 1} and {self.limit} tokens, because the "
            f"backbone {self.name} accepts at most {self.limit}",
            str(wanted),
            f"use `tokens.max_length={default}` or omit it",
            setting="tokens.max_length",
        )

    def _check_limit(self) -> None:
        special = self.tokenizer.num_special_tokens_to_add(pair=False)
        if self.limit <= special:
            raise ThawlineError(
                f"a backbone that accepts more than its {special} special tokens in a text",
                f"'{self.name}', which accepts at most {self.limit} tokens",
                "correct model_max_length in tokenizer_config.json, or max_position_embeddings",
            )

    def digest(self) -> str:
        """Return a SHA-256 of everything that the frozen states depend on, except the texts.

        It covers the weights, the config and the tokenizer. BERT's pooler is left out because it
        only reads the final states. The weights are read once, because training changes copies of
        them only.
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        config = json.dumps(config_values(self.stack.model.config), sort_keys=True, default=str)
        parts = [config, tokenizer_state(self.tokenizer)]
        digest = hashlib.sha256("\n".join(parts).encode())
        weights = self.stack.model.state_dict().items()
        hash_weights(digest, {n: tensor for n, tensor in weights if not n.startswith("pooler.")})
        return digest.hexdigest()


def config_values(config: Any) -> dict[str, Any]:
    """Return the values in the config of a base model that its states depend on."""
    values: dict[str, Any] = config.to_diff_dict()
    for incidental in ("_name_or_path", "transformers_version", "architectures", "dtype",
                       "id2label", "label2id", "problem_type", "use_cache"):  # fmt: skip
        values.pop(incidental, None)
    return values


def token_limit(config: Any, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the maximum number of tokens in a text.

    Args:
        config: The config of the base model, which knows the size of the position table.
        tokenizer: The tokenizer, whose own limit may be lower.
    """
    limit = int(config.max_position_embeddings)
    if config.model_type in ("roberta", "xlm-roberta"):
        limit -= config.pad_token_id + 1  # RoBERTa's positions start after the pad id
    return min(limit, int(tokenizer.model_max_length))


def load_backbone(name: str, tokens: TokensConfig | None = None) -> Backbone:
    """Load a base model and its tokenizer.

    If the name is a saved classifier, its base model is loaded without the head, and its adapters
    are merged into the weights. The classifier's maximum length is ignored.

    Args:
        name: A folder, the folder of a run or of a saved classifier, a packaged name or a hub id.
        tokens: The options of the tokenizer. If None, all options are as they were saved.

    Returns:
        The backbone in fp32 and evaluation mode.

    Raises:
        ThawlineError: If the backbone is not found or incomplete, if the run did not finish, if
            the family is unknown, or if the tokenizer lacks an option.
    """
    path, tokens = find_backbone(name), TokensConfig() if tokens is None else tokens
    quieten_transformers()
    check_written_checksums(Path(path))
    saved = (Path(path) / SETTINGS).is_file()
    origin = _read_origin(path) if saved else None
    if origin is not None and origin.adapter is not None:
        model, random_weights, limit = _load_adapted(path, origin.adapter)
    else:
        model, random_weights = _load_model(name, path, saved=saved)
        limit = None
    check_finite(name, model)
    with explain_read_errors(path, TOKENIZER, saved=saved):
        tokenizer = load_tokenizer(path, tokens)
    if saved:
        reset_truncation(tokenizer, limit)
        model.config.num_labels = PreTrainedConfig().num_labels  # forget the removed head
    check_tokenizer(name, model, tokenizer)
    set_options(name, tokenizer, tokens)
    configure_tokenizer(model, tokenizer)
    with explain_read_errors(path, CONFIG, saved=saved):
        try_model(model.eval(), tokenizer.pad_token_id, token_limit(model.config, tokenizer))
    return Backbone(
        absolute_name(name), path, Stack(model.eval()), tokenizer, random_weights, origin
    )


def load_base(folder: Path, known: AdapterSettings) -> Backbone:
    """Load the backbone that the adapters in an artifact's folder belong to.

    Args:
        folder: The folder of the artifact.
        known: The settings of the adapters, which hold the name and the digest of their base.

    Raises:
        ThawlineError: If the base cannot be loaded, or if its weights have changed since the
            adapters were trained.
    """
    expected = f"the backbone '{known.base}', which the adapters in '{folder}' belong to"
    fix = f"restore it, or set the adapter's base in {SETTINGS} to its new path"
    try:
        check_bases(folder, known)
        base = load_backbone(known.base)
    except ThawlineError as error:
        raise ThawlineError(expected, error.found, fix) from error
    except OSError as error:  # for example, the name is too long for a path
        raise ThawlineError(expected, describe_system_error(error), fix) from error
    found = base_digest(base.stack.model)
    if found != known.base_sha256:
        raise ThawlineError(
            f"the backbone '{known.base}' with the weights that the adapters in '{folder}' were "
            f"trained on (SHA-256 {known.base_sha256[:12]}…)",
            f"other weights (SHA-256 {found[:12]}…)",
            "restore those weights, or run fit again",
        )
    return base


def _read_origin(path: str) -> Origin:
    with explain_read_errors(path, saved=True):
        return Origin.from_folder(Path(path))


def _load_adapted(
    path: str, adapter: AdapterSettings
) -> tuple[PreTrainedModel, tuple[str, ...], int]:
    """Load the base of a classifier's adapters and merge the adapters into it.

    Returns:
        The merged model, the names of its randomly initialised weights, and the limit of the
        base's tokenizer in tokens.
    """
    base = load_base(Path(path), adapter)
    with explain_read_errors(path, saved=True):
        model = merge_adapters(base.stack.model, Path(path) / ADAPTER)
    return model, base.random_weights, base.tokenizer.model_max_length


def _load_model(name: str, path: str, *, saved: bool) -> tuple[PreTrainedModel, tuple[str, ...]]:
    """Return the base model of a folder and the names of weights that its checkpoint lacks."""
    config = read_config(path, saved=saved)
    is_thawline = config.model_type == MODEL_TYPE
    with explain_read_errors(path, CONFIG, saved=saved):
        base_config = AutoConfig.for_model(**config.backbone) if is_thawline else config
    family_of(base_config)
    auto = AutoModelForSequenceClassification if is_thawline else AutoModel
    model, info = read_model(path, auto, saved=saved)
    # The head of Thawline's own model is not used here, so only the other weights are checked.
    prefix = f"{model.base_model_prefix}." if is_thawline else ""
    missing = {key.removeprefix(prefix) for key in info["missing_keys"] if key.startswith(prefix)}
    mismatched = [
        (key.removeprefix(prefix), *shapes)
        for key, *shapes in info["mismatched_keys"]
        if key.startswith(prefix)
    ]
    check_complete(name, missing, mismatched)
    base = model.base_model if is_thawline else model
    return base.float(), tuple(sorted(missing))
