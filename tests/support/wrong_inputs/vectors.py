"""Wrong input about word vectors."""

from __future__ import annotations

from tests.support.breakage import Wrong, written

FIT_VECTORS = [
    Wrong("vectors that do not exist", "fit --backbone glove --vectors glove.6B.51d"),
    Wrong("a folder in place of vectors", "fit --backbone glove --vectors reviews"),
    Wrong(
        "a number of heads that does not divide the width",
        "fit --backbone glove --vectors random --set encoder.heads=3",
    ),
    Wrong(
        "adapters on a backbone without a folder",
        "fit --backbone glove --vectors random --strategy lora",
        noted=1,
    ),
]

VECTORS = [
    Wrong("no data", "vectors --out v.txt"),
    Wrong("no file to write", "vectors --data reviews"),
    Wrong("a file that exists", "vectors --data reviews --out v.txt", written("v.txt", "a 1\n")),
    Wrong("a compressed output file", "vectors --data reviews --out v.txt.gz"),
    Wrong("an unknown method", "vectors --data reviews --out v.txt --method glove"),
    Wrong(
        "words that are too rare",
        "vectors --data t.csv --out v.txt",
        written("t.csv", "text\none word\n"),
    ),
]
