"""Check the normalizer, pre-tokenizer, post-processor and decoder of a tokenizer.json."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from thawline.backbones.untrusted.regex import is_bounded
from thawline.backbones.untrusted.trie import is_table
from thawline.backbones.untrusted.values import JsonFile

TYPES = {
    "normalizer": (
        "Sequence", "BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD",
        "Nmt", "Precompiled", "Prepend", "Replace", "Strip", "StripAccents",
    ),
    "pre_tokenizer": (
        "Sequence", "BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "FixedLength",
        "Metaspace", "Punctuation", "Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit",
    ),
    "post_processor": (
        "Sequence", "BertProcessing", "ByteLevel", "RobertaProcessing", "TemplateProcessing",
    ),
    "decoder": (
        "Sequence", "BPEDecoder", "ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Replace",
        "Strip", "WordPiece",
    ),
}  # fmt: skip
"""The types of each part of a tokenizer that the supported families use."""

INSERTING = ("BertProcessing", "RobertaProcessing", "TemplateProcessing")
"""The post-processors that insert special tokens. A second one would not know the first one's."""

CHILDREN = ("normalizers", "pretokenizers", "processors", "decoders")
MAX_PARTS = 64
"""The largest number of normalizers, of pre-tokenizers and so on, those in sequences included."""

MAX_TEXT = 64
"""The longest text that a part inserts, in characters."""

MAX_GROWTH = 256
"""How many times as long the replacements of a tokenizer may make a text."""

MAX_CHARACTER = 128
"""The longest replacement of one character in a table of SentencePiece, in bytes."""

MAX_TEMPLATE = 32


def check_part(file: JsonFile, key: str, value: object, rows: int) -> None:
    """Check one of the four parts around the model of a tokenizer.

    Args:
        file: The file.
        key: The name of the part: ``normalizer``, ``pre_tokenizer``, ``post_processor`` or
            ``decoder``.
        value: The part.
        rows: Number of rows of the embeddings.

    Raises:
        ThawlineError: If the part has an unknown type, could take very long or very much memory, or
            uses an id that the embeddings lack.
    """
    growth, inserting = 1, 0
    for number, (name, part) in enumerate(_flatten(file, key, value)):
        if number >= MAX_PARTS:
            file.refuse(key, f"at most {MAX_PARTS} parts", "more")
        kind = part.get("type")
        file.one_of(f"{name}.type", kind, TYPES[key])
        _check_texts(file, name, part)
        if kind in ("Split", "Replace"):
            _check_pattern(file, f"{name}.pattern", part.get("pattern"))
        if kind in ("Replace", "Prepend"):
            inserted = part.get("content" if kind == "Replace" else "prepend")
            growth *= max(1, len(file.text(f"{name}.content", inserted, MAX_TEXT)))
        if kind == "ByteLevel" and key != "decoder":
            growth *= 2  # it writes each byte of a letter outside of ASCII as two
        if kind == "Precompiled":
            _check_table(file, f"{name}.precompiled_charsmap", part.get("precompiled_charsmap"))
        if kind == "FixedLength":
            file.whole(f"{name}.length", part.get("length"), 1)
        if kind in ("BertProcessing", "RobertaProcessing"):
            for token in ("sep", "cls"):
                _check_pair(file, f"{name}.{token}", part.get(token), rows)
        if kind == "TemplateProcessing":
            _check_template(file, name, part, rows)
        inserting += kind in INSERTING
    if inserting > 1:
        file.refuse(key, "at most one part that inserts special tokens", inserting)
    if growth > MAX_GROWTH:
        file.refuse(key, f"replacements that make a text at most {MAX_GROWTH} times as long",
                    f"{growth:,} times")  # fmt: skip


def _flatten(file: JsonFile, name: str, value: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part of a sequence and of the sequences in it, with its name."""
    part = file.mapping(name, value, 50)
    yield name, part
    if part.get("type") == "Sequence":
        children = next((child for child in CHILDREN if child in part), CHILDREN[0])
        inner = file.items(f"{name}.{children}", part.get(children), MAX_PARTS)
        for number, child in enumerate(inner):
            yield from _flatten(file, f"{name}.{children}[{number}]", child)


def _check_texts(file: JsonFile, name: str, part: dict[str, Any]) -> None:
    """Refuse long texts, for example a delimiter, outside of patterns and tables."""
    for key, value in part.items():
        if isinstance(value, str) and key != "precompiled_charsmap":
            file.text(f"{name}.{key}", value, MAX_TEXT)
        if isinstance(value, float) or (isinstance(value, int) and abs(value) > 2**31):
            file.refuse(f"{name}.{key}", "a smaller whole number", value)


def _check_pattern(file: JsonFile, name: str, value: object) -> None:
    pattern = file.mapping(name, value, 1)
    if "String" in pattern:
        if not file.text(f"{name}.String", pattern["String"], MAX_TEXT):
            file.refuse(f"{name}.String", "a text that is not empty", "")
        return
    regex = file.text(f"{name}.Regex", pattern.get("Regex"), 10_000)
    if not is_bounded(regex):
        file.refuse(
            f"{name}.Regex", "an expression that cannot take long, or one of a known family", regex
        )


def _check_table(file: JsonFile, name: str, value: object) -> None:
    """Check the table of a SentencePiece normalizer: a trie, then the replacements.

    The first four bytes are the size of the trie. Each replacement ends with a zero byte.
    """
    text = file.text(name, value, 2**21)
    try:
        table = base64.b64decode(text, validate=True)
    except binascii.Error:
        file.refuse(name, "base64", value)
    size = int.from_bytes(table[:4], "little")
    if len(table) < 4 or size % 4 or not 1_024 <= size <= len(table) - 4:
        file.refuse(name, "a table of SentencePiece", value)
    longest = max(map(len, table[4 + size :].split(b"\0")))
    if longest > MAX_CHARACTER:
        file.refuse(
            name, f"replacements of at most {MAX_CHARACTER} bytes", f"one of {longest:,} bytes"
        )
    if not is_table(table[4 : 4 + size], table[4 + size :]):
        file.refuse(name, "a table of SentencePiece whose entries lie inside it", "another")


def _check_pair(file: JsonFile, name: str, value: object, rows: int) -> None:
    pair = file.items(name, value, 2)
    if len(pair) < 2:
        file.refuse(name, "a token and its id", value)
    file.text(name, pair[0])
    file.whole(name, pair[1], 0, rows - 1)


def _check_template(file: JsonFile, name: str, part: dict[str, Any], rows: int) -> None:
    tokens = file.mapping(f"{name}.special_tokens", part.get("special_tokens"), 1_000)
    for token, values in tokens.items():
        inner = f"{name}.special_tokens.{token!r}"
        ids = file.items(f"{inner}.ids", file.mapping(inner, values, 10).get("ids"), 16)
        for number in ids:
            file.whole(f"{inner}.ids", number, 0, rows - 1)
    for template, wanted in (("single", ["A"]), ("pair", ["A", "B"])):
        if part.get(template) is None:
            continue
        key = f"{name}.{template}"
        sequences = []
        for item in file.items(key, part[template], MAX_TEMPLATE):
            entries = file.mapping(key, item, 1)
            for kind, values in entries.items():
                file.one_of(key, kind, ("Sequence", "SpecialToken"))
                piece = file.mapping(f"{key}.{kind}", values, 5)
                file.whole(f"{key}.{kind}.type_id", piece.get("type_id", 0), 0, 1)
                if kind == "SpecialToken":
                    file.one_of(f"{key}.{kind}.id", piece.get("id"), tokens)
                else:
                    sequences.append(file.text(f"{key}.{kind}.id", piece.get("id"), 1))
        if sorted(sequences) != wanted:
            file.refuse(key, f"each of the texts {' and '.join(wanted)} once", sequences)
