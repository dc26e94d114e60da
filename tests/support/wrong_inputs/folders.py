"""Backbones that `fit` cannot use, and places where it cannot make a run."""

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
    Wrong(
        "no such backbone",
        "fit --backbone minlm",
        "a backbone's folder, a packaged name (minilm, thawline/qwen3-mini) or a model on the hub",
        "'minlm', which is no folder here, not in the hub's cache, and not to be had (…)",
        "check the path, or the name and the network (did you mean 'minilm'?)",
    ),
    Wrong(
        "an empty name for a backbone",
        "fit --backbone ''",
        "a backbone's folder or name",
        "''",
        "give --backbone one of these (choose from minilm, thawline/qwen3-mini)",
    ),
    Wrong(
        "a file in place of a backbone's folder",
        "fit --backbone f",
        "a backbone's folder or name",
        "the file 'f'",
        "give the folder that holds config.json",
        written("f", "a file"),
    ),
    Wrong(
        "a model folder without its config",
        "fit",
        "a whole model (config.json, model.safetensors, tokenizer.json) in 'bert'",
        "no config.json",
        "save the model and its tokenizer there with save_pretrained",
        removed("bert/config.json"),
    ),
    Wrong(
        "a model folder without its weights",
        "fit",
        "a whole model (config.json, model.safetensors, tokenizer.json) in 'bert'",
        "no model.safetensors",
        "save the model and its tokenizer there with save_pretrained",
        removed("bert/model.safetensors"),
    ),
    Wrong(
        "a model folder with a pickle for weights",
        "fit",
        "a whole model (config.json, model.safetensors, tokenizer.json) in 'bert'",
        "no model.safetensors, only pytorch_model.bin, a pickle",
        "save the model and its tokenizer there with save_pretrained",
        renamed("bert/model.safetensors", "pytorch_model.bin"),
    ),
    Wrong(
        "a model folder without its tokenizer",
        "fit",
        "a whole model (config.json, model.safetensors, tokenizer.json) in 'bert'",
        "no tokenizer.json",
        "save the model and its tokenizer there with save_pretrained",
        removed("bert/tokenizer.json"),
    ),
    Wrong(
        "a config.json cut short",
        "fit",
        "a whole model (config.json, model.safetensors, tokenizer.json) in 'bert'",
        (
            "a damaged config.json (Expecting property name enclosed in double quotes: line "
            "1 column 23 (char 22))"
        ),
        "save the model and its tokenizer there with save_pretrained",
        written("bert/config.json", '{"model_type": "bert",'),
    ),
    Wrong(
        "a tokenizer cut short",
        "fit",
        "a whole model (config.json, model.safetensors, tokenizer.json) in 'bert'",
        (
            "a damaged tokenizer.json (Expecting property name enclosed in double quotes: "
            "line 1 column 19 (char 18))"
        ),
        "save the model and its tokenizer there with save_pretrained",
        written("bert/tokenizer.json", '{"version": "1.0",'),
    ),
    Wrong(
        "weights cut short",
        "fit",
        "a whole model (config.json, model.safetensors, tokenizer.json) in 'bert'",
        (
            "damaged weights (Error while deserializing header: incomplete metadata, file "
            "not fully covered)"
        ),
        "save the model and its tokenizer there with save_pretrained",
        cut_short("bert/model.safetensors"),
    ),
    Wrong(
        "weights that stand for others (Git LFS)",
        "fit",
        "a whole model (config.json, model.safetensors, tokenizer.json) in 'bert'",
        "damaged weights (Error while deserializing header: header too large)",
        "save the model and its tokenizer there with save_pretrained",
        written("bert/model.safetensors", "version https://git-lfs.github.com/spec/v1\n"),
    ),
    Wrong(
        "a weight missing",
        "fit",
        "all weights of 'bert'",
        "1 missing, encoder.layer.2.attention.self.query.weight the first",
        "use the checkpoint that belongs to this config.json",
        weights("bert/model.safetensors", QUERY, lambda query: None),
    ),
    Wrong(
        "a weight of another shape",
        "fit",
        "the weights of 'bert' in the shapes that its config.json asks for",
        "encoder.layer.2.attention.self.query.weight of shape (16, 32) in place of (32, 32)",
        "use the checkpoint that belongs to this config.json",
        weights("bert/model.safetensors", QUERY, lambda query: query[:16]),
    ),
    Wrong(
        "a weight that is not a number",
        "fit",
        "finite weights in 'bert'",
        "nan or infinity in encoder.layer.2.attention.self.query.weight",
        "fetch the model again",
        weights("bert/model.safetensors", QUERY, lambda query: query * float("nan")),
    ),
    Wrong(
        "more blocks in the config than in the weights",
        "fit",
        "all weights of 'bert'",
        "16 missing, encoder.layer.4.attention.output.LayerNorm.bias the first",
        "use the checkpoint that belongs to this config.json",
        json_with("bert/config.json", num_hidden_layers=5),
    ),
    Wrong(
        "a backbone of no blocks",
        "fit",
        "a backbone of at least one block",
        "one of none",
        "use one whose config.json counts its blocks",
        json_with("bert/config.json", num_hidden_layers=0),
    ),
    Wrong(
        "a family that Thawline does not know",
        "fit",
        (
            "a backbone of a known family (bert, distilbert, llama, modernbert, qwen3, "
            "roberta, thawline-glove, xlm-roberta)"
        ),
        "model type 'gpt2'",
        (
            "call thawline.backbones.register_family with the paths of its embeddings, its "
            "list of blocks and its final norm"
        ),
        json_with("bert/config.json", model_type="gpt2"),
    ),
    Wrong(
        "a model that brings its own code",
        "fit",
        "a whole model (config.json, model.safetensors, tokenizer.json) in 'bert'",
        "one that brings code of its own, which is never run",
        "save the model and its tokenizer there with save_pretrained",
        json_with("bert/config.json", model_type="own", auto_map={"AutoConfig": "own.Own"}),
    ),
    Wrong(
        "a tokenizer with more ids than embeddings",
        "fit",
        "a tokenizer with at most 55 ids, the rows of the embeddings of 'bert'",
        "57 ids",
        "use the tokenizer that belongs to this model",
        word_with_id("bert/tokenizer.json", {"popcorn": 55, "usher": 56}),
    ),
    Wrong(
        "a tokenizer with an id above the embeddings",
        "fit",
        "ids below 55, the rows of the embeddings of 'bert', in its tokenizer",
        "1000 for 'film'",
        "use the tokenizer that belongs to this model",
        word_with_id("bert/tokenizer.json", {"film": 1000}),
    ),
    Wrong(
        "a run folder that exists",
        "fit --out run",
        "a new folder for the run",
        "'run', which exists",
        "choose another --out or remove it",
    ),
    Wrong(
        "a file in place of the run's folder",
        "fit --out f",
        "a folder for the run",
        "the file 'f'",
        "choose another --out",
        written("f", "a file"),
    ),
    Wrong(
        "a run's folder below a file",
        "fit --out f/run",
        "a folder for the run",
        "'f/run' below the file 'f'",
        "choose another --out",
        written("f", "a file"),
    ),
    Wrong(
        "a run's folder that is a link to nothing",
        "fit --out l",
        "a folder for the run",
        "'l', a link that leads nowhere",
        "choose another --out or remove it",
        linked("l", "gone"),
    ),
    Wrong(
        "a name that is too long",
        "fit --out " + "x" * 300,
        "files that can be read and written",
        "File name too long ('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…')",
        "give a shorter name",
    ),
    Wrong(
        "a file that may not be read",
        "fit --data t.csv",
        "a file that can be read (t.csv)",
        "Permission denied",
        "check that it is there and that you may read it",
        both(table("t.csv"), forbidden("t.csv")),
        unprivileged=True,
    ),
    Wrong(
        "a folder that may not be read",
        "fit",
        "a file that can be read (reviews)",
        "Permission denied",
        "check that it is there and that you may read it",
        forbidden("reviews"),
        unprivileged=True,
    ),
    Wrong(
        "a backbone that may not be read",
        "fit",
        "a file that can be read (bert/model.safetensors)",
        "Permission denied",
        "give yourself the right to read it",
        forbidden("bert/model.safetensors"),
        unprivileged=True,
    ),
    Wrong(
        "a place for the run that may not be written",
        "fit --out shut/run",
        "a folder that can be written",
        "no permission in 'shut'",
        "choose another --out",
        both(folder("shut"), forbidden("shut", 0o555)),
        unprivileged=True,
    ),
    Wrong(
        "files that may not grow, as on a full disk",
        "fit --out full",
        "files that can be read and written",
        "File too large ('full/config.toml')",
        "free some disk, or choose a place on another one",
        largest_file=0,
    ),
    Wrong(
        "files that may not grow, as on a full disk, in mid-run",
        "fit --out full",
        "files that can be read and written",
        "File too large ('full/model')",
        "free some disk, or choose a place on another one",
        largest_file=20_000,
        leaves=("full", "full/config.toml", "full/record.json"),
    ),
]
