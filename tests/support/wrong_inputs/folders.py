"""Backbones that `fit` cannot use, and folders where it cannot save a run."""

from __future__ import annotations

from tests.support.breakage import (
    Wrong,
    both,
    cut_short,
    folder,
    forbidden,
    json_with,
    linked,
    removed,
    renamed,
    table,
    weights,
    word_with_id,
    written,
)

QUERY = "encoder.layer.2.attention.self.query.weight"

FOLDERS = [
    Wrong("an unknown backbone", "fit --backbone minlm", hub=True),
    Wrong("an empty name for a backbone", "fit --backbone ''"),
    Wrong("a file in place of a backbone's folder", "fit --backbone f", written("f", "a file")),
    Wrong("a model folder without its config", "fit", removed("bert/config.json")),
    Wrong("a model folder without its weights", "fit", removed("bert/model.safetensors")),
    Wrong(
        "a model folder with a pickle for weights",
        "fit",
        renamed("bert/model.safetensors", "pytorch_model.bin"),
    ),
    Wrong(
        "a checkpoint of PyTorch in place of a backbone",
        "fit --backbone model.pth",
        written("model.pth", b"PK"),
    ),
    Wrong("a model folder without its tokenizer", "fit", removed("bert/tokenizer.json")),
    Wrong("a truncated config.json", "fit", written("bert/config.json", '{"model_type": "bert",')),
    Wrong("a truncated tokenizer", "fit", written("bert/tokenizer.json", '{"version": "1.0",')),
    Wrong("truncated weights", "fit", cut_short("bert/model.safetensors")),
    Wrong(
        "a Git LFS pointer in place of the weights",
        "fit",
        written("bert/model.safetensors", "version https://git-lfs.github.com/spec/v1\n"),
    ),
    Wrong("a missing weight", "fit", weights("bert/model.safetensors", QUERY, lambda query: None)),
    Wrong(
        "a weight of another shape",
        "fit",
        weights("bert/model.safetensors", QUERY, lambda query: query[:16]),
    ),
    Wrong(
        "a weight that is not a number",
        "fit",
        weights("bert/model.safetensors", QUERY, lambda query: query * float("nan")),
    ),
    Wrong(
        "more blocks in the config than in the weights",
        "fit",
        json_with("bert/config.json", num_hidden_layers=5),
    ),
    Wrong("a backbone of no blocks", "fit", json_with("bert/config.json", num_hidden_layers=0)),
    Wrong(
        "an unsupported model family",
        "fit",
        json_with("bert/config.json", model_type="gpt2"),
    ),
    Wrong(
        "a model that needs its own code",
        "fit",
        json_with("bert/config.json", model_type="own", auto_map={"AutoConfig": "own.Own"}),
    ),
    Wrong(
        "a tokenizer with more ids than embeddings",
        "fit",
        word_with_id("bert/tokenizer.json", {"popcorn": 55, "usher": 56}),
    ),
    Wrong(
        "a tokenizer with an id above the embeddings",
        "fit",
        word_with_id("bert/tokenizer.json", {"film": 1000}),
    ),
    Wrong(
        "a config that names code for attention",
        "fit",
        json_with("bert/config.json", attn_implementation="someone/kernel"),
    ),
    Wrong(
        "a quantised backbone",
        "fit",
        json_with("bert/config.json", quantization_config={"quant_method": "gptq", "bits": 4}),
    ),
    Wrong(
        "a config of a much larger model",
        "fit",
        json_with("bert/config.json", hidden_size=32_768, intermediate_size=131_072),
    ),
    Wrong(
        "an index of weights that names a pickle",
        "fit",
        written("bert/model.safetensors.index.json", '{"weight_map": {"a": "pytorch_model.bin"}}'),
    ),
    Wrong(
        "a link that leads out of a model folder",
        "fit",
        both(
            removed("bert/tokenizer.json"),
            linked("bert/tokenizer.json", "../qwen3/tokenizer.json"),
        ),
    ),
    Wrong("adapters beside a complete model", "fit", written("bert/adapter_config.json", "{}")),
    Wrong(
        "a regular expression that could take very long",
        "fit",
        json_with(
            "bert/tokenizer.json",
            pre_tokenizer={
                "type": "Split",
                "pattern": {"Regex": "(a+)+$"},
                "behavior": "Isolated",
                "invert": False,
            },
        ),
    ),
    Wrong(
        "a special token that the embeddings lack",
        "fit",
        json_with(
            "bert/tokenizer.json",
            post_processor={
                "type": "BertProcessing",
                "sep": ["[SEP]", 3],
                "cls": ["[CLS]", 1000],
            },
        ),
    ),
    Wrong("a run folder that exists", "fit --out run"),
    Wrong("a file in place of the run's folder", "fit --out f", written("f", "a file")),
    Wrong("a run's folder below a file", "fit --out f/run", written("f", "a file")),
    Wrong("a run's folder that is a broken link", "fit --out l", linked("l", "gone")),
    Wrong("a name that is too long", "fit --out " + "x" * 300),
    Wrong(
        "a file without read permission",
        "fit --data t.csv",
        both(table("t.csv"), forbidden("t.csv")),
        unprivileged=True,
    ),
    Wrong("a folder without read permission", "fit", forbidden("reviews"), unprivileged=True),
    Wrong(
        "a backbone without read permission",
        "fit",
        forbidden("bert/model.safetensors"),
        unprivileged=True,
    ),
    Wrong(
        "a place for the run without write permission",
        "fit --out shut/run",
        both(folder("shut"), forbidden("shut", 0o555)),
        unprivileged=True,
    ),
    Wrong("a full disk", "fit --out full", largest_file=0),
    Wrong(
        "a disk that is full during a run",
        "fit --out full",
        largest_file=20_000,
        leaves=("full", "full/config.toml", "full/record.json"),
    ),
]
