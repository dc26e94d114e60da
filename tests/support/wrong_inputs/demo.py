"""Wrong input of ``demo``."""

from __future__ import annotations

from tests.support.breakage import Wrong, written

DEMO = [
    Wrong("one number of rows", "demo --limit 100"),
    Wrong("a setting that it does not have", "demo --set epochs=3"),
    Wrong("a seed below 0", "demo --seed=-1"),
    Wrong("a rung twice", 'demo --set \'rungs=["head", "head"]\''),
    Wrong("a rung with its own rows", "demo --set 'rungs=[\"full data.limit=9\"]'"),
    Wrong(
        "a rung with a typo",
        'demo --backbone bert --max-length 24 --set \'rungs=["head", "fulll"]\'',
    ),
    Wrong("more tokens than the backbone can read", "demo --backbone bert --max-length 300"),
    Wrong("a folder with other files", "demo --out reviews"),
    Wrong("the folder of a run", "demo --out run"),
    Wrong(
        "a ladder.json of a later schema version",
        "demo --out old",
        written("old/ladder.json", '{"schema_version": 9}'),
    ),
    Wrong(
        "a ladder.json of an earlier schema version",
        "demo --out old",
        written("old/ladder.json", '{"schema_version": 2}'),
    ),
    Wrong("a single test text", "demo --limit 40,1 --backbone bert --max-length 24"),
]
