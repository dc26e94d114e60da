"""Folders of models from a stranger: each is refused with an error that names file and key."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, pre_tokenizers
from transformers import AutoConfig, AutoModel

from tests.support.toys import FAMILIES, save_writer, toy_config, toy_tokenizer
from thawline.backbones import families
from thawline.backbones.language import load_language_model
from thawline.backbones.loading import load_backbone
from thawline.backbones.untrusted import check_model_files
from thawline.backbones.untrusted.regex import is_bounded, known_patterns
from thawline.backbones.untrusted.trie import is_table
from thawline.data.tokens import tokenize
from thawline.errors import ThawlineError
from thawline.models.configuration import ThawlineConfig
from thawline.models.modeling import ThawlineForSequenceClassification
from thawline.pretraining import job
from thawline.runtime.untrusted import show_value

BIG = 1_000_000_000
DEEP = json.loads("[" * 200 + "]" * 200)


@pytest.fixture
def copied(toy_backbone, tmp_path) -> Callable[..., Path]:
    """Return a function that copies a toy backbone to a folder that the test may change."""

    def copy(family: str = "bert") -> Path:
        return Path(shutil.copytree(toy_backbone(family), tmp_path / "stranger"))

    return copy


def change(path: Path, key: str, value: Any) -> None:
    """Set a key of a JSON file, with dots between the levels."""
    values = inner = json.loads(path.read_text())
    *parents, last = key.split(".")
    for parent in parents:
        inner = inner[int(parent)] if isinstance(inner, list) else inner[parent]
    inner[int(last) if isinstance(inner, list) else last] = value
    path.write_text(json.dumps(values))


def refused(folder: Path, load: Callable[[str], object] = load_backbone) -> ThawlineError:
    with pytest.raises(ThawlineError) as caught:
        load(str(folder))
    error = caught.value
    assert "\n" not in str(error)
    assert len(str(error)) < 800
    return error


def test_the_toys_of_all_families_pass(toy_backbone):
    for family in FAMILIES:
        check_model_files(toy_backbone(family))


# What published models have, in shortened form

PUBLISHED: dict[str, dict[str, Any]] = {
    "distilbert": {
        "activation": "gelu", "architectures": ["DistilBertForMaskedLM"], "attention_dropout": 0.1,
        "dim": 768, "dropout": 0.1, "hidden_dim": 3072, "initializer_range": 0.02,
        "max_position_embeddings": 512, "n_heads": 12, "n_layers": 6, "pad_token_id": 0,
        "qa_dropout": 0.1, "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": False,
        "tie_weights_": True, "transformers_version": "4.10.0.dev0", "vocab_size": 30522,
    },
    "roberta": {
        "attention_probs_dropout_prob": 0.1, "bos_token_id": 0, "eos_token_id": 2,
        "finetuning_task": "sst2", "gradient_checkpointing": False, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1, "hidden_size": 768, "id2label": {"0": "no", "1": "yes"},
        "intermediate_size": 3072, "label2id": {"no": "0", "yes": 1}, "layer_norm_eps": 1e-05,
        "max_position_embeddings": 514, "num_attention_heads": 12, "num_hidden_layers": 12,
        "pad_token_id": 1, "position_embedding_type": "absolute", "problem_type": None,
        "torch_dtype": "float32", "type_vocab_size": 1, "use_cache": True, "vocab_size": 50265,
        "_num_labels": 2, "output_past": True, "pruned_heads": {}, "task_specific_params": {},
    },
    "xlm-roberta": {
        "attention_probs_dropout_prob": 0.1, "bos_token_id": 0, "eos_token_id": 2,
        "hidden_size": 768, "layer_norm_eps": 1e-05, "max_position_embeddings": 514,
        "num_hidden_layers": 12, "output_past": True, "type_vocab_size": 1, "vocab_size": 250002,
    },
    "modernbert": {
        "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 50281,
        "classifier_activation": "gelu", "classifier_bias": False, "classifier_dropout": 0.0,
        "classifier_pooling": "mean", "cls_token_id": 50281, "decoder_bias": True,
        "deterministic_flash_attn": False, "embedding_dropout": 0.0, "eos_token_id": 50282,
        "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0,
        "gradient_checkpointing": False, "hidden_activation": "gelu", "hidden_size": 768,
        "initializer_cutoff_factor": 2.0, "initializer_range": 0.02, "intermediate_size": 1152,
        "layer_norm_eps": 1e-05, "local_attention": 128, "local_rope_theta": 10000.0,
        "max_position_embeddings": 8192, "mlp_bias": False, "mlp_dropout": 0.0, "norm_bias": False,
        "norm_eps": 1e-05, "num_attention_heads": 12, "num_hidden_layers": 22,
        "pad_token_id": 50283, "position_embedding_type": "absolute", "sep_token_id": 50282,
        "tie_word_embeddings": True, "torch_dtype": "float32", "vocab_size": 50368,
        "reference_compile": None, "repad_logits_with_grad": False, "sparse_prediction": False,
    },
    "qwen3": {
        "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 151643,
        "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
        "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960,
        "max_window_layers": 28, "num_attention_heads": 16, "num_hidden_layers": 28,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": None,
        "rope_theta": 1000000, "sliding_window": None, "tie_word_embeddings": True,
        "torch_dtype": "bfloat16", "use_cache": True, "use_sliding_window": False,
        "vocab_size": 151936,
    },
    "llama": {
        "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 128000,
        "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_act": "silu",
        "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 131072,
        "mlp_bias": False, "num_attention_heads": 32, "num_hidden_layers": 16,
        "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3",
        },
        "rope_theta": 500000.0, "tie_word_embeddings": True, "vocab_size": 128256,
        "_name_or_path": "someone/llama", "_attn_implementation_autoset": True, "pad_token_id": -1,
    },
}  # fmt: skip

OLD_TOKENIZER_CONFIG = {
    "do_lower_case": True, "unk_token": "[UNK]", "never_split": None, "do_basic_tokenize": True,
    "special_tokens_map_file": "elsewhere/special_tokens_map.json", "strip_accents": None,
    "tokenizer_file": "elsewhere/0123.abcd", "tokenize_chinese_chars": True,
    "name_or_path": "someone/model", "tokenizer_class": "BertTokenizer", "sp_model_kwargs": {},
    "model_max_length": 1000000000000000019884624838656, "add_bos_token": True, "from_slow": True,
    "mask_token": {"__type": "AddedToken", "content": "[MASK]", "lstrip": True, "rstrip": False,
                   "single_word": False, "normalized": False},
    "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "errors": "replace",
    "added_tokens_decoder": {"3": {"content": "[MASK]", "lstrip": False, "special": True}},
    "chat_template": "{% for message in messages %}{% endfor %}", "backend": "tokenizers",
}  # fmt: skip


@pytest.mark.parametrize("family", PUBLISHED)
def test_the_configs_of_published_models_pass(tmp_path, family):
    values = PUBLISHED[family] | {"model_type": family}
    (tmp_path / "config.json").write_text(json.dumps(values))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(OLD_TOKENIZER_CONFIG))
    generation = {"do_sample": True, "temperature": 0.6, "top_k": 20, "eos_token_id": [1, 2]}
    (tmp_path / "generation_config.json").write_text(json.dumps(generation))
    check_model_files(tmp_path)


FAST = (
    r"\s+", r"\d{1,3}", r"\p{N}", r"[\r\n]", r"\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+", r"[一-龥ࠀ-一]+", r"\s+$",
    r" {2,}", r"(?i)<br\s*/?>", r"<(?=s>)|\[(?=SEP\])", r"'(?:s|t|re)|\p{L}+", r"[^\s\p{L}]+",
    r"\s{2,}|[\n\r\t]", r"\x{2581}+", r"[[a-c]&&[^b]]", r"a++", r"(?<=\d)\.(?=\d)",
)  # fmt: skip


@pytest.mark.parametrize("pattern", [*FAST, *sorted(known_patterns())])
def test_the_expressions_of_published_tokenizers_and_simple_ones_pass(pattern):
    assert is_bounded(pattern)
    Regex(pattern)  # tokenizers can compile it


# config.json

ANY_CONFIG = [
    ("auto_map", {"AutoConfig": "code.Config"}),
    ("auto_map", {"AutoModel": "someone/else--code.Model"}),
    ("quantization_config", {"quant_method": "bitsandbytes", "load_in_4bit": True}),
    ("quantization_config", {"quant_method": "gptq", "bits": 4}),
    ("quantization_config", "junk"),
    ("compression_config", {"format": "x"}),
    ("attn_implementation", "someone/kernel"),
    ("attn_implementation", "flash_attention_2"),
    ("_attn_implementation", "someone/kernel"),
    ("_attn_implementation_internal", "someone/kernel"),
    ("attn_implementation", {"": "someone/kernel"}),
    ("inner", {"deeper": {"attn_implementation": "someone/kernel"}}),
    ("inner", [{"quantization_config": {"quant_method": "gptq"}}]),
    ("experts_implementation", "someone/kernel"),
    ("transformers_weights", "pytorch_model.bin"),
    ("transformers_weights", "../other.safetensors"),
    ("fusion_config", {"a": 1}),
    ("per_layer_config", {"0": {"hidden_size": 1}}),
    ("save_pretrained", "x"),
    ("to_dict", "x"),
    ("attribute_map", {"a": "b"}),
    ("base_model_tp_plan", {"layers.*": "colwise"}),
    ("is_decoder", True),
    ("add_cross_attention", True),
    ("is_encoder_decoder", True),
    ("return_dict", False),
    ("use_return_dict", False),
    ("return_dict", 1),
    ("chunk_size_feed_forward", -1),
    ("pruned_heads", {"0": [0]}),
    ("dtype", "evil"),
    ("dtype", "nn"),
    ("torch_dtype", 5),
    ("dtype", ["float32"]),
    ("vocab_size", -1),
    ("vocab_size", 0),
    ("vocab_size", "55"),
    ("vocab_size", 55.5),
    ("vocab_size", True),
    ("vocab_size", 2**70),
    ("vocab_size", BIG),
    ("max_position_embeddings", 0),
    ("max_position_embeddings", -5),
    ("max_position_embeddings", "40"),
    ("pad_token_id", BIG),
    ("pad_token_id", -7),
    ("pad_token_id", "0"),
    ("pad_token_id", 55),
    ("eos_token_id", [BIG]),
    ("bos_token_id", 1.5),
    ("id2label", "x"),
    ("id2label", ["a"]),
    ("id2label", {"x": "a"}),
    ("id2label", {"0": 5}),
    ("id2label", {"-1": "a"}),
    ("label2id", {"a": "b"}),
    ("label2id", 5),
    ("num_labels", -2),
    ("num_labels", 10**12),
    ("problem_type", "evil"),
    ("tie_word_embeddings", "x"),
    ("architectures", "BertModel"),
    ("architectures", [5]),
    ("initializer_range", "x"),
    ("initializer_range", float("nan")),
    ("inner", float("inf")),
    ("inner", 10**30),
    ("inner", DEEP),
    ("tokenizer_class", "EvilTokenizer"),
    ("tokenizer_class", 5),
    ("model_type", 5),
    ("model_type", ["bert"]),
    ("model_type", "albert"),
    ("model_type", None),
]

FAMILY_CONFIG = [
    ("bert", "num_hidden_layers", 1_000_000),
    ("bert", "num_hidden_layers", 0),
    ("bert", "num_attention_heads", 0),
    ("bert", "num_attention_heads", 3),
    ("bert", "num_attention_heads", -4),
    ("bert", "hidden_size", -1),
    ("bert", "hidden_size", 33),
    ("bert", "intermediate_size", 2**40),
    ("bert", "type_vocab_size", 0),
    ("bert", "layer_norm_eps", "x"),
    ("bert", "layer_norm_eps", -1),
    ("bert", "layer_norm_eps", 0),
    ("bert", "hidden_dropout_prob", 2),
    ("bert", "attention_probs_dropout_prob", "x"),
    ("bert", "hidden_act", 5),
    ("bert", "hidden_act", "evil"),
    ("bert", "classifier_dropout", -1),
    ("distilbert", "n_layers", -1),
    ("distilbert", "n_heads", 0),
    ("distilbert", "dim", 31),
    ("distilbert", "activation", ["gelu"]),
    ("roberta", "num_hidden_layers", "4"),
    ("modernbert", "layer_types", ["evil"] * 4),
    ("modernbert", "local_attention", 0),
    ("modernbert", "rope_parameters", {"full_attention": {"rope_type": "evil"}}),
    ("modernbert", "norm_eps", float("nan")),
    ("qwen3", "head_dim", -1),
    ("qwen3", "head_dim", 0),
    ("qwen3", "head_dim", 7),
    ("qwen3", "head_dim", "8"),
    ("qwen3", "rms_norm_eps", "x"),
    ("qwen3", "rms_norm_eps", float("nan")),
    ("qwen3", "layer_types", ["evil"] * 4),
    ("qwen3", "layer_types", ["full_attention"] * 3),
    ("qwen3", "layer_types", "full_attention"),
    ("qwen3", "layer_types", [["full_attention"]] * 4),
    ("qwen3", "num_key_value_heads", 3),
    ("qwen3", "num_key_value_heads", 0),
    ("qwen3", "num_hidden_layers", 1_000_000),
    ("qwen3", "sliding_window", 0),
    ("qwen3", "use_cache", "x"),
    ("qwen3", "attention_bias", 1),
    ("qwen3", "rope_parameters", {"rope_type": "evil", "rope_theta": 1e4}),
    ("qwen3", "rope_parameters", {"rope_type": "default", "rope_theta": 0}),
    ("qwen3", "rope_parameters", {"rope_type": "default", "rope_theta": "x"}),
    ("qwen3", "rope_parameters", "x"),
    ("llama", "head_dim", -2),
    ("llama", "mlp_bias", "x"),
    ("llama", "rope_parameters", {"rope_type": "longrope", "long_factor": [1.0] * 5_000}),
    ("thawline-glove", "vector_size", -1),
    ("thawline-glove", "num_attention_heads", 0),
    ("thawline-glove", "dropout", 7),
    ("thawline-glove", "freeze_vectors", "x"),
    ("thawline-glove", "norm_first", 5),
]


@pytest.mark.parametrize(("key", "value"), ANY_CONFIG)
def test_a_hostile_value_in_a_config_is_refused(copied, key, value):
    path = copied("bert") / "config.json"
    change(path, key, value)
    message = str(refused(path.parent))
    if key == "model_type" and isinstance(value, str):
        assert value in message
    elif value != DEEP:
        assert str(path) in message or "weights" in message
        assert key in message or "weights" in message
    else:
        assert path.name in message


@pytest.mark.parametrize(("family", "key", "value"), FAMILY_CONFIG)
def test_a_hostile_value_of_a_family_is_refused(copied, family, key, value):
    path = copied(family) / "config.json"
    change(path, key, value)
    message = str(refused(path.parent))
    assert any(part in message for part in (key, str(value), "hidden_size", "tensors"))


@pytest.mark.parametrize("key", ["hidden_size", "intermediate_size", "vocab_size"])
@pytest.mark.parametrize("family", ["bert", "qwen3", "thawline-glove"])
def test_a_config_that_describes_a_huge_model_is_refused_before_it_is_built(
    copied, family, key, monkeypatch
):
    path = copied(family) / "config.json"
    change(path, key, 2**18)
    monkeypatch.setattr("thawline.backbones.loading.read_model", None)
    message = str(refused(path.parent))
    assert "262144" in message or "weights" in message


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"5", b'"x"', b"null", b"{", b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 100_000],
)
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_file_that_is_no_json_object_is_refused(copied, name, content):
    path = copied() / name
    path.write_bytes(content)
    assert name in refused(path.parent).found


# Models with a head of Thawline, and families of the user


@pytest.fixture(scope="module")
def own_model(tmp_path_factory) -> Path:
    """Return the folder of a complete model with a head of Thawline. Do not change it."""
    folder = tmp_path_factory.mktemp("own")
    config = ThawlineConfig(backbone=toy_config("qwen3").to_dict(), stages=(4,), num_labels=3)
    ThawlineForSequenceClassification(config).save_pretrained(folder)
    toy_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def own(own_model, tmp_path) -> Path:
    return Path(shutil.copytree(own_model, tmp_path / "stranger"))


def test_a_model_with_a_head_of_thawline_passes(own):
    check_model_files(own)
    assert load_backbone(str(own)).stack.depth == 4


OWN_CONFIG = [
    ("head", 5),
    ("head", "mlp:1000000000"),
    ("head", "evil"),
    ("head_dropout", 7),
    ("pooling", "evil"),
    ("stages", [-1]),
    ("stages", "x"),
    ("stages", ["a"]),
    ("dtype", "evil"),
    ("id2label", {"0": 5}),
    ("attn_implementation", "someone/kernel"),
    ("quantization_config", {"quant_method": "gptq"}),
    ("backbone", 5),
    ("backbone", {}),
    ("backbone", {"model_type": "thawline"}),
    *((f"backbone.{key}", value) for key, value in ANY_CONFIG if not key.startswith("model_type")),
]


@pytest.mark.parametrize(("key", "value"), OWN_CONFIG)
def test_a_hostile_config_of_an_own_model_is_refused(own, key, value):
    path = own / "config.json"
    change(path, key, value)
    with pytest.raises(ThawlineError) as caught:
        check_model_files(own)
    message = str(caught.value)
    known = (key.removeprefix("backbone."), str(value), "weights", "layers deep", path.name)
    assert any(part in message for part in known)


def test_a_family_that_the_user_registered_passes(tmp_path, monkeypatch):
    monkeypatch.setattr(families, "FAMILIES", dict(families.FAMILIES))
    electra = families.Family(("embeddings", "embeddings_project"), "encoder.layer")
    families.register_family("electra", electra)
    common = {"vocab_size": 55, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    config = AutoConfig.for_model("electra", num_attention_heads=4, embedding_size=16, **common)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    toy_tokenizer().save_pretrained(tmp_path)
    check_model_files(tmp_path)
    change(tmp_path / "config.json", "embedding_size", -1)
    assert "embedding_size" in str(refused(tmp_path))


# tokenizer.json


def regex(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def replace(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def template(**changes: Any) -> dict[str, Any]:
    token = {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}
    piece = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
    text, other = ({"Sequence": {"id": letter, "type_id": 0}} for letter in "AB")
    values = {
        "single": [piece, text],
        "pair": [piece, text, other],
        "special_tokens": {"[CLS]": token},
    }
    return {"type": "TemplateProcessing"} | values | changes


def bpe(**changes: Any) -> dict[str, Any]:
    vocabulary = {"[UNK]": 0, "a": 1, "aa": 2, "b": 3}
    return {"type": "BPE", "vocab": vocabulary, "merges": [["a", "a"]]} | changes


def table(replacement: bytes, units: Mapping[int, int] | None = None) -> str:
    """Return the table of a SentencePiece normalizer with one replacement."""
    trie = struct.pack("<256I", *((units or {}).get(place, 0) for place in range(256)))
    packed = struct.pack("<I", len(trie)) + trie + replacement + b"\0"
    return base64.b64encode(packed).decode()


def leaf(value: int) -> dict[int, int]:
    """Return the units of a trie with the entry ``a``, whose replacement starts at a position."""
    letter = ord("a")
    return {0: 1 << 10, 1 ^ letter: 2 << 10 | 1 << 8 | letter, 1 ^ letter ^ 2: 1 << 31 | value}


TOKENIZER = [
    ("version", "99"),
    ("version", 1),
    ("model", []),
    ("model.type", "Evil"),
    ("model.type", ["WordLevel"]),
    ("model.vocab", {"[UNK]": -1}),
    ("model.vocab", {"[UNK]": "0"}),
    ("model.vocab", {"[UNK]": 2**40}),
    ("model.vocab", {"[UNK]": 0, "a": 0}),
    ("model.vocab", {"[UNK]": 0, "a" * 2_000: 1}),
    ("model.vocab", "x"),
    ("model.vocab", [["a", float("nan")]]),
    ("model.vocab", [["a"]]),
    ("model.merges", [5]),
    ("model.merges", {"a": "b"}),
    ("model.dropout", 0.5),
    ("model.unk_token", "missing"),
    ("model.unk_token", 5),
    ("model.unk_id", -1),
    ("model.continuing_subword_prefix", "#" * 1_000),
    ("model.max_input_chars_per_word", 10**9),
    ("model.fuse_unk", "x"),
    # tokenizers panics on these merges
    ("model", bpe(merges=[["a", "b"]])),
    ("model", bpe(merges=[["a", "c"]])),
    ("model", bpe(merges=[["a"]])),
    ("model", bpe(merges=["a a a"])),
    ("model", bpe(continuing_subword_prefix="##")),
    ("added_tokens", {}),
    ("added_tokens", [5]),
    ("added_tokens", [{"id": 55, "content": "x"}]),
    ("added_tokens", [{"id": 5, "content": f"x{number}"} for number in range(56)]),
    ("normalizer", {"type": "Sequence", "normalizers": [{"type": "ByteLevel"}] * 9}),
    ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}] * 9}),
    ("added_tokens.0.id", -1),
    ("added_tokens.0.id", "0"),
    ("added_tokens.0.id", 2**40),
    ("added_tokens.0.content", ""),
    ("added_tokens.0.content", "a" * 5_000),
    ("added_tokens.0.special", "x"),
    ("added_tokens.0.colour", True),
    ("normalizer", {"type": "Evil"}),
    ("normalizer", []),
    ("normalizer", {"type": ["Lowercase"]}),
    ("normalizer", replace("a", "a" * 10**6)),
    ("normalizer", replace("", "a")),
    ("normalizer", {"type": "Sequence", "normalizers": [replace("a", "a" * 60)] * 12}),
    ("normalizer", {"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 1_000}),
    ("normalizer", {"type": "Sequence", "normalizers": 5}),
    ("normalizer", {"type": "Prepend", "prepend": "x" * 10**6}),
    ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "x"}),
    ("normalizer", {"type": "Precompiled", "precompiled_charsmap": table(b"x" * 100_000)}),
    (
        "normalizer",
        {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(b"\xff" * 5_000).decode()},
    ),
    # A replacement that is not UTF-8, and units or replacements outside of the table.
    ("normalizer", {"type": "Precompiled", "precompiled_charsmap": table(b"\xcc")}),
    ("normalizer", {"type": "Precompiled", "precompiled_charsmap": table(b"a", {0: 999 << 10})}),
    ("normalizer", {"type": "Precompiled", "precompiled_charsmap": table(b"a", leaf(9))}),
    ("normalizer", {"type": "Precompiled", "precompiled_charsmap": table("é".encode(), leaf(1))}),
    ("normalizer", {"type": "Replace", "pattern": {"Regex": "(a+)+b"}, "content": ""}),
    # Oniguruma reads these in the syntax of Ruby: a repeated repetition, a comment, a letter [.
    ("pre_tokenizer", regex("a{1,64}+$")),
    ("pre_tokenizer", regex("(?:a|aa){1}+$")),
    ("pre_tokenizer", regex("(?x)#[\n(a+)+$#]")),
    ("pre_tokenizer", regex("(?x:#[\n(a+)+$#]\n)")),
    ("pre_tokenizer", regex(r"\c[(a+)+$\c]")),
    ("pre_tokenizer", regex(r"\M-[(a+)+$\M-]")),
    ("pre_tokenizer", regex(r"\X\X\X+$")),
    ("pre_tokenizer", regex("a{,60}" * 4 + "$")),
    ("pre_tokenizer", regex("(?:a|a)" * 30 + "$")),
    ("pre_tokenizer", regex("(" * 900 + ")" * 900)),
    # A long text takes quadratic time.
    ("pre_tokenizer", regex("[^b]*b")),
    ("pre_tokenizer", regex("(?:[^b]*)(?:b)")),
    ("pre_tokenizer", regex("a(?=[^b]*)")),
    ("pre_tokenizer", regex("a{100000}")),
    ("pre_tokenizer", regex("(a+)+$")),
    ("pre_tokenizer", regex("(a|a)*b")),
    ("pre_tokenizer", regex("(a|aa)+$")),
    ("pre_tokenizer", regex("(?:x+x+)+y")),
    ("pre_tokenizer", regex("a*a*a*a*b")),
    ("pre_tokenizer", regex("a?" * 30 + "a" * 30)),
    ("pre_tokenizer", regex("(.*)\\1+b")),
    ("pre_tokenizer", regex("(a{1,30}){1,30}b")),
    ("pre_tokenizer", regex("(?<n>a\\g<n>?b)")),
    ("pre_tokenizer", regex("(")),
    ("pre_tokenizer", regex("a)")),
    ("pre_tokenizer", regex("[a")),
    ("pre_tokenizer", regex("")),
    ("pre_tokenizer", regex("*")),
    ("pre_tokenizer", regex("a" * 20_000)),
    ("pre_tokenizer", {"type": "Split", "pattern": 5, "behavior": "Isolated", "invert": False}),
    ("pre_tokenizer", regex(r"\s") | {"behavior": "Evil"}),
    ("pre_tokenizer", {"type": "Evil"}),
    ("pre_tokenizer", {"type": "Metaspace", "replacement": "ab", "prepend_scheme": "always"}),
    ("pre_tokenizer", {"type": "FixedLength", "length": 0}),
    ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [regex("(a+)+$")]}),
    ("post_processor", {"type": "Evil"}),
    ("post_processor", {"type": "BertProcessing", "sep": ["[SEP]", BIG], "cls": ["[CLS]", 2]}),
    ("post_processor", {"type": "BertProcessing", "sep": ["[SEP]", 55], "cls": ["[CLS]", 2]}),
    ("post_processor", {"type": "BertProcessing", "sep": [], "cls": ["[CLS]", 2]}),
    ("post_processor", template(single=[{"Sequence": {"id": "A", "type_id": 7}}])),
    ("post_processor", template(single=[{"Sequence": {"id": "A", "type_id": 0}}] * 100_000)),
    ("post_processor", template(single=[{"Sequence": {"id": "B", "type_id": 0}}])),
    ("post_processor", template(single=[{"Sequence": {"id": "A", "type_id": 0}}] * 2)),
    ("post_processor", template(pair=[{"Sequence": {"id": "A", "type_id": 0}}] * 2)),
    ("post_processor", {"type": "Sequence", "processors": [template(), template()]}),
    ("post_processor", template(single=[{"SpecialToken": {"id": "x", "type_id": 0}}])),
    ("post_processor", template(single=[{"Evil": {"id": "A", "type_id": 0}}])),
    (
        "post_processor",
        template(special_tokens={"[CLS]": {"id": "[CLS]", "ids": [BIG], "tokens": ["[CLS]"]}}),
    ),
    (
        "post_processor",
        template(special_tokens={"[CLS]": {"id": "", "ids": [2] * 10**5, "tokens": ["a"] * 10**5}}),
    ),
    ("decoder", {"type": "Evil"}),
    ("decoder", {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}),
    ("truncation", {"direction": "Up", "max_length": 5, "strategy": "LongestFirst", "stride": 0}),
    ("truncation", {"direction": "Left", "max_length": -5, "strategy": "OnlyFirst", "stride": 0}),
    ("truncation", {"direction": "Left", "max_length": 5, "strategy": "OnlyFirst", "stride": 99}),
    ("padding", {"strategy": {"Fixed": 10**9}, "pad_id": 0, "pad_type_id": 0, "pad_token": "a"}),
    ("padding", {"strategy": "BatchLongest", "pad_to_multiple_of": 10**9}),
    ("padding", {"strategy": "BatchLongest", "pad_id": BIG}),
]


@pytest.mark.parametrize(("key", "value"), TOKENIZER)
def test_a_hostile_tokenizer_is_refused(copied, key, value):
    path = copied() / "tokenizer.json"
    change(path, key, value)
    message = str(refused(path.parent))
    assert str(path) in message or f"'{path.parent}'" in message


def normalize(charsmap: str, text: str) -> str:
    part = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    model = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
    values = {"version": "1.0", "added_tokens": [], "normalizer": part, "model": model}
    return Tokenizer.from_str(json.dumps(values)).normalizer.normalize_str(text)


def test_a_table_of_sentencepiece_passes(copied):
    charsmap = table(b"\0xyz", leaf(1))
    assert normalize(charsmap, "bab") == "bxyzb"
    path = copied() / "tokenizer.json"
    change(path, "normalizer", {"type": "Precompiled", "precompiled_charsmap": charsmap})
    check_model_files(path.parent)


def test_no_table_that_passes_makes_tokenizers_panic():
    chance = random.Random(0)
    passed = 0
    for _ in range(300):
        content = bytearray(base64.b64decode(table("\0xé\0y".encode(), leaf(1))))
        for _ in range(chance.choice((1, 2, 5))):
            content[chance.randrange(4, len(content))] = chance.randrange(256)
        size = int.from_bytes(content[:4], "little")
        if is_table(content[4 : 4 + size], content[4 + size :]):
            passed += 1
            charsmap = base64.b64encode(content).decode()
            normalize(charsmap, "".join(map(chr, range(1, 256))))
    assert passed > 30


def test_a_text_that_a_tokenizer_cannot_read_is_an_error(toy_backbone):
    tokenizer = load_backbone(str(toy_backbone("bert"))).tokenizer
    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Split(Regex("(a+)+$"), "isolated")
    with pytest.raises(ThawlineError) as caught:
        tokenize(tokenizer, ["a" * 50 + "!"], max_length=9, truncation_side="right")
    assert "retry-limit" in caught.value.found


@pytest.mark.parametrize("key", ["post_processor", "normalizer", "pre_tokenizer", "decoder"])
def test_a_tokenizer_that_is_nested_too_deeply_is_refused(copied, key):
    path = copied() / "tokenizer.json"
    part: dict[str, Any] = {"type": "Sequence", "normalizers": []}
    for _ in range(5_000):
        part = {"type": "Sequence", "normalizers": [part]}
    values = json.loads(path.read_text())
    text = json.dumps(values | {key: "@"}).replace(
        '"@"', '{"type":"Sequence","normalizers":[' * 5_000 + "]}" * 5_000
    )
    path.write_text(text)
    assert path.name in refused(path.parent).found


def test_a_tokenizer_of_300_mb_is_refused_by_its_size(copied):
    path = copied() / "tokenizer.json"
    os.truncate(path, 300 * 2**20)
    assert "bytes" in refused(path.parent).found


TOKENIZER_CONFIG = [
    ("auto_map", {"AutoTokenizer": ["code.Slow", "code.Fast"]}),
    ("auto_map", ["code.Slow", None]),
    ("tokenizer_class", "BertJapaneseTokenizer"),
    ("tokenizer_class", "EvilTokenizer"),
    ("tokenizer_class", 5),
    ("tokenizer_class", ["BertTokenizer"]),
    ("gguf_file", "/etc/passwd"),
    ("vocab_file", "/dev/zero"),
    ("tokenizer_file", "/etc/passwd"),
    ("merges_file", 5),
    ("fast_tokenizer_files", ["tokenizer.99.json"]),
    ("init_inputs", ["/etc/passwd"]),
    ("tokenizer_object", "x"),
    ("model_max_length", -5),
    ("model_max_length", "40"),
    ("model_max_length", float("nan")),
    ("model_max_length", [40]),
    ("padding_side", "up"),
    ("truncation_side", "../.."),
    ("pad_token", 5),
    ("pad_token", ["[PAD]"]),
    ("pad_token", {"content": 5}),
    ("pad_token", "x" * 10_000),
    ("eos_token", {"content": "[SEP]", "lstrip": "x"}),
    ("extra_special_tokens", 5),
    ("extra_special_tokens", [5]),
    ("additional_special_tokens", ["x" * 5_000]),
    ("added_tokens_decoder", []),
    ("added_tokens_decoder", {"x": {"content": "a"}}),
    ("added_tokens_decoder", {"999999999999": {"content": "a"}}),
    ("added_tokens_decoder", {"0": "a"}),
    ("added_tokens_decoder", {"0": {"content": "[PAD]", "colour": True}}),
    ("pad_token", {"content": "[PAD]", "colour": True}),
    ("do_lower_case", "x"),
    ("split_special_tokens", "x"),
    ("clean_up_tokenization_spaces", 5),
]


@pytest.mark.parametrize(("key", "value"), TOKENIZER_CONFIG)
def test_a_hostile_tokenizer_config_is_refused(copied, key, value):
    path = copied() / "tokenizer_config.json"
    change(path, key, value)
    message = str(refused(path.parent))
    assert key in message or str(value) in message


@pytest.mark.parametrize("key", ["pad_token", "added_tokens_decoder"])
def test_no_library_prints_the_keys_of_a_token(copied, capfd, key):
    path = copied() / "tokenizer_config.json"
    token = {"content": "[PAD]", "\x1b[31m": True}
    change(path, key, token if key == "pad_token" else {"0": token})
    refused(path.parent)
    assert "\x1b" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("content", [{"pad_token": 5}, {"cls_token": {"content": ""}}, [], "x"])
def test_a_hostile_map_of_special_tokens_is_refused(copied, content):
    path = copied() / "special_tokens_map.json"
    path.write_text(json.dumps(content))
    assert path.name in str(refused(path.parent))


@pytest.mark.parametrize("content", [{"a": -1}, {"a": "x"}, {"a": 2**40}, []])
def test_hostile_added_tokens_are_refused(copied, content):
    path = copied() / "added_tokens.json"
    path.write_text(json.dumps(content))
    assert path.name in str(refused(path.parent))


# Weights


def test_an_index_may_only_name_safetensors_files_of_the_folder(copied, tmp_path):
    folder = copied()
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    save_file(weights, tmp_path / "outside.safetensors", metadata={"format": "pt"})
    index = folder / "model.safetensors.index.json"
    for name in (
        "pytorch_model.bin", "../outside.safetensors", str(tmp_path / "outside.safetensors"),
        "/etc/passwd", "sub/a.safetensors", "", 5, None, ["a.safetensors"], "a\x00.safetensors",
        "..\\outside.safetensors", "missing.safetensors",
    ):  # fmt: skip
        index.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(weights, name)}))
        error = refused(folder)
        assert index.name in error.expected
        assert show_value(name) in error.found or repr(name)[:20] in error.found
    for content in ({}, {"weight_map": []}, {"weight_map": 5}):
        index.write_text(json.dumps(content))
        assert "weight_map" in str(refused(folder))


def test_a_hostile_index_beside_complete_weights_is_refused_too(copied):
    folder = copied()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "pytorch_model.bin"}}))
    assert "'pytorch_model.bin'" in refused(folder).found


def test_sharded_weights_are_still_read(copied):
    folder = copied()
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    shards = {"a.safetensors": names[:9], "b.safetensors": names[9:]}
    for shard, part in shards.items():
        save_file({name: weights[name] for name in part}, folder / shard, metadata={"format": "pt"})
    where = {name: shard for shard, part in shards.items() for name in part}
    content = {"metadata": {"total_size": 1}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    assert load_backbone(str(folder)).stack.depth == 4


def safetensors_file(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


HEADERS = [
    safetensors_file(b"{}", length=2**62),
    safetensors_file(b"{}", length=2**30),
    safetensors_file(b"[]"),
    safetensors_file(b"{" * 10_000),
    safetensors_file(b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,999]}}', b"\0" * 16),
    safetensors_file(b'{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}', b"\0" * 16),
    safetensors_file(
        b'{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,16]}}',
        b"\0" * 16,
    ),
    safetensors_file(b'{"a":{"dtype":"EVIL","shape":[4],"data_offsets":[0,16]}}', b"\0" * 16),
    safetensors_file(b'{"a":{"dtype":"F8_E4M3","shape":[16],"data_offsets":[0,16]}}', b"\0" * 16),
    b"",
    b"\x80\x04N.",
]


@pytest.mark.parametrize("content", HEADERS)
def test_hostile_weights_are_refused(copied, content):
    folder = copied()
    (folder / "model.safetensors").write_bytes(content)
    assert f"'{folder}" in str(refused(folder))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_that_are_not_finite_are_refused(copied, family, value):
    folder = copied(family)
    weights = load_file(folder / "model.safetensors")
    name = sorted(weights)[-1]
    weights[name].view(-1)[0] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert name in refused(folder).found


@pytest.mark.parametrize(
    "values",
    [{"layer_types": ["sliding_attention"] * 4, "sliding_window": None}, {"is_causal": "x"}],
)
def test_a_config_that_only_fails_when_the_model_runs_is_refused(copied, values):
    folder = copied("qwen3")
    for key, value in values.items():
        change(folder / "config.json", key, value)
    check_model_files(folder)
    assert str(folder) in refused(folder, load_backbone).expected


def test_the_dtype_of_the_base_of_an_own_model_is_ignored(own):
    change(own / "config.json", "backbone.dtype", "bfloat16")
    assert load_backbone(str(own)).stack.model.dtype == torch.float32


def test_weights_that_are_much_larger_than_the_model_are_refused(copied):
    path = copied() / "model.safetensors"
    save_file(load_file(path) | {"evil": torch.zeros(5_000_000, dtype=torch.int8)}, path)
    assert "weights" in refused(path.parent).found


def test_a_model_that_does_not_fit_into_memory_is_refused(copied, monkeypatch):
    monkeypatch.setattr("thawline.backbones.untrusted.weights.available_memory_bytes", lambda: 1000)
    folder = copied()
    assert f"'{folder}'" in refused(folder).found


@pytest.mark.parametrize("limit", [1, 2])
def test_a_limit_without_space_for_a_token_is_refused(copied, limit):
    path = copied() / "tokenizer_config.json"
    change(path, "model_max_length", limit)
    backbone = load_backbone(str(path.parent))
    with pytest.raises(ThawlineError) as caught:
        backbone.resolve_max_length(None)
    assert f"{limit} tokens" in caught.value.found


# Files that are none

READ = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)


@pytest.mark.parametrize("name", READ)
def test_a_named_pipe_is_refused(copied, name):
    path = copied() / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    error = refused(path.parent)
    assert str(path) in error.found


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd", "../outside"])
def test_a_link_out_of_the_folder_is_refused(copied, name, target, tmp_path):
    (tmp_path / "outside").write_text("{}")
    path = copied() / name
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    assert name in refused(path.parent).found


@pytest.mark.parametrize("name", READ[:5])
def test_a_folder_in_place_of_a_file_is_refused(copied, name):
    path = copied() / name
    path.unlink(missing_ok=True)
    path.mkdir()
    assert str(path) in refused(path.parent).found


def test_a_socket_is_refused(copied):
    path = copied() / "vocab.txt"
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)  # the path of a socket may only be short
        server.bind(path.name)
        assert str(path) in refused(path.parent).found


def test_a_link_that_leads_to_itself_is_refused(copied):
    path = copied() / "tokenizer.json"
    path.unlink()
    path.symlink_to(path.name)
    assert "tokenizer.json" in str(refused(path.parent))


def test_links_to_the_blobs_of_the_hubs_cache_are_followed(copied, tmp_path):
    model = tmp_path / "models--someone--toy"
    (model / "blobs").mkdir(parents=True)
    (model / "snapshots").mkdir()
    snapshot = copied().rename(model / "snapshots" / "0123abcd")
    for number, path in enumerate(sorted(snapshot.iterdir())):
        path.rename(model / "blobs" / str(number))
        path.symlink_to(Path("../../blobs") / str(number))
    assert load_backbone(str(snapshot)).stack.depth == 4
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to("/etc/passwd")
    assert "config.json" in refused(snapshot).found


def test_a_link_to_a_whole_backbone_is_followed(copied, tmp_path):
    (tmp_path / "link").symlink_to(copied(), target_is_directory=True)
    assert load_backbone(str(tmp_path / "link")).stack.depth == 4


def test_an_adapter_beside_a_model_is_refused(copied):
    path = copied() / "adapter_config.json"
    path.write_text(json.dumps({"base_model_name_or_path": "..", "peft_type": "PROMPT_TUNING"}))
    assert path.name in refused(path.parent).found


# Language models

GENERATION = [
    ("eos_token_id", "x"),
    ("eos_token_id", BIG),
    ("eos_token_id", [1, "x"]),
    ("eos_token_id", {"a": 1}),
    ("pad_token_id", -5),
    ("bos_token_id", 1.5),
    ("compile_config", {"backend": "evil"}),
    ("watermarking_config", {"a": 1}),
    ("trust_remote_code", True),
    ("temperature", float("nan")),
    ("auto_map", {"a": "b"}),
]


@pytest.mark.parametrize(("key", "value"), GENERATION)
def test_a_hostile_generation_config_is_refused(tmp_path, key, value):
    save_writer(tmp_path)
    path = tmp_path / "generation_config.json"
    change(path, key, value)
    error = refused(tmp_path, load_language_model)
    assert str(path) in str(error)
    assert key in str(error)


@pytest.mark.parametrize(
    ("key", "value"), [("auto_map", {"AutoTokenizer": ["code.Slow", None]}), ("pad_token", 5)]
)
def test_the_tokenizer_of_a_pretraining_run_is_checked(tmp_path, key, value):
    toy_tokenizer().save_pretrained(tmp_path / job.TOKENIZER)
    assert job._load_tokenizer(tmp_path).is_fast
    change(tmp_path / job.TOKENIZER / "tokenizer_config.json", key, value)
    error = refused(tmp_path, lambda folder: job._load_tokenizer(Path(folder)))
    assert key in str(error)
