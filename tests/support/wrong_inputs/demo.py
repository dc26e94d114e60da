"""Demonstrations that cannot be run, and what they are told."""

from __future__ import annotations

from tests.support.breakage import Wrong

DEMO = [
    Wrong(
        "one number of rows",
        "demo --limit 100",
        "--limit as two whole numbers, N,M",
        "'100'",
        "write --limit 4000,2000",
    ),
    Wrong(
        "a setting that it does not have",
        "demo --set epochs=3",
        "a setting that there is",
        "--set epochs",
        "choose from backbone, data, rungs, limit, validation_share, max_length, seed, device, "
        "texts",
    ),
    Wrong(
        "a seed below 0",
        "demo --seed=-1",
        "--seed to be a whole number from 0 to 4,294,967,295",
        "-1",
        "mend it, or leave it out for 0",
    ),
    Wrong(
        "a rung twice",
        'demo --set \'rungs=["head", "head"]\'',
        "each rung once",
        "'head', 'head'",
        "leave one of two alike out",
    ),
    Wrong(
        "a rung on rows of its own",
        "demo --set 'rungs=[\"full data.limit=9\"]'",
        "a rung as a strategy and then settings of its own, key=value, other than data, seed and "
        "strategy",
        "'data.limit=9' in 'full data.limit=9'",
        "write 'last:1 training.lr=1e-3', for one",
    ),
    Wrong(
        "a rung with a typing error",
        'demo --backbone bert --max-length 24 --set \'rungs=["head", "fulll"]\'',
        "a strategy (head, last:1, lora:r=4,alpha=32, full, gradual, lp+full)",
        "'fulll'",
        "did you mean 'full'?",
    ),
    Wrong(
        "more tokens than the backbone takes",
        "demo --backbone bert --max-length 300",
        "a --max-length from 4 to 40 tokens, the limits of bert",
        "300",
        "give --max-length 40 or leave it out",
    ),
    Wrong(
        "a folder with something else in it",
        "demo --out reviews",
        "a new folder for the run",
        "'reviews', which exists",
        "choose another --out or remove it",
    ),
]
