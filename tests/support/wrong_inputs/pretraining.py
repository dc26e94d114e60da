"""Wrong input of ``pretrain``."""

from __future__ import annotations

import json

from tests.support.breakage import Wrong, both, folder, table, written
from tests.support.records import PRETRAIN as FINISHED

STOPPED = FINISHED | {"status": "stopped"}
STOPPED.pop("schema_version")
"""The record of a pretraining of other texts that was stopped, of schema version 1."""

PRETRAIN = [
    Wrong("no texts", "pretrain"),
    Wrong("a path that is not there", "pretrain --data no-such.csv"),
    Wrong("texts to leave out that are not there", "pretrain --data reviews --without no-such.csv"),
    Wrong("a text column that is not there", "pretrain --data reviews --text txet"),
    Wrong("nothing but a test split", "pretrain --data tests", folder("tests", "test.csv")),
    Wrong("a single text", "pretrain --data one.csv", table("one.csv", ["a film"] * 3, [0, 1, 0])),
    Wrong("a vocabulary of too few tokens", "pretrain --data reviews --vocabulary 256"),
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
    Wrong("a setting with a typing error", "pretrain --data reviews --set training.windw=64"),
    Wrong("a setting of another verb", "pretrain --data reviews --set tokens.max_length=64"),
    Wrong("an optimiser that there is not", "pretrain --data reviews --set training.optimizer=sgd"),
    Wrong("a window of too few tokens", "pretrain --data reviews --set training.window=4"),
    Wrong("half an epoch", "pretrain --data reviews --epochs 0.5"),
    Wrong("a device that there is not", "pretrain --data reviews --device gpu"),
    Wrong("a folder that is taken", "pretrain --data reviews --out run"),
    Wrong("a run to go on with that is not named", "pretrain --resume"),
    Wrong("a run of fit to go on with", "pretrain --resume --out run"),
    Wrong(
        "other settings than those of the run to go on with",
        "pretrain --resume --out lm --epochs 9",
        written("lm/config.toml", "[corpus]\ndata = ['reviews']\n[training]\nepochs = 3\n"),
    ),
    Wrong(
        "other texts than those of the run to go on with",
        "pretrain --resume --out lm",
        both(
            written("lm/config.toml", "[corpus]\ndata = ['reviews']\n"),
            written("lm/record.json", json.dumps(STOPPED)),
        ),
    ),
    Wrong("an option of another verb", "pretrain --data reviews --head linear"),
]
