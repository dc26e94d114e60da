"""A tokenizer without any token that can serve for padding gets one, and the embeddings a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from tests.support.command_line import ProverHere, write_set
from tests.support.toys import DEPTH, LIMIT, WIDTH, WORDS, toy_config
from thawline import TextClassifier, artifact
from thawline.backbones import families
from thawline.backbones.loading import load_backbone
from thawline.backbones.tokenizer import PAD
from thawline.config import (
    ArtifactConfig,
    ComputeConfig,
    Config,
    DataConfig,
    HeadConfig,
    TrainingConfig,
)
from thawline.inference.predictor import Predictor
from thawline.jobs.fit import fit_run
from thawline.runtime.progress import Reporter

GPT2 = families.Family(
    ("wte", "wpe"),
    "h",
    final=("ln_f",),
    query="c_attn",
    attention_dropout="attn_pdrop",
    causal=True,
    native_pooling=lambda config: "last",
)
FP32 = ComputeConfig(dtype="float32")


def bare_tokenizer(**special: str):
    """Return a tokenizer of words that has no special tokens but the given ones."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [*WORDS, *special.values()]
    vocabulary = {word: i for i, word in enumerate(words)}
    rules = Tokenizer(models.WordLevel(vocabulary, unk_token=WORDS[0]))
    rules.normalizer = normalizers.Lowercase()
    rules.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=rules, model_max_length=LIMIT, **special)


def save_backbone(folder: Path, family: str, rows: int = len(WORDS), **special: str) -> Path:
    ends = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    if family == "gpt2":
        sizes = {"n_embd": WIDTH, "n_layer": DEPTH, "n_head": 4, "n_positions": LIMIT}
        config = AutoConfig.for_model("gpt2", **sizes, **ends)
    else:
        config = toy_config(family)
        for name, value in ends.items():
            setattr(config, name, value)
    config.vocab_size = rows
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    bare_tokenizer(**special).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def gpt2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(families.FAMILIES, "gpt2", GPT2)


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
def test_the_embeddings_grow_by_a_row_of_zeros(family, tmp_path):
    folder = save_backbone(tmp_path / "model", family)
    first, again = load_backbone(str(folder)), load_backbone(str(folder))
    assert first.tokenizer.pad_token == again.tokenizer.pad_token == PAD
    assert first.tokenizer.pad_token_id == len(WORDS)
    weight = first.stack.model.get_input_embeddings().weight
    assert weight.shape == (len(WORDS) + 1, WIDTH)
    assert not weight[-1].any()
    plain = AutoModel.from_pretrained(folder).get_input_embeddings().weight
    assert torch.equal(weight[:-1], plain)
    config = first.stack.model.config
    assert (config.vocab_size, config.pad_token_id) == (len(WORDS) + 1, len(WORDS))
    assert first.digest() == again.digest()


def test_a_spare_row_of_the_embeddings_is_used(tmp_path):
    backbone = load_backbone(str(save_backbone(tmp_path / "model", "llama", len(WORDS) + 5)))
    assert backbone.tokenizer.pad_token_id == len(WORDS)
    assert backbone.stack.model.get_input_embeddings().num_embeddings == len(WORDS) + 5


def test_an_end_token_serves_for_padding_as_in_gpt2(tmp_path):
    end = "<|endoftext|>"
    folder = save_backbone(tmp_path / "model", "gpt2", len(WORDS) + 1, eos_token=end)
    backbone = load_backbone(str(folder))
    assert backbone.tokenizer.pad_token == end
    assert backbone.stack.model.get_input_embeddings().num_embeddings == len(WORDS) + 1


FITS = [
    ("gpt2", "head", "linear", False),
    ("gpt2", "last:2", "linear", False),
    ("gpt2", "full", "native", False),
    ("gpt2", "lora:r=2", "linear", False),
    ("gpt2", "lora:r=2,dora=true", "native", True),
    ("llama", "lora:r=2", "linear", False),
    ("llama", "lora:r=2", "native", True),
    ("llama", "lp+last:1", "linear", False),
]


@pytest.mark.parametrize(("family", "strategy", "head", "merge"), FITS)
def test_the_artifact_has_the_token_and_the_row(
    family, strategy, head, merge, tmp_path, toy_reviews, monkeypatch
):
    monkeypatch.setattr(artifact, "Prover", ProverHere)
    folder = save_backbone(tmp_path / "model", family)
    parts = {"train": toy_reviews(60, 1), "test": toy_reviews(20, 2)}
    data = DataConfig(data=str(write_set(tmp_path / "reviews", parts)), labels=("neg", "pos"))
    epochs = TrainingConfig() if strategy == "head" else TrainingConfig(epochs=1)
    config = Config(
        str(folder),
        strategy,
        data=data,
        compute=FP32,
        head=HeadConfig(head=head),
        training=epochs,
        artifact=ArtifactConfig(merge=merge),
    )
    record = fit_run(config, Path("run"), Reporter())
    assert record.proof.difference < 1e-5
    loaded = artifact.load(Path("run") / artifact.FOLDER)
    assert loaded.tokenizer.pad_token == PAD
    assert loaded.model.base_model.get_input_embeddings().num_embeddings == len(WORDS) + 1
    # Padding changes nothing: a batch of a short and a long text equals each text alone.
    predictor = Predictor(loaded, FP32, use_store=False)
    texts = ["good", " ".join(WORDS[:30])]
    alone = np.concatenate([predictor.logits([text]) for text in texts])
    np.testing.assert_allclose(predictor.logits(texts), alone, atol=1e-5)
    if head == "native":
        own = AutoModelForSequenceClassification.from_pretrained("run/model").eval()
        tokenizer = AutoTokenizer.from_pretrained("run/model")
        inputs = tokenizer(texts, padding=True, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        with torch.inference_mode():
            logits = own(**inputs).logits.numpy()
        np.testing.assert_allclose(logits, alone, atol=1e-5)


@pytest.mark.e2e
def test_adapters_are_loaded_in_a_fresh_process(tmp_path, toy_reviews):
    folder = save_backbone(tmp_path / "model", "llama")
    classifier = TextClassifier(folder, "lora:r=2", epochs=1, dtype="float32")
    classifier.fit(*toy_reviews(40)).save(tmp_path / "saved")  # which loads it in a fresh process
    again = TextClassifier.load(tmp_path / "saved")
    texts, _ = toy_reviews(10, 3)
    np.testing.assert_allclose(
        again.predict_proba(texts), classifier.predict_proba(texts), atol=1e-5
    )
