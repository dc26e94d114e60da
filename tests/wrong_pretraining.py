"""Wrong input of ``pretrain``."""

from __future__ import annotations

from tests.breakage import Wrong, both, folder, table, written

PRETRAIN = [
    Wrong(
        "no texts",
        "pretrain",
        "--data",
        "none",
        "add --data with a file, a folder or a set's name",
    ),
    Wrong(
        "a path that is not there",
        "pretrain --data no-such.csv",
        "a file or a folder",
        "no path named 'no-such.csv'",
        "check the path, or name a set "
        "(choose from imdb, ag_news, yelp_polarity, amazon_polarity, sst2, emotion, "
        "thawline/reviews)",
    ),
    Wrong(
        "texts to leave out that are not there",
        "pretrain --data reviews --without no-such.csv",
        "a file or a folder",
        "no path named 'no-such.csv'",
        "check the path, or name a set "
        "(choose from imdb, ag_news, yelp_polarity, amazon_polarity, sst2, emotion, "
        "thawline/reviews)",
    ),
    Wrong(
        "a text column that is not there",
        "pretrain --data reviews --text txet",
        "a column 'txet' for --text",
        "the columns text, label in reviews/train.csv",
        "name one of these; did you mean 'text'?",
    ),
    Wrong(
        "nothing but a test split",
        "pretrain --data tests",
        "at least 2 texts to learn from",
        "0",
        "add a source with --data, or raise corpus.limit",
        folder("tests", "test.csv"),
    ),
    Wrong(
        "a single text",
        "pretrain --data one.csv",
        "at least 2 texts to learn from",
        "1",
        "add a source with --data, or raise corpus.limit",
        table("one.csv", ["a film"] * 3, [0, 1, 0]),
    ),
    Wrong(
        "a vocabulary of too few tokens",
        "pretrain --data reviews --vocabulary 256",
        "--vocabulary to be a whole number from 300 to 131,072",
        "256",
        "mend it, or leave it out for 32768",
    ),
    Wrong(
        "a vocabulary that the texts cannot fill",
        "pretrain --data reviews --vocabulary 9000",
        "texts with enough repeated words for 9,000 tokens",
        "enough for 406",
        "give --vocabulary 406, or add texts",
        noted=3,
    ),
    Wrong(
        "a step of more windows than the texts make",
        "pretrain --data reviews --vocabulary 300",
        "texts for a step of 32 windows of 512 tokens",
        "2,820 tokens, enough for 4",
        "give a smaller --batch-size or training.window, or add texts",
        noted=3,
    ),
    Wrong(
        "key-value heads that do not divide the heads",
        "pretrain --data reviews --set architecture.num_key_value_heads=3",
        "architecture.num_key_value_heads to divide the 4 attention heads",
        "3",
        "give 1, or as many as there are attention heads",
    ),
    Wrong(
        "heads of an odd width",
        "pretrain --data reviews --set architecture.head_dim=33",
        "architecture.head_dim to be even, as rotary positions turn pairs",
        "33",
        "give an even one",
    ),
    Wrong(
        "a setting with a typing error",
        "pretrain --data reviews --set training.windw=64",
        "a setting that there is",
        "--set training.windw",
        "did you mean 'training.window'?",
    ),
    Wrong(
        "a setting of another verb",
        "pretrain --data reviews --set tokens.max_length=64",
        "a setting that there is",
        "--set tokens.max_length",
        "choose from seed, device, dtype, corpus, vocabulary, architecture, training",
    ),
    Wrong(
        "an optimiser that there is not",
        "pretrain --data reviews --set training.optimizer=sgd",
        "--set training.optimizer to be adamw or muon",
        '"sgd"',
        "choose from adamw, muon",
    ),
    Wrong(
        "a window of too few tokens",
        "pretrain --data reviews --set training.window=4",
        "--set training.window to be a whole number from 8 to 32,768",
        "4",
        "mend it, or leave it out for 512",
    ),
    Wrong(
        "half an epoch",
        "pretrain --data reviews --epochs 0.5",
        "--epochs to be a whole number from 1 to 2,147,483,647",
        "0.5",
        "mend it, or leave it out for 6",
    ),
    Wrong(
        "a device that there is not",
        "pretrain --data reviews --device gpu",
        "a device",
        "'gpu'",
        "did you mean 'cpu'?",
    ),
    Wrong(
        "a folder that is taken",
        "pretrain --data reviews --out run",
        "a new folder for the run",
        "'run', which exists",
        "choose another --out or remove it",
    ),
    Wrong(
        "a run to go on with that is not named",
        "pretrain --resume",
        "--out beside --resume",
        "--resume alone",
        "name the run with --out RUN",
    ),
    Wrong(
        "a run of fit to go on with",
        "pretrain --resume --out run",
        "a run of thawline pretrain at 'run'",
        "one of thawline fit",
        "choose another --out",
    ),
    Wrong(
        "other settings than those of the run to go on with",
        "pretrain --resume --out lm --epochs 9",
        "training.epochs as the run in 'lm' has it (3)",
        "9",
        "leave that out, or choose another --out",
        written("lm/config.toml", "[corpus]\ndata = ['reviews']\n[training]\nepochs = 3\n"),
    ),
    Wrong(
        "other texts than those of the run to go on with",
        "pretrain --resume --out lm",
        "the texts that the run in 'lm' was begun with",
        "other texts",
        "choose another --out, which starts a new run",
        both(
            written("lm/config.toml", "[corpus]\ndata = ['reviews']\n"),
            written("lm/record.json", '{"verb": "pretrain", "corpus": {"sha256": "0123"}}'),
        ),
    ),
    Wrong(
        "an option of another verb",
        "pretrain --data reviews --head linear",
        "an option of thawline pretrain",
        "--head",
        "did you mean '--seed'? see thawline pretrain --help",
    ),
]
