"""Toy backbones of every family, a toy tokenizer, and a store and working folder for each test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

WORDS = [
    "a",
    "an",
    "the",
    "this",
    "that",
    "film",
    "movie",
    "plot",
    "cast",
    "scene",
    "story",
    "was",
    "is",
    "were",
    "and",
    "but",
    "not",
    "very",
    "so",
    "it",
    "good",
    "great",
    "warm",
    "funny",
    "lovely",
    "wonderful",
    "brilliant",
    "moving",
    "bad",
    "dull",
    "awful",
    "boring",
    "silly",
    "poor",
    "cheap",
    "weak",
    "slow",
    "loud",
    "long",
    "short",
    "old",
    "new",
    "best",
    "worst",
    "ever",
    "seen",
    "made",
    "me",
    "laugh",
    "cry",
    "sleep",
]
GOOD, BAD = WORDS[19:27], WORDS[27:36]
FAMILIES = ("bert", "roberta", "distilbert", "modernbert", "qwen3", "llama")
DEPTH, WIDTH, LIMIT = 4, 32, 40


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test an empty store and a working folder of its own."""
    monkeypatch.setenv("THAWLINE_HOME", str(tmp_path / "home"))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


def toy_tokenizer(*, causal: bool = False):
    """A word-level tokenizer with special tokens as the family has them; causal: no pad token."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if causal:
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[SEP]", model_max_length=LIMIT
        )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        model_max_length=LIMIT,
    )


def toy_config(family: str):
    """A config of a family: 4 blocks, 32 wide, 40 positions."""
    from transformers import AutoConfig

    common = {
        "vocab_size": len(WORDS) + 4,
        "hidden_size": WIDTH,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": LIMIT + 1 if family == "roberta" else LIMIT,
        "pad_token_id": 0,
    }
    if family == "distilbert":
        common = {
            "vocab_size": len(WORDS) + 4,
            "dim": WIDTH,
            "n_layers": DEPTH,
            "n_heads": 4,
            "hidden_dim": 64,
            "max_position_embeddings": LIMIT,
            "pad_token_id": 0,
        }
    if family == "modernbert":
        special = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
        common |= special | {"local_attention": 8, "global_attn_every_n_layers": 2}
    if family in ("qwen3", "llama"):
        common |= {"num_key_value_heads": 2, "head_dim": 8, "bos_token_id": 2, "eos_token_id": 3}
    return AutoConfig.for_model(family, **common)


@pytest.fixture(scope="session")
def toy_backbone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what gives the folder of a saved toy backbone of a family."""
    folders: dict[str, Path] = {}

    def make(family: str = "bert") -> Path:
        if family not in folders:
            import torch
            from transformers import AutoModel

            folder = tmp_path_factory.mktemp(family)
            torch.manual_seed(0)
            AutoModel.from_config(toy_config(family)).save_pretrained(folder)
            toy_tokenizer(causal=family in ("qwen3", "llama")).save_pretrained(folder)
            folders[family] = folder
        return folders[family]

    return make


def enlarge_head(head) -> None:
    """Enlarge a native head's weights: the toys' first tokens are so alike that logits are too."""
    import torch

    with torch.no_grad():
        for parameter in head.parameters():
            if parameter.requires_grad and parameter.dim() == 2:
                parameter.mul_(30)


@pytest.fixture(scope="session")
def trained_toy(
    toy_backbone: Callable[[str], Path],
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
    tmp_path_factory: pytest.TempPathFactory,
):
    """Return what gives a classifier of a family and a head, trained once; do not change it."""
    trained = {}

    def train(family: str = "bert", head: str = "linear"):
        if (family, head) not in trained:
            from thawline import TextClassifier

            settings = {"linear": {"features": "layers"}, "native": {"epochs": 2, "lr": 1e-2}}
            own = settings.get(head, {"features": "layers", "epochs": 2, "lr": 1e-2})
            classifier = TextClassifier(
                toy_backbone(family), head=head, dtype="float32", labels=("neg", "pos"), **own
            )
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("THAWLINE_HOME", str(tmp_path_factory.mktemp("trained")))
                trained[family, head] = classifier.fit(*toy_reviews(64))
            if head == "native":
                enlarge_head(classifier.fitted_.head_module())
        return trained[family, head]

    return train


@pytest.fixture(scope="session")
def toy_reviews() -> Callable[..., tuple[list[str], list[int]]]:
    """Return what makes texts of 3 to 60 words whose class shows in some of the words."""

    def make(rows: int, seed: int = 0) -> tuple[list[str], list[int]]:
        import numpy as np

        random = np.random.default_rng(seed)
        labels = (np.arange(rows) % 2).tolist()
        texts = []
        for row, label in enumerate(labels):
            words = random.choice(WORDS, size=random.integers(3, 60)).tolist()
            telling = random.choice(GOOD if label else BAD, size=max(1, len(words) // 3)).tolist()
            texts.append(" ".join([f"film {row}", *telling, *words]))
        return texts, labels

    return make
