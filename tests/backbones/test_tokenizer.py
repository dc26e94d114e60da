"""Options of a tokenizer take effect, change the store's key and are saved with the classifier."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    BertTokenizer,
    LlamaTokenizer,
    RobertaTokenizer,
)
from transformers import PreTrainedTokenizerFast as Whole

from tests.support.command_line import ProverHere, write_set
from tests.support.toys import LIMIT, WORDS
from thawline import TextClassifier, artifact
from thawline.backbones.loading import Backbone, load_backbone
from thawline.backbones.tokenizer import tokenizer_state
from thawline.config import (
    ComputeConfig,
    Config,
    DataConfig,
    HeadConfig,
    MetricsConfig,
    TokensConfig,
)
from thawline.errors import ThawlineError
from thawline.jobs.evaluate import evaluate_run
from thawline.jobs.fit import fit_run
from thawline.runtime.progress import Reporter

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
TEXT = "film was Good"


def trained_bytes() -> Tokenizer:
    """A byte-level BPE of the toy words, each with and without a space before it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"{word} {word}" for word in WORDS], trainer)
    return tokenizer


def rebuilt() -> RobertaTokenizer:
    """RoBERTa's class builds the tokenizer from its options."""
    model = json.loads(trained_bytes().to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    return RobertaTokenizer(vocab=model["vocab"], merges=merges, model_max_length=LIMIT)


def read_whole() -> Whole:
    """ModernBERT's tokenizer is read completely from its file."""
    tokenizer = trained_bytes()
    split = pre_tokenizers.Split(" ", "merged_with_next")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    return Whole(tokenizer_object=tokenizer, pad_token="<pad>", model_max_length=LIMIT)


def llama() -> LlamaTokenizer:
    words = [*SPECIAL, *"▁abcdefghijklmnopqrstuvwxyzG"]
    return LlamaTokenizer(
        vocab={word: index for index, word in enumerate(words)},
        merges=[],
        pad_token="<pad>",
        add_prefix_space=False,
        model_max_length=LIMIT,
    )


def bert() -> BertTokenizer:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "was", "good", "Good", "é", "e"]
    return BertTokenizer(
        vocab={word: index for index, word in enumerate(words)}, model_max_length=LIMIT
    )


def plain_lower() -> Whole:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "film": 1, "Film": 2}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    return Whole(tokenizer_object=tokenizer, unk_token="[UNK]", model_max_length=LIMIT)


MAKERS: dict[str, tuple[str, Callable[[], Whole]]] = {
    "rebuilt": ("roberta", rebuilt),
    "read whole": ("modernbert", read_whole),
    "llama": ("llama", llama),
    "bert": ("bert", bert),
    "plain lower": ("bert", plain_lower),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Callable[[str], Path]:
    """Return a function that gives the folder of a small backbone with one of these tokenizers."""
    folders: dict[str, Path] = {}

    def save(kind: str) -> Path:
        if kind not in folders:
            family, make = MAKERS[kind]
            folder, tokenizer = tmp_path_factory.mktemp(family), make()
            token = {"pad_token_id": tokenizer.pad_token_id or 0}
            if family == "modernbert":
                token |= {f"{name}_token_id": 0 for name in ("bos", "eos", "cls", "sep")}
            config = AutoConfig.for_model(
                family,
                vocab_size=len(tokenizer),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=48,
                max_position_embeddings=LIMIT + 2,
                **token,
            )
            torch.manual_seed(0)
            AutoModel.from_config(config).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            folders[kind] = folder
        return folders[kind]

    return save


def ids(backbone: Backbone, text: str = TEXT) -> list[int]:
    return backbone.tokenizer(text)["input_ids"]


EFFECTS = [
    ("rebuilt", "add_prefix_space", TEXT),
    ("read whole", "add_prefix_space", TEXT),
    ("llama", "add_prefix_space", TEXT),
    ("bert", "do_lower_case", "Good"),
    ("bert", "strip_accents", "é"),
]


@pytest.mark.parametrize(("kind", "option", "text"), EFFECTS)
def test_an_option_takes_effect_and_changes_the_key(saved, kind, option, text):
    folder = str(saved(kind))
    as_saved, on, off = (
        load_backbone(folder, TokensConfig(**values))
        for values in ({}, {option: True}, {option: False})
    )
    assert ids(on, text) != ids(off, text)
    assert on.digest() != off.digest()
    same = on if ids(as_saved, text) == ids(on, text) else off
    assert tokenizer_state(as_saved.tokenizer) == tokenizer_state(load_backbone(folder).tokenizer)
    assert ids(as_saved, text) == ids(same, text)


@pytest.mark.parametrize("kind", ["rebuilt", "read whole", "llama"])
def test_a_prefix_space_makes_the_first_word_like_any_other(saved, kind):
    backbone = load_backbone(str(saved(kind)), TokensConfig(add_prefix_space=True))
    special = set(backbone.tokenizer.all_special_ids)
    first, second = (
        [token for token in ids(backbone, text) if token not in special]
        for text in ("film", "film film")
    )
    assert first + first == second


@pytest.mark.parametrize("option", ["add_prefix_space", "do_lower_case", "strip_accents"])
@pytest.mark.parametrize("value", [True, False])
def test_an_option_that_the_tokenizer_lacks_is_refused(saved, option, value):
    folder = saved("plain lower")
    with pytest.raises(ThawlineError) as caught:
        load_backbone(str(folder), TokensConfig(**{option: value}))
    assert caught.value.setting == f"tokens.{option}"
    assert f"'{folder}'" in caught.value.expected


@pytest.mark.parametrize(("kind", "option", "text"), EFFECTS)
def test_an_option_is_saved_with_the_tokenizer(saved, kind, option, text, tmp_path):
    folder = str(saved(kind))
    as_saved = load_backbone(folder)
    changed = next(
        backbone
        for backbone in (
            load_backbone(folder, TokensConfig(**{option: on})) for on in (True, False)
        )
        if ids(backbone, text) != ids(as_saved, text)
    )
    again = tmp_path / "again"
    changed.stack.model.save_pretrained(again)
    changed.tokenizer.save_pretrained(again)
    assert load_backbone(str(again)).digest() == changed.digest()
    assert ids(load_backbone(str(again)), text) == ids(changed, text)


@pytest.mark.parametrize("kind", ["rebuilt", "read whole"])
def test_a_classifier_reads_as_it_was_trained_to(saved, kind, toy_reviews, monkeypatch):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    data = write_set(Path("set"), {"train": toy_reviews(24, 1), "test": toy_reviews(16, 2)})
    runs = {}
    for out, on in (("with", True), ("without", None)):
        config = Config(
            backbone=str(saved(kind)),
            data=DataConfig(data=str(data)),
            tokens=TokensConfig(add_prefix_space=on),
            compute=ComputeConfig(dtype="float32"),
            head=HeadConfig(features="last"),
            metrics=MetricsConfig(resamples=20),
        )
        runs[out] = fit_run(config, Path(out), Reporter()).to_dict()
    assert runs["with"]["store"]["entry"] != runs["without"]["store"]["entry"]
    trained = load_backbone(str(saved(kind)), TokensConfig(add_prefix_space=True))
    fitted = artifact.load(Path("with"))
    assert fitted.tokenizer(TEXT)["input_ids"] == ids(trained)
    assert ids(trained) != artifact.load(Path("without")).tokenizer(TEXT)["input_ids"]
    scores = evaluate_run(Path("with"), None, "test", config.compute, Reporter()).to_dict()
    assert scores["seconds"]["prefix"] == 0.0, "the saved tokenizer has another key"
    assert scores["accuracy"] == runs["with"]["test"]["accuracy"]


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the folder of each tokenizer that is read from now on."""
    read: list[str] = []
    load = AutoTokenizer.from_pretrained

    def counted(folder, *given, **named):
        read.append(str(folder))
        return load(folder, *given, **named)

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", counted)
    return read


def test_a_folder_is_read_once_until_its_files_change(toy_backbone, tmp_path, monkeypatch):
    folder = shutil.copytree(toy_backbone(), tmp_path / "model")
    read = count_reads(monkeypatch)
    first, second = (load_backbone(str(folder)).tokenizer for _ in range(2))
    assert len(read) == 1
    assert first is not second
    assert first.backend_tokenizer is second.backend_tokenizer
    first.model_max_length, first.pad_token = 7, "[UNK]"
    assert (second.model_max_length, second.pad_token) == (LIMIT, "[PAD]")
    changed = json.loads((folder / "tokenizer.json").read_text())
    changed["model"]["vocab"]["entirely"] = changed["model"]["vocab"].pop("film")
    (folder / "tokenizer.json").write_text(json.dumps(changed))
    assert "entirely" in load_backbone(str(folder)).tokenizer.get_vocab()


def test_many_fits_and_loads_read_two_tokenizers(toy_backbone, toy_reviews, tmp_path, monkeypatch):
    read = count_reads(monkeypatch)
    for length in range(10, 16):
        classifier = TextClassifier(toy_backbone(), max_length=length).fit(*toy_reviews(24))
    artifact.save(classifier.fitted_, tmp_path / "saved")
    for _ in range(6):
        TextClassifier.load(tmp_path / "saved")
    assert len(read) <= 2  # the backbone's and the artifact's
