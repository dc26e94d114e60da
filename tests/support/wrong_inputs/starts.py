"""Runs and saved classifiers that `fit` cannot start from."""

from __future__ import annotations

from tests.support.breakage import Wrong, json_with, removed

STARTS = [
    Wrong(
        "a run that did not finish as the backbone",
        "fit --backbone run",
        json_with("run/record.json", status="failed"),
    ),
    Wrong(
        "a run's model without its weights as the backbone",
        "fit --backbone run",
        removed("run/model/model.safetensors"),
    ),
    Wrong(
        "a run's settings without its labels",
        "fit --backbone run/model",
        json_with("run/model/thawline.json", labels=None),
    ),
    Wrong(
        "a backbone out of a later format",
        "fit --backbone run",
        json_with("run/model/thawline.json", format=9),
    ),
    Wrong(
        "adapters whose base is gone as the backbone",
        "fit --backbone run",
        json_with(
            "run/model/thawline.json",
            adapter={"base": "./gone", "base_sha256": "0" * 64, "head_dropout": 0.1},
        ),
    ),
]
