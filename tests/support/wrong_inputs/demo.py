"""Demonstrations that cannot be run, and what they are told."""

from __future__ import annotations

from tests.support.breakage import Wrong

DEMO = [
    Wrong("one number of rows", "demo --limit 100"),
    Wrong("a setting that it does not have", "demo --set epochs=3"),
    Wrong("a seed below 0", "demo --seed=-1"),
    Wrong("a rung twice", 'demo --set \'rungs=["head", "head"]\''),
    Wrong("a rung on rows of its own", "demo --set 'rungs=[\"full data.limit=9\"]'"),
    Wrong(
        "a rung with a typing error",
        'demo --backbone bert --max-length 24 --set \'rungs=["head", "fulll"]\'',
    ),
    Wrong("more tokens than the backbone takes", "demo --backbone bert --max-length 300"),
    Wrong("a folder with something else in it", "demo --out reviews"),
]
