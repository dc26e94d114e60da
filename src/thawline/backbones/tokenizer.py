"""Load a backbone's tokenizer with its options, check it and configure it for the model."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from thawline.backbones.families import family_of
from thawline.config import TokensConfig
from thawline.errors import ThawlineError
from thawline.runtime.failures import first_line
from thawline.runtime.untrusted import read_regular

OPTIONS = {
    "add_prefix_space": "add_prefix_space",
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
}
"""The attribute of a tokenizer's part that each option of `TokensConfig` sets."""

NO_LIMIT = int(1e30)
"""The ``model_max_length`` that transformers gives to a tokenizer without a limit."""

MAX_LOADED = 8
"""Number of tokenizers that a process keeps, so that it does not read the same files again."""

MAX_TOKENIZER_BYTES = 256 * 2**20
"""The largest file beside a tokenizer that is read, in bytes."""

_LOADED: dict[tuple[str, tuple[tuple[str, bool], ...]], PreTrainedTokenizerBase] = {}
_LOCK = threading.Lock()


def load_tokenizer(path: str, config: TokensConfig | None) -> PreTrainedTokenizerBase:
    """Load a tokenizer.

    Some classes of transformers build the tokenizer from options, so the options are passed to
    them. `set_options` handles the other classes.

    A process reads the same files only once, because a tokenizer takes memory that is not always
    freed. The result is an object of its own around the shared vocabulary and rules. `tokenize`
    leaves them unchanged, so that classifiers in several threads can use them at the same time.

    Args:
        path: The folder of the tokenizer.
        config: The options. An option that is None keeps its saved value. If ``config`` is None,
            all options keep their saved values.
    """
    options = {} if config is None else _options(config)
    if config is not None:
        options["split_special_tokens"] = config.split_special_tokens
    key = (_files_digest(Path(path)), tuple(options.items()))
    with _LOCK:
        loaded = _LOADED.pop(key, None)
        if loaded is None:
            loaded = AutoTokenizer.from_pretrained(path, trust_remote_code=False, **options)
            split_special_tokens(loaded)
            if loaded.is_fast:
                _leave_to_caller(loaded)
        _LOADED[key] = loaded  # as the newest
        while len(_LOADED) > MAX_LOADED:
            _LOADED.pop(next(iter(_LOADED)))
    return _with_own_attributes(loaded, path)


def _leave_to_caller(tokenizer: PreTrainedTokenizerBase) -> None:
    """Switch off truncation and padding, which `tokenize` does, before the tokenizer is shared."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = tokenizer.split_special_tokens


def _files_digest(folder: Path) -> str:
    """Return a SHA-256 of a folder's path and of all files that a tokenizer may be read from."""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".txt", ".model", ".jinja") and path.is_file():
            content = read_regular(path, limit=MAX_TOKENIZER_BYTES)
            digest.update(f"\n{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _with_own_attributes(tokenizer: PreTrainedTokenizerBase, path: str) -> PreTrainedTokenizerBase:
    """Return a copy of a tokenizer that shares its rules but no attribute that can be changed."""
    copied = copy.copy(tokenizer)
    for name, value in tokenizer.__dict__.items():
        if isinstance(value, dict | list):
            copied.__dict__[name] = copy.copy(value)
    copied.__dict__["name_or_path"] = path
    return copied


def split_special_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    """Let a tokenizer read special tokens in a text as text, in place, if its option says so.

    The option alone is not enough if the vocabulary of a model holds the special tokens as
    ordinary words, as that of XLM-RoBERTa does. Such a word is split after its first character.

    Args:
        tokenizer: A tokenizer. Only a fast one whose option ``split_special_tokens`` is true is
            changed.
    """
    if not tokenizer.is_fast or not tokenizer.split_special_tokens:
        return
    special = [
        token.content
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special and len(token.content) > 1 and _is_read(tokenizer, token.content, number)
    ]
    if special:
        words = "|".join(f"{re.escape(word[0])}(?={re.escape(word[1:])})" for word in special)
        backend = tokenizer.backend_tokenizer
        split = pre_tokenizers.Split(Regex(words), "isolated")
        before = backend.pre_tokenizer
        backend.pre_tokenizer = (
            split if before is None else pre_tokenizers.Sequence([before, split])
        )


def _is_read(tokenizer: PreTrainedTokenizerBase, word: str, number: int) -> bool:
    """Return whether a special token, written in a text, becomes its token id."""
    if number == tokenizer.unk_token_id:
        return False  # it also stands for words that the tokenizer does not know
    texts = (word, f"a {word} a", f"a{word}a")
    return any(number in ids for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])


def set_options(name: str, tokenizer: PreTrainedTokenizerBase, config: TokensConfig) -> None:
    """Set the options of a fast tokenizer in its parts, in place.

    transformers silently ignores the options of some families, such as ModernBERT, because it reads
    the complete tokenizer from its file.

    Args:
        name: The name of the backbone.
        tokenizer: A fast tokenizer.
        config: The options. An option that is None keeps its saved value.

    Raises:
        ThawlineError: If no part of the tokenizer has one of the options.
    """
    for option, value in _options(config).items():
        parts = list(_parts(tokenizer.backend_tokenizer))
        if not [part for part in parts if _set_part(part, option, value)]:
            raise ThawlineError(
                f"a tokenizer with the option {option} in '{name}'",
                "a tokenizer without this option",
                f"omit tokens.{option}",
                setting=f"tokens.{option}",
            )


def _options(config: TokensConfig) -> dict[str, bool]:
    values = {option: getattr(config, option) for option in OPTIONS}
    return {option: value for option, value in values.items() if value is not None}


def _parts(tokenizer: Tokenizer) -> Iterator[Any]:
    """Yield the normalizers and pre-tokenizers, which process a text before it is tokenised."""
    for part in (tokenizer.normalizer, tokenizer.pre_tokenizer):
        if isinstance(part, normalizers.Sequence | pre_tokenizers.Sequence):
            yield from part  # type: ignore[misc]
        elif part is not None:
            yield part


def _set_part(part: Any, option: str, value: bool) -> bool:
    """Set an option on a part if it has the option, and return whether it does."""
    if isinstance(part, pre_tokenizers.Metaspace) and option == "add_prefix_space":
        if (part.prepend_scheme != "never") != value:
            part.prepend_scheme = "first" if value else "never"
        return True
    if not hasattr(part, OPTIONS[option]):
        return False
    setattr(part, OPTIONS[option], value)
    return True


def reset_truncation(tokenizer: PreTrainedTokenizerBase, limit: int | None = None) -> None:
    """Reset the truncation of a saved classifier's tokenizer, because another fit sets its own.

    Args:
        tokenizer: The tokenizer of a saved classifier, which is changed in place.
        limit: The limit of its backbone's tokenizer, in tokens. If None, only the model's
            position table limits the length, because a classifier does not save this limit.
    """
    tokenizer.model_max_length = NO_LIMIT if limit is None else limit
    tokenizer.truncation_side = "right"


def tokenizer_state(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the complete state of a tokenizer as JSON, without truncation and padding.

    Both are left out because they depend on the last call. How special tokens in a text are read
    is part of the state.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state.pop("truncation", None)
    state.pop("padding", None)
    if tokenizer.split_special_tokens:  # backbones of older versions lack the option
        state["split_special_tokens"] = True
    return json.dumps(state, sort_keys=True)


def check_tokenizer(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that a model accepts the output of its tokenizer.

    Args:
        name: The name of the backbone.
        model: The base model.
        tokenizer: The tokenizer.

    Raises:
        ThawlineError: If the tokenizer is not a fast one, has no words, or has ids that the
            embeddings lack.
    """
    fix = "use the tokenizer that belongs to this model"
    if not tokenizer.is_fast:
        raise ThawlineError(
            f"a tokenizer.json for '{name}'",
            f"the slow tokenizer {type(tokenizer).__name__}",
            "convert the tokenizer to a fast one and save it in that folder",
        )
    # If the files are missing, transformers builds an empty tokenizer for some families.
    vocabulary = tokenizer.get_vocab()
    if set(vocabulary) <= set(tokenizer.all_special_tokens):
        raise ThawlineError(f"a tokenizer for '{name}'", "a tokenizer without any words", fix)
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise ThawlineError(
            f"a tokenizer with at most {rows} ids, because the embeddings of '{name}' have {rows} "
            "rows",
            f"{len(tokenizer)} ids",
            fix,
        )
    last = max(vocabulary, key=vocabulary.__getitem__)
    if vocabulary[last] >= rows:
        raise ThawlineError(
            f"token ids below {rows}, because the embeddings of '{name}' have {rows} rows",
            f"the id {vocabulary[last]} of the token '{last}'",
            fix,
        )
    _check_probe(name, tokenizer, rows)


PAD = "[PAD]"
"""The pad token that a tokenizer gets if it has no token that can serve for padding."""

PROBE = "A film, 12 €, e\u0301, \ufdfa \u4e2d \U0001f600\n\tgood"
"""A text of common and of unusual characters."""


def _check_probe(name: str, tokenizer: PreTrainedTokenizerBase, rows: int) -> None:
    """Check that a tokenizer reads a text and a pair, with ids that the embeddings have.

    The ids of the special tokens that it adds need not be in its vocabulary.
    """
    backend = tokenizer.backend_tokenizer
    try:
        encodings = backend.encode_batch([PROBE, "", (PROBE, PROBE)])
    except BaseException as error:
        # An error inside the tokenizer's own code, a panic, does not derive from Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ThawlineError(
            f"a tokenizer of '{name}' that can read every text",
            first_line(error),
            "use the tokenizer that belongs to this model",
        ) from error
    largest = max((token for encoding in encodings for token in encoding.ids), default=0)
    if largest >= rows:
        raise ThawlineError(
            f"token ids below {rows}, because the embeddings of '{name}' have {rows} rows",
            f"the id {largest} of a token that the tokenizer adds",
            "use the tokenizer that belongs to this model",
        )


def save_tokenizer(
    tokenizer: PreTrainedTokenizerBase, folder: Path, max_length: int, truncation_side: str
) -> None:
    """Save a tokenizer with the limit of a classifier. The tokenizer itself is not changed.

    Args:
        tokenizer: A fast tokenizer.
        folder: The folder to write to.
        max_length: Maximum number of tokens of a text.
        truncation_side: Side on which longer texts are truncated, ``right`` or ``left``.
    """
    saved = _with_own_attributes(tokenizer, tokenizer.name_or_path)
    # Other programs read the truncation side from tokenizer.json.
    saved.model_max_length, saved.truncation_side = max_length, truncation_side
    rules = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    rules.enable_truncation(max_length, direction=truncation_side)
    saved.__dict__["_tokenizer"] = rules
    saved.save_pretrained(folder)


def _add_pad(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Add the token `PAD` to a tokenizer, and a row for it to the embeddings if they lack one.

    The row is the same in every process, so that adapters of this backbone can be loaded again.
    """
    rules = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())  # others share the old ones
    tokenizer.__dict__["_tokenizer"] = rules
    tokenizer.add_special_tokens({"pad_token": PAD})
    _leave_to_caller(tokenizer)
    rows = model.get_input_embeddings().num_embeddings
    needed = int(tokenizer.pad_token_id) + 1
    if needed > rows:
        model.resize_token_embeddings(needed, mean_resizing=False)
        with torch.no_grad():
            model.get_input_embeddings().weight[rows:] = 0


def configure_tokenizer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Configure a tokenizer and the model's config to agree, in place.

    The pad id is set in both. A tokenizer without a pad token pads with its end or unknown token.
    If it has none of them, it gets the token `PAD`, for which the embeddings grow by a row of zeros
    unless they have a spare one. Padding goes on the right for every family. Token types are
    returned only for a family that uses them.

    Args:
        model: The base model, whose config gets the pad id.
        tokenizer: The tokenizer.
    """
    if tokenizer.pad_token_id is None:
        other = tokenizer.eos_token if tokenizer.eos_token is not None else tokenizer.unk_token
        if other is not None:
            tokenizer.pad_token = other
        else:
            _add_pad(model, tokenizer)
    model.config.pad_token_id = tokenizer.pad_token_id
    tokenizer.padding_side = "right"
    names = ["input_ids", "attention_mask"]
    types = ["token_type_ids"] if family_of(model.config).token_types else []
    tokenizer.model_input_names = names + types
