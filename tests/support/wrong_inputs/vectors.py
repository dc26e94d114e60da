"""Wrong input that has to do with word vectors."""

from __future__ import annotations

from tests.support.breakage import Wrong, written

FIT_VECTORS = [
    Wrong(
        "vectors that are not there",
        "fit --backbone glove --vectors glove.6B.51d",
        "a file of word vectors, or one of glove.6B.50d, random",
        "'glove.6B.51d'",
        "check the path (did you mean 'glove.6B.50d'?)",
    ),
    Wrong(
        "a folder in place of vectors",
        "fit --backbone glove --vectors reviews",
        "a file of vectors",
        "the folder 'reviews'",
        "give a file in it",
    ),
    Wrong(
        "heads that do not share the width",
        "fit --backbone glove --vectors random --set encoder.heads=3",
        "encoder.width to be a multiple of encoder.heads",
        "128 and 3",
        "write --set encoder.width=129",
    ),
    Wrong(
        "adapters on a backbone that is in no folder",
        "fit --backbone glove --vectors random --strategy lora",
        "a backbone in a folder below adapters that are saved without it",
        "'glove', which is made for this fit",
        "add --merge, or use --strategy full",
        noted=1,
    ),
]

VECTORS = [
    Wrong(
        "no data",
        "vectors --out v.txt",
        "--data",
        "none",
        "add --data with a set's name, a file or a folder",
    ),
    Wrong(
        "no file to write",
        "vectors --data reviews",
        "--out",
        "none",
        "name the file of vectors with --out FILE",
    ),
    Wrong(
        "a file that is there",
        "vectors --data reviews --out v.txt",
        "a new file",
        "'v.txt', which exists",
        "choose another --out",
        written("v.txt", "a 1\n"),
    ),
    Wrong(
        "a file to be packed",
        "vectors --data reviews --out v.txt.gz",
        "--out as a plain file",
        "'v.txt.gz'",
        "name it vectors.txt",
    ),
    Wrong(
        "a method that there is not",
        "vectors --data reviews --out v.txt --method glove",
        "--method to be word2vec or fasttext",
        '"glove"',
        "choose from word2vec, fasttext",
    ),
    Wrong(
        "words that are too rare",
        "vectors --data t.csv --out v.txt",
        "a word that stands in the texts at least 5 times",
        "none in 1 texts",
        "add texts, or write --set min_count=1",
        written("t.csv", "text\none word\n"),
    ),
]
