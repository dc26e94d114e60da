"""Wrong input of ``pretrain``."""

from __future__ import annotations

import json

from tests.support.breakage import Wrong, both, folder, table, written
from tests.support.records import PRETRAIN as FINISHED

STOPPED = FINISHED | {"status": "stopped", "config": {"corpus": {"data": ["reviews"]}}}
STOPPED.pop("schema_version")
"""The record of a pretraining of other texts that was stopped, of schema version 1."""

PRETRAIN = [
    Wrong("no texts", "pretrain"),
    Wrong("a path that does not exist", "pretrain --data no-such.csv"),
    Wrong("texts to exclude that do not exist", "pretrain --data reviews --without no-such.csv"),
    Wrong("an unknown text column", "pretrain --data reviews --text txet"),
    Wrong("only a test split", "pretrain --data tests", folder("tests", "test.csv")),
    Wrong("a single text", "pretrain --data one.csv", table("one.csv", ["a film"] * 3, [0, 1, 0])),
    Wrong("a vocabulary that is too small", "pretrain --data reviews --vocabulary 256"),
    Wrong(
        "a vocabulary that the texts cannot fill",
        "pretrain --data reviews --vocabulary 9000",
        noted=3,
    ),
    Wrong(
        "a step of more windows than the texts make",
        "pretrain --data reviews --vocabulary 300",
        noted=3,
    ),
    Wrong(
        "key-value heads that do not divide the heads",
        "pretrain --data reviews --set architecture.num_key_value_heads=3",
    ),
    Wrong("heads of an odd width", "pretrain --data reviews --set architecture.head_dim=33"),
    Wrong("a setting with a typo", "pretrain --data reviews --set training.windw=64"),
    Wrong("a setting of another command", "pretrain --data reviews --set tokens.max_length=64"),
    Wrong(
        "a rate of Muon for AdamW",
        "pretrain --data reviews --set training.optimizer=adamw --set training.muon_lr=0.1",
    ),
    Wrong(
        "patience without a best evaluation",
        "pretrain --data reviews --set training.keep=last --set training.patience=2",
    ),
    Wrong("an unknown optimiser", "pretrain --data reviews --set training.optimizer=sdg"),
    Wrong("SGD without a rate", "pretrain --data reviews --set training.optimizer=sgd"),
    Wrong("a window that is too short", "pretrain --data reviews --set training.window=4"),
    Wrong("half an epoch", "pretrain --data reviews --epochs 0.5"),
    Wrong("an unknown device", "pretrain --data reviews --device gpu"),
    Wrong("a folder that exists", "pretrain --data reviews --out run"),
    Wrong("a resumed run that is not named", "pretrain --resume"),
    Wrong("a resumed run of another command", "pretrain --resume --out run"),
    Wrong(
        "a resumed run with other settings",
        "pretrain --resume --out lm --epochs 9",
        written("lm/config.toml", "[corpus]\ndata = ['reviews']\n[training]\nepochs = 3\n"),
    ),
    Wrong(
        "a resumed run with other texts",
        "pretrain --resume --out lm",
        both(
            written("lm/config.toml", "[corpus]\ndata = ['reviews']\n"),
            written("lm/record.json", json.dumps(STOPPED)),
        ),
    ),
    Wrong("an option of another command", "pretrain --data reviews --head linear"),
]
