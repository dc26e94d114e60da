"""Check tokenizer.json and the files beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from thawline.backbones.untrusted.parts import check_part
from thawline.backbones.untrusted.values import JsonFile
from thawline.errors import ThawlineError
from thawline.runtime.json_values import MAX_ID, MAX_TOKEN, is_number
from thawline.runtime.untrusted import show_value

FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
TOKEN_KEYS = ("content", "id", "__type")
"""The flags of an added token, which are booleans."""

FORBIDDEN = (
    "auto_map",
    "fast_tokenizer_files",
    "gguf_file",
    "init_inputs",
    "slow_tokenizer",
    "__slow_tokenizer",
    "tokenizer_object",
    "trust_remote_code",
    "mecab_kwargs",
    "sudachi_kwargs",
    "jumanpp_kwargs",
)
"""Keys that make transformers run other code, import other packages or read other files."""

CLASSES = frozenset(
    {
        "Albert", "Bart", "Barthez", "Bert", "BigBird", "Camembert", "CodeLlama", "Cohere", "CLIP",
        "DebertaV2", "Deberta", "DistilBert", "Electra", "Funnel", "GPT2", "GPTNeoX", "Gemma",
        "Herbert", "Llama", "Longformer", "Lxmert", "MBart", "MBart50",
        "MPNet", "MobileBert", "Nllb", "OpenAIGPT", "Pegasus", "Qwen2", "Reformer", "RemBert",
        "Roberta", "Splinter", "SqueezeBert", "T5", "XLMRoberta", "XLNet",
    }
)  # fmt: skip
"""Families whose tokenizers are fast, that is, are read from tokenizer.json."""

MAX_ADDED = 2**20
"""The largest number of characters of all added tokens. Their search takes 100 bytes for each."""

GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer")


def check_tokenizer_file(file: JsonFile, rows: int | None) -> None:
    """Check the values of a tokenizer.json.

    `backbones.tokenizer.check_tokenizer` compares the ids of the vocabulary with the embeddings.

    Args:
        file: The file.
        rows: Number of rows of the embeddings. None if it is not known.

    Raises:
        ThawlineError: If a part has an unknown type, could take very long or very much memory, or
            uses an id that the embeddings lack.
    """
    values = file.value
    file.one_of("version", values.get("version"), ("1.0",))
    model = file.mapping("model", values.get("model"), 50)
    vocabulary = _check_model(file, model)
    rows = MAX_ID if rows is None else rows
    added = _check_added(file, values.get("added_tokens"), rows)
    unknown = model.get("unk_token")
    # Without it, the first text with an unknown word would raise an exception.
    if model.get("type") in ("WordPiece", "WordLevel") and unknown not in vocabulary | added:
        file.refuse("model.unk_token", "a token of the vocabulary", unknown)
    for key in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        if values.get(key) is not None:
            check_part(file, key, values[key], rows)
    _check_truncation(file, values.get("truncation"))
    _check_padding(file, values.get("padding"), rows)


def _check_model(file: JsonFile, model: dict[str, Any]) -> set[str]:
    """Check the model of a tokenizer, and return its vocabulary.

    Old files have no type, and tokenizers recognises the model by its keys.
    """
    kind, vocabulary = model.get("type"), model.get("vocab")
    file.one_of("model.type", kind, ("BPE", "WordPiece", "WordLevel", "Unigram", None))
    for key, most in (
        ("unk_token", MAX_TOKEN),
        ("continuing_subword_prefix", 16),
        ("end_of_word_suffix", 16),
    ):
        if model.get(key) is not None:
            file.text(f"model.{key}", model[key], most)
    if model.get("max_input_chars_per_word") is not None:
        file.whole("model.max_input_chars_per_word", model["max_input_chars_per_word"], 0, 512)
    if model.get("dropout") not in (None, 0):
        file.refuse("model.dropout", "null, because a text must have the same tokens each time",
                    model["dropout"])  # fmt: skip
    for key in ("fuse_unk", "byte_fallback", "ignore_merges"):
        if model.get(key) is not None:
            file.boolean(f"model.{key}", model[key])
    if model.get("unk_id") is not None:
        file.whole("model.unk_id", model["unk_id"], 0)
    if isinstance(vocabulary, list):
        return set(_check_pieces(file, vocabulary))
    tokens = file.mapping("model.vocab", vocabulary)
    for token, number in tokens.items():
        if len(token) > MAX_TOKEN:
            file.refuse("model.vocab", f"tokens of at most {MAX_TOKEN} characters", token)
        if type(number) is not int or not 0 <= number < MAX_ID:
            file.refuse(f"model.vocab.{token!r}", f"an id from 0 to {MAX_ID - 1}", number)
    if len(set(tokens.values())) < len(tokens):
        file.refuse("model.vocab", "a different id for each token", "the same id for two tokens")
    _check_merges(file, model.get("merges"), tokens, model.get("continuing_subword_prefix") or "")
    return set(tokens)


def _check_pieces(file: JsonFile, pieces: list[Any]) -> Iterator[str]:
    """Check the vocabulary of a Unigram model, and yield its tokens."""
    for piece in pieces:
        if not (
            isinstance(piece, list)
            and len(piece) == 2
            and isinstance(piece[0], str)
            and len(piece[0]) <= MAX_TOKEN
            and is_number(piece[1])
        ):
            file.refuse("model.vocab", "pairs of a token and its score", piece)
        yield piece[0]


def _check_merges(
    file: JsonFile, merges: object, vocabulary: Mapping[str, int], prefix: str
) -> None:
    """Check that each merge has two tokens, and that they and the merged one have an id."""
    if merges is None:
        return
    for merge in file.items("model.merges", merges, MAX_ID):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            file.refuse("model.merges", "pairs of tokens", merge)
        if len(parts) != 2 or not (
            parts[0] in vocabulary
            and parts[1] in vocabulary
            and parts[1].startswith(prefix)
            and parts[0] + parts[1][len(prefix) :] in vocabulary
        ):
            file.refuse("model.merges", "pairs of tokens of the vocabulary", merge)


def _check_added(file: JsonFile, tokens: object, rows: int) -> set[str]:
    """Check the added tokens, and return them."""
    if tokens is None:
        return set()
    found = set()
    for token in file.items("added_tokens", tokens, rows):
        values = file.mapping("added_tokens", token, 20)
        file.whole("added_tokens.id", values.get("id"), 0, rows - 1)
        found.add(_check_token(file, "added_tokens", values))
    _check_amount(file, "added_tokens", found)
    return found


def _check_amount(file: JsonFile, key: str, tokens: Iterable[str]) -> None:
    amount = sum(map(len, tokens))
    if amount > MAX_ADDED:
        file.refuse(key, f"tokens of at most {MAX_ADDED:,} characters in all", amount)


def _check_token(file: JsonFile, key: str, values: dict[str, Any]) -> str:
    content = file.text(f"{key}.content", values.get("content"))
    if not content:
        file.refuse(f"{key}.content", "a token that is not empty", content)
    for flag in FLAGS:
        if values.get(flag) is not None:
            file.boolean(f"{key}.{flag}", values[flag])
    # tokenizers prints the names of other keys as they are, with their escape sequences.
    other = next((name for name in values if name not in (*FLAGS, *TOKEN_KEYS)), None)
    if other is not None:
        file.refuse(key, f"only the keys {', '.join((*TOKEN_KEYS, *FLAGS))}", other)
    return content


def _check_truncation(file: JsonFile, value: object) -> None:
    if value is None:
        return
    values = file.mapping("truncation", value, 10)
    file.one_of("truncation.direction", values.get("direction", "Right"), ("Left", "Right"))
    length = file.whole("truncation.max_length", values.get("max_length"), 0, 2**31)
    file.whole("truncation.stride", values.get("stride", 0), 0, max(length - 1, 0))
    strategies = ("LongestFirst", "OnlyFirst", "OnlySecond")
    file.one_of("truncation.strategy", values.get("strategy", "LongestFirst"), strategies)


def _check_padding(file: JsonFile, value: object, rows: int) -> None:
    if value is None:
        return
    values = file.mapping("padding", value, 10)
    strategy = values.get("strategy", "BatchLongest")
    if isinstance(strategy, dict):
        file.whole("padding.strategy.Fixed", strategy.get("Fixed"), 0, 2**16)
    else:
        file.one_of("padding.strategy", strategy, ("BatchLongest",))
    file.one_of("padding.direction", values.get("direction", "Right"), ("Left", "Right"))
    if values.get("pad_to_multiple_of") is not None:
        file.whole("padding.pad_to_multiple_of", values["pad_to_multiple_of"], 1, 2**16)
    file.whole("padding.pad_id", values.get("pad_id", 0), 0, rows - 1)
    file.whole("padding.pad_type_id", values.get("pad_type_id", 0), 0, 255)
    file.text("padding.pad_token", values.get("pad_token", ""))


def check_tokenizer_config(file: JsonFile) -> None:
    """Check the values of a tokenizer_config.json.

    Args:
        file: The file.

    Raises:
        ThawlineError: If the class of the tokenizer is not a fast one, if a value has the wrong
            type, or if it would make transformers run other code or read other files.
    """
    values = file.value
    for key in FORBIDDEN:
        if values.get(key):
            file.forbid(key, values[key])
    for key, value in values.items():
        if key.endswith("_file") and key != "special_tokens_map_file" and value is not None:
            _check_no_file(file, key, value)
        if key.endswith(("padding_side", "truncation_side")) and value is not None:
            file.one_of(key, value, ("left", "right"))
        if key.startswith(("add_", "clean_up", "split_", "do_", "use_", "tokenize_")) and (
            value is not None and not isinstance(value, bool)
        ):
            file.refuse(key, "true or false", value)
    check_class(file, "tokenizer_class", values.get("tokenizer_class"))
    limit = values.get("model_max_length")
    if limit is not None and not (is_number(limit) and 1 <= limit <= 1e31):
        file.refuse("model_max_length", "a number of at least 1", limit)
    _check_tokens(file)
    decoder = values.get("added_tokens_decoder")
    if decoder is not None:
        added = []
        for number, token in file.mapping("added_tokens_decoder", decoder).items():
            if not (number.isascii() and number.isdigit() and int(number[:9]) < MAX_ID):
                file.refuse("added_tokens_decoder", f"ids from 0 to {MAX_ID - 1}", number)
            key = f"added_tokens_decoder.{number}"
            added.append(_check_token(file, key, file.mapping(key, token, 20)))
        _check_amount(file, "added_tokens_decoder", added)


def _check_no_file(file: JsonFile, key: str, value: object) -> None:
    """Refuse the path of an existing file. Old files hold paths of the author's machine."""
    if not isinstance(value, str) or "\x00" in value or (file.path.parent / value).exists():
        file.forbid(key, value)


def check_class(file: JsonFile, key: str, name: object) -> None:
    """Check the name of the class that reads the tokenizer.

    Args:
        file: The config of the tokenizer or of the model.
        key: The key of the name.
        name: The name. None if the file has none.

    Raises:
        ThawlineError: If the name is not that of a fast tokenizer.
    """
    if name is None or name in GENERIC:
        return
    text = file.text(key, name)
    if text.removesuffix("Fast").removesuffix("Tokenizer") not in CLASSES:
        raise ThawlineError(
            f"a tokenizer.json for '{file.path.parent}', and a class that reads it",
            f"{show_value(text)} as {key} in '{file.path}'",
            "convert the tokenizer to a fast one and save it in that folder",
        )


def check_special_tokens(file: JsonFile) -> None:
    """Check the values of a special_tokens_map.json."""
    _check_tokens(file)


def _check_tokens(file: JsonFile) -> None:
    """Check the special tokens among the values of a file."""
    for key, value in file.value.items():
        if key.endswith("_token") and not key.startswith(("add_", "use_")):
            _check_special(file, key, value)
        if key in ("additional_special_tokens", "extra_special_tokens", "model_specific_tokens"):
            tokens = list(value.values()) if isinstance(value, dict) else value
            for token in file.items(key, [] if tokens is None else tokens, 10_000):
                _check_special(file, key, token)
            _check_amount(file, key, [str(token) for token in tokens or ()])


def _check_special(file: JsonFile, key: str, value: object) -> None:
    if isinstance(value, dict):
        _check_token(file, key, file.mapping(key, value, 20))
    elif value is not None:
        file.text(key, value)


def check_added_tokens(file: JsonFile) -> None:
    """Check the values of an added_tokens.json, which maps tokens to ids."""
    for token, number in file.value.items():
        file.text("a token", token)
        file.whole(repr(token), number, 0)
    _check_amount(file, "the tokens", file.value)
