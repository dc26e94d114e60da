"""Wrong input of ``tune``."""

from __future__ import annotations

from tests.support.breakage import Wrong, database, written

TUNE = [
    Wrong("no data", "tune"),
    Wrong("a strategy twice", "tune reviews -s head -s head"),
    Wrong("a strategy with a typo", "tune reviews -s lsat"),
    Wrong("a strategy without settings to search", "tune reviews -s tfidf"),
    Wrong("a setting with a typo", "tune reviews --search leraning_rate=1e-4..1e-3"),
    Wrong("a setting without values", "tune reviews --search lr"),
    Wrong("an empty range", "tune reviews --search lr=1e-3..1e-4"),
    Wrong("a value out of its range", "tune reviews -s full --search lr=-1..1"),
    Wrong("a range of names", "tune reviews --search pooling=first..last"),
    Wrong("a range of heads", "tune reviews --search head=mlp:8..mlp:32"),
    Wrong("a searched list", "tune reviews --search exact.penalties=0.1,1"),
    Wrong("a logarithmic range from 0", "tune reviews --search weight_decay=0..1:log"),
    Wrong("a name that several settings share", "tune reviews -s lora --search dropout=0..0.5"),
    Wrong("the score as a searched setting", "tune reviews --search keep=loss,accuracy"),
    Wrong("the seed as a searched setting", "tune reviews --search seed=0,1"),
    Wrong("a setting searched twice", "tune reviews --search lr=1..2 --search training.lr=1..2"),
    Wrong(
        "a setting without an effect",
        "tune reviews --search head=linear --search lr=1e-3..1e-2 --backbone bert",
    ),
    Wrong(
        "a setting behind a strategy without an effect",
        "tune reviews -s 'full training.muon_lr=1' --backbone bert",
    ),
    Wrong("k above the depth", "tune reviews -s last --search k=1..5 --backbone bert"),
    Wrong(
        "a setting that is searched and fixed",
        "tune reviews --epochs 2 --search epochs=1..3 --backbone bert",
    ),
    Wrong(
        "SGD without rates",
        "tune reviews -s full --backbone bert --set fit.training.optimizer=sgd",
    ),
    Wrong("no trials", "tune reviews --trials 0"),
    Wrong("the folder of a run", "tune reviews --backbone bert --out run"),
    Wrong(
        "a damaged study",
        "tune reviews --backbone bert --out search",
        written("search/study.db", "no database" * 1_000),
    ),
    Wrong(
        "a database of another program",
        "tune reviews --backbone bert --out search",
        database("search/study.db", "notes"),
    ),
]
