"""Runs and saved classifiers that `fit` cannot start from."""

from __future__ import annotations

from tests.support.breakage import Wrong, json_with, removed

STARTS = [
    Wrong(
        "a run that did not finish as the backbone",
        "fit --backbone run",
        "a backbone's folder or name",
        "'run', a run that did not finish",
        "thawline fit --resume --out run goes on with it",
        json_with("run/record.json", status="failed"),
    ),
    Wrong(
        "a run's model without its weights as the backbone",
        "fit --backbone run",
        "a whole saved classifier in 'run/model'",
        "no model.safetensors",
        "save it again, or run fit again",
        removed("run/model/model.safetensors"),
    ),
    Wrong(
        "a run's settings without its labels",
        "fit --backbone run/model",
        "a whole saved classifier in 'run/model'",
        "no 'labels' in thawline.json",
        "save it again, or run fit again",
        json_with("run/model/thawline.json", labels=None),
    ),
    Wrong(
        "a backbone out of a later format",
        "fit --backbone run",
        "a saved classifier of format 1",
        "format 9 in 'run/model'",
        "load it with the version of Thawline that saved it",
        json_with("run/model/thawline.json", format=9),
    ),
    Wrong(
        "adapters whose base is gone as the backbone",
        "fit --backbone run",
        "the backbone './gone', which the adapters in 'run/model' belong to",
        "'./gone', which is no folder here and cannot be a hub id",
        "put it there, or write where it is as the adapter's base in thawline.json",
        json_with(
            "run/model/thawline.json",
            adapter={"base": "./gone", "base_sha256": "0" * 64, "head_dropout": 0.1},
        ),
    ),
]
