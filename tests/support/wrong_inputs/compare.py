"""Wrong input of ``compare``."""

from __future__ import annotations

from tests.support.breakage import Wrong, written

COMPARE = [
    Wrong("no data", "compare"),
    Wrong("data as an option", "compare --data reviews.csv"),
    Wrong(
        "data on the command line and in the file",
        "compare reviews --config c.toml",
        written("c.toml", '[fit.data]\ndata = "reviews"\n'),
    ),
    Wrong("a strategy twice", "compare reviews -s head -s head"),
    Wrong("a strategy with a typo", "compare reviews -s head -s lsat:1"),
    Wrong("a strategy with an open quotation mark", "compare reviews -s 'head \"'"),
    Wrong("a strategy with its own rows", "compare reviews -s 'full data.limit=9'"),
    Wrong("a backbone twice", "compare reviews --backbone bert --backbone bert"),
    Wrong("a budget that is no time", "compare reviews --budget soon"),
    Wrong("no seeds", "compare reviews --seeds 0"),
    Wrong("draws of all rows", "compare reviews --draws 2"),
    Wrong("no draws", "compare reviews --draws 0"),
    Wrong("no rows", "compare reviews --sizes 0"),
    Wrong("a setting without its value", "compare reviews --set seeds"),
    Wrong(
        "SGD without a rate",
        "compare reviews -s full --backbone bert --set fit.training.optimizer=sgd",
    ),
    Wrong(
        "a rate of Muon for AdamW",
        "compare reviews -s head --backbone bert --epochs 2 --set fit.training.muon_lr=0.1",
    ),
    Wrong("a margin of 0", "compare reviews --margin 0"),
    Wrong("an unknown cost", "compare reviews --cost euros"),
    Wrong("the folder of a run", "compare reviews -s head --out run"),
]
