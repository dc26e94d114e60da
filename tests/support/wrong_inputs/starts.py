"""Runs and saved classifiers that cannot be a backbone."""

from __future__ import annotations

from tests.support.breakage import Wrong, json_with, removed, signed, written

STARTS = [
    Wrong(
        "an unfinished run as the backbone",
        "fit --backbone run",
        json_with("run/record.json", status="failed"),
    ),
    Wrong(
        "a run with a truncated record as the backbone",
        "fit --backbone run",
        written("run/record.json", '{"status": "finished",'),
    ),
    Wrong(
        "a run whose record has an unknown status as the backbone",
        "fit --backbone run",
        json_with("run/record.json", status="done"),
    ),
    Wrong(
        "a run without weights as the backbone",
        "fit --backbone run",
        removed("run/model/model.safetensors"),
    ),
    Wrong(
        "a run without labels",
        "fit --backbone run/model",
        json_with("run/model/thawline.json", labels=None),
    ),
    Wrong(
        "a backbone of a later format",
        "fit --backbone run",
        json_with("run/model/thawline.json", format=9),
    ),
    Wrong(
        "a backbone of adapters whose base no longer exists",
        "fit --backbone run",
        signed(
            json_with(
                "run/model/thawline.json",
                strategy="lora",
                adapter={"base": "./gone", "base_sha256": "0" * 64, "head_dropout": 0.1},
            )
        ),
    ),
]
