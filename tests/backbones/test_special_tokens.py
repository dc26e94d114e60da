"""Special tokens that are written in a text are read as text, unless the user asks otherwise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, XLMRobertaTokenizer

from tests.backbones.test_tokenizer import MAKERS
from tests.support.language_toys import document, toy_vocabulary
from tests.support.toys import byte_tokenizer, save_writer, toy_tokenizer
from thawline.backbones.finding import find_backbone
from thawline.backbones.glove.words import word_tokenizer
from thawline.backbones.language import load_language_model
from thawline.backbones.loading import load_backbone
from thawline.backbones.tokenizer import load_tokenizer, tokenizer_state
from thawline.config import TokensConfig
from thawline.pretraining.generation import prompt_ids

PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁", "film", "s", "<", ">", "/", "▁film", "<mask>")


def unigram() -> XLMRobertaTokenizer:
    """Return a tokenizer whose vocabulary prefers the special tokens to their letters."""
    scores = [0.0 if piece.startswith("<") and len(piece) > 1 else -5.0 for piece in PIECES]
    return XLMRobertaTokenizer(vocab=list(zip(PIECES, scores, strict=True)))


def by_spaces() -> PreTrainedTokenizerFast:
    """Return a tokenizer that splits at spaces only, so that [SEP] stays a word."""
    words = {"[PAD]": 0, "[UNK]": 1, "[SEP]": 2, "film": 3}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


KINDS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    **{kind: make for kind, (_, make) in MAKERS.items() if kind != "plain lower"},
    "unigram": unigram,
    "by spaces": by_spaces,
    "toy": toy_tokenizer,
    "causal": lambda: toy_tokenizer(causal=True),
    "bytes": byte_tokenizer,
    "glove": lambda: word_tokenizer({"[PAD]": 0, "[UNK]": 1, "[SEP]": 2, "film": 3}, 40),
}


@pytest.fixture(params=[*KINDS, "minilm", "thawline/qwen3-mini"])
def folder(request, tmp_path) -> Path:
    """Return the folder of a tokenizer that says nothing about special tokens in a text."""
    path = tmp_path / "tokenizer"
    if request.param in KINDS:
        KINDS[request.param]().save_pretrained(path)
        config = path / "tokenizer_config.json"
        values = json.loads(config.read_text())
        values.pop("split_special_tokens", None)
        config.write_text(json.dumps(values))
    else:
        shutil.copytree(find_backbone(request.param), path)
    return path


def special_ids(tokenizer, text: str) -> set[int]:
    """Return the special tokens that are read from a text, without the unknown token."""
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    return set(tokenizer(text, add_special_tokens=False)["input_ids"]) & special


def written(tokenizer) -> list[str]:
    words = [word for word in tokenizer.all_special_tokens if word != tokenizer.unk_token]
    return [f"film {' '.join(words)}", f"film{''.join(words)}film", *words]


def test_they_are_text_by_default_and_tokens_if_the_user_asks(folder):
    as_text = load_tokenizer(str(folder), TokensConfig())
    as_tokens = load_tokenizer(str(folder), TokensConfig(split_special_tokens=False))
    for text in written(as_text):
        assert not special_ids(as_text, text)
        assert special_ids(as_tokens, text)


def test_the_choice_is_saved_and_part_of_the_key(folder, tmp_path):
    states = set()
    for split in (True, False):
        tokenizer = load_tokenizer(str(folder), TokensConfig(split_special_tokens=split))
        tokenizer.save_pretrained(tmp_path / "again")
        again = load_tokenizer(str(tmp_path / "again"), None)
        for text in written(tokenizer):
            assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
        assert tokenizer_state(again) == tokenizer_state(tokenizer)
        states.add(tokenizer_state(tokenizer))
    assert len(states) == 2


def test_a_folder_without_the_option_keeps_its_way(folder):
    tokenizer = load_tokenizer(str(folder), None)
    assert all(special_ids(tokenizer, text) for text in written(tokenizer))
    as_tokens = load_tokenizer(str(folder), TokensConfig(split_special_tokens=False))
    assert tokenizer_state(tokenizer) == tokenizer_state(as_tokens)


def test_the_special_tokens_around_a_text_stay(folder):
    as_text = load_tokenizer(str(folder), TokensConfig())
    as_tokens = load_tokenizer(str(folder), None)
    for text in ("film", ("film", "film")):
        pair = [text] if isinstance(text, str) else list(text)
        assert as_text(*pair)["input_ids"] == as_tokens(*pair)["input_ids"]


def test_the_digest_of_a_backbone_depends_on_the_choice(toy_backbone):
    digests = {
        load_backbone(str(toy_backbone()), TokensConfig(split_special_tokens=split)).digest()
        for split in (True, False)
    }
    assert len(digests) == 2


def test_a_prompt_of_generate_is_text(tmp_path):
    save_writer(tmp_path)
    language = load_language_model(str(tmp_path))
    ids = prompt_ids(language, "a<eos><bos>b")[0].tolist()
    assert ids[0] == language.start_id
    assert not set(ids[1:]) & {0, 1, 2}
    assert len(ids) == 1 + len("a<eos><bos>b")


def test_a_text_of_pretraining_has_one_start_and_one_end():
    tokens = document("a <|bos|>film<|eos|> <|pad|>")
    assert [tokens.count(special) for special in (0, 1, 2)] == [0, 1, 1]
    assert toy_vocabulary().split_special_tokens
