"""Runs and artifacts that `predict` and `evaluate` cannot use."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.breakage import (
    TEXTS,
    Wrong,
    cut_short,
    forbidden,
    json_with,
    removed,
    signed,
    table,
    word_with_id,
    written,
)


def of_pairs() -> None:
    """Let the classifier of the run say that it was trained on pairs of texts."""
    path = Path("run/model/thawline.json")
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["reading"]["pairs"] = True
    path.write_text(json.dumps(settings), encoding="utf-8")


PREDICT = [
    Wrong("no run", "predict"),
    Wrong("a run with a typo", "predict rnu text"),
    Wrong("a file in place of a run", "predict reviews/train.csv text"),
    Wrong(
        "a checkpoint of PyTorch in place of a run",
        "predict best.pt text",
        written("best.pt", b"PK"),
    ),
    Wrong("a folder that is not a run", "predict bert text"),
    Wrong("an unfinished run", "predict run text", removed("run/model")),
    Wrong("no text", "predict run"),
    Wrong("a text that is not Unicode", "predict run \udcff"),
    Wrong("an unknown dtype", "predict run text --dtype half"),
    Wrong("a text that starts with a minus", "predict run -5"),
    Wrong("the name of a data file as a text", "predict run reviews/test.csv"),
    Wrong("texts and a file of texts", "predict run text --data reviews/test.csv"),
    Wrong("a text column without a file", "predict run text --text review"),
    Wrong("an explanation of pairs", "predict run text --explain", signed(of_pairs)),
    Wrong("a file of texts that does not exist", "predict run --data no-such.csv"),
    Wrong("a folder of texts", "predict run --data reviews"),
    Wrong("a file without the named column", "predict run --data reviews/test.csv --text review"),
    Wrong(
        "a file without a text column",
        "predict run --data t.csv",
        written("t.csv", "id,stars\n1,2\n"),
    ),
    Wrong(
        "a text file and a column", "predict run --data t.txt --text text", written("t.txt", "a")
    ),
    Wrong(
        "an artifact without its weights",
        "predict run text",
        removed("run/model/model.safetensors"),
    ),
    Wrong(
        "an artifact without its tokenizer", "predict run text", removed("run/model/tokenizer.json")
    ),
    Wrong(
        "an artifact without the tokenizer's settings",
        "predict run text",
        removed("run/model/tokenizer_config.json"),
    ),
    Wrong(
        "an artifact with truncated weights",
        "predict run text",
        cut_short("run/model/model.safetensors"),
    ),
    Wrong(
        "an artifact with truncated settings",
        "predict run text",
        written("run/model/thawline.json", '{"format": 1,'),
    ),
    Wrong(
        "an artifact of a later format",
        "predict run text",
        json_with("run/model/thawline.json", format=9),
    ),
    Wrong(
        "an artifact with other labels in its config",
        "predict run text",
        signed(json_with("run/model/config.json", id2label={"0": "bad", "1": "good"})),
    ),
    Wrong(
        "an artifact whose head reads an unknown stage",
        "predict run text",
        signed(json_with("run/model/config.json", stages=[9])),
    ),
    Wrong(
        "an artifact with a file that has changed",
        "predict run text",
        json_with("run/model/config.json", pooling="first"),
    ),
    Wrong(
        "an artifact with an invalid setting",
        "predict run text",
        json_with("run/model/thawline.json", head=5),
    ),
    Wrong(
        "an artifact with settings that have changed",
        "predict run text",
        json_with("run/model/thawline.json", strategy="full"),
    ),
    Wrong(
        "an artifact with a file of another model",
        "predict run text",
        written("run/model/adapter_config.json", "{}"),
    ),
    Wrong(
        "an artifact whose ids exceed the embeddings",
        "predict run text",
        signed(word_with_id("run/model/tokenizer.json", {"film": 1000})),
    ),
    Wrong(
        "an artifact without read permission",
        "predict run text",
        forbidden("run/model/model.safetensors"),
        unprivileged=True,
    ),
]

EVALUATE = [
    Wrong("a run that does not exist", "evaluate nowhere"),
    Wrong("an artifact without its run", "evaluate run/model"),
    Wrong("a split with a typo", "evaluate run --split tset"),
    Wrong("a limit without data", "evaluate run --limit 5,5"),
    Wrong("a data set that does not exist", "evaluate run --data no-such.csv"),
    Wrong(
        "a truncated record", "evaluate run", written("run/record.json", '{"status": "finished",')
    ),
    Wrong("a record without its data", "evaluate run", json_with("run/record.json", data=None)),
    Wrong(
        "a record with an unknown status",
        "evaluate run",
        json_with("run/record.json", status="done"),
    ),
    Wrong(
        "a record that names no command",
        "evaluate run",
        json_with("run/record.json", verb=None),
    ),
    Wrong(
        "a record of a later schema version",
        "evaluate run",
        json_with("run/record.json", schema_version=9),
    ),
    Wrong(
        "a record with a key of another program",
        "evaluate run",
        json_with("run/record.json", result=0.9),
    ),
    Wrong("a data set that no longer exists", "evaluate run", removed("reviews")),
    Wrong(
        "a data set that has changed", "evaluate run", table("reviews/test.csv", TEXTS, [0, 1] * 10)
    ),
    Wrong(
        "classes that are unknown to the model",
        "evaluate run --data t.csv",
        table("t.csv", TEXTS, ["good", "bad"] * 10),
    ),
    Wrong("an option of another command", "evaluate run --epochs 3"),
]
