"""A backbone's tokenizer: loaded with its options, checked, and settled to fit the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from thawline.backbones.stack import family_of
from thawline.config import TokensConfig
from thawline.errors import ThawlineError

OPTIONS = {
    "add_prefix_space": "add_prefix_space",
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
}
"""The options of `TokensConfig` as transformers names them, and as parts of a tokenizer do."""

NO_LIMIT = int(1e30)
"""What transformers writes as a tokenizer's length where it knows none."""


def load_tokenizer(path: str, config: TokensConfig) -> PreTrainedTokenizerBase:
    """Load a tokenizer; a class that builds itself out of options is given those that are set."""
    return AutoTokenizer.from_pretrained(path, trust_remote_code=False, **_options(config))


def set_options(name: str, tokenizer: PreTrainedTokenizerBase, config: TokensConfig) -> None:
    """Set the options of a fast tokenizer in its parts; an option that is None stays as it is.

    transformers does so only for classes that build themselves. Where a tokenizer is read whole
    from its file, as ModernBERT's is, an option would be dropped in silence.

    Raises:
        ThawlineError: no part of the tokenizer has such an option.
    """
    for option, value in _options(config).items():
        parts = list(_parts(tokenizer.backend_tokenizer))
        if not [part for part in parts if _set_part(part, option, value)]:
            raise ThawlineError(
                f"a tokenizer with the option {option} in '{name}'",
                "one without it",
                f"leave tokens.{option} out",
            )


def _options(config: TokensConfig) -> dict[str, bool]:
    values = {option: getattr(config, option) for option in OPTIONS}
    return {option: value for option, value in values.items() if value is not None}


def _parts(tokenizer: Tokenizer) -> Iterator[Any]:
    """Yield what a text goes through before it is cut into tokens, part by part."""
    for part in (tokenizer.normalizer, tokenizer.pre_tokenizer):
        if isinstance(part, normalizers.Sequence | pre_tokenizers.Sequence):
            yield from part  # type: ignore[misc]
        elif part is not None:
            yield part


def _set_part(part: Any, option: str, value: bool) -> bool:
    """Set an option on a part; return whether it has it."""
    if isinstance(part, pre_tokenizers.Metaspace) and option == "add_prefix_space":
        if (part.prepend_scheme != "never") != value:
            part.prepend_scheme = "first" if value else "never"
        return True
    if not hasattr(part, OPTIONS[option]):
        return False
    setattr(part, OPTIONS[option], value)
    return True


def lift_truncation(tokenizer: PreTrainedTokenizerBase, limit: int | None = None) -> None:
    """Undo where a saved classifier's tokenizer cuts texts: another fit reads them as it is told.

    Args:
        tokenizer: of a saved classifier.
        limit: its backbone's own, in tokens; None: only the model's positions limit it, for what
            its tokenizer said before is not saved.
    """
    tokenizer.model_max_length = NO_LIMIT if limit is None else limit
    tokenizer.truncation_side = "right"
    tokenizer.backend_tokenizer.no_truncation()


def tokenizer_state(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a tokenizer's whole behaviour as JSON, less the truncation of the last call."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state.pop("truncation", None)
    state.pop("padding", None)
    return json.dumps(state, sort_keys=True)


def check_tokenizer(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise ThawlineError where a backbone's model cannot take what its tokenizer gives."""
    fix = "use the tokenizer that belongs to this model"
    if not tokenizer.is_fast:
        raise ThawlineError(
            f"a tokenizer.json for '{name}'",
            f"{type(tokenizer).__name__}, which is written in Python",
            "convert the tokenizer to a fast one and save it there",
        )
    # Where its files are missing, transformers makes some families a tokenizer without a word.
    vocabulary = tokenizer.get_vocab()
    if set(vocabulary) <= set(tokenizer.all_special_tokens):
        raise ThawlineError(f"a tokenizer for '{name}'", "one that knows no word", fix)
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise ThawlineError(
            f"a tokenizer with at most {rows} ids, the rows of the embeddings of '{name}'",
            f"{len(tokenizer)} ids",
            fix,
        )
    last = max(vocabulary, key=vocabulary.__getitem__)
    if vocabulary[last] >= rows:
        raise ThawlineError(
            f"ids below {rows}, the rows of the embeddings of '{name}', in its tokenizer",
            f"{vocabulary[last]} for '{last}'",
            fix,
        )
    if (tokenizer.pad_token, tokenizer.eos_token, tokenizer.unk_token) == (None, None, None):
        raise ThawlineError(
            f"a pad, end or unknown token in the tokenizer of '{name}'",
            "none of them",
            "set its pad_token and save it with save_pretrained",
        )


def settle_tokenizer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Make a tokenizer give what its base model takes.

    The pad id is set in tokenizer and config alike, padding goes on the right whatever the family
    does, and token types are made only for a family that reads them.
    """
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = (
            tokenizer.eos_token if tokenizer.eos_token is not None else tokenizer.unk_token
        )
    model.config.pad_token_id = tokenizer.pad_token_id
    tokenizer.padding_side = "right"
    names = ["input_ids", "attention_mask"]
    types = ["token_type_ids"] if family_of(model.config).token_types else []
    tokenizer.model_input_names = names + types
