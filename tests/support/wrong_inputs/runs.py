"""Runs and artifacts that `predict` and `evaluate` cannot use, and what they are told."""

from __future__ import annotations

from tests.support.breakage import (
    TEXTS,
    Wrong,
    cut_short,
    forbidden,
    json_with,
    removed,
    table,
    word_with_id,
    written,
)

PREDICT = [
    Wrong(
        "no run",
        "predict",
        "RUN after thawline predict",
        "nothing",
        "add it; see thawline predict --help",
    ),
    Wrong(
        "a run with a typing error",
        "predict rnu text",
        "a run or a saved classifier at 'rnu'",
        "no such folder",
        "give the folder that fit printed",
    ),
    Wrong(
        "a file in place of a run",
        "predict reviews/train.csv text",
        "a run or a saved classifier at 'reviews/train.csv'",
        "a file",
        "give the folder that fit printed",
    ),
    Wrong(
        "a folder that is no run",
        "predict bert text",
        "a run or a saved classifier at 'bert'",
        "no thawline.json in it or in its model/",
        "give the folder that fit printed",
    ),
    Wrong(
        "a run that did not finish",
        "predict run text",
        "a run or a saved classifier at 'run'",
        "a run that did not finish",
        "give the folder that fit printed",
        removed("run/model"),
    ),
    Wrong(
        "no text",
        "predict run",
        "at least one text",
        "none",
        'write thawline predict RUN "a text"',
    ),
    Wrong(
        "a text that is no Unicode",
        "predict run \udcff",
        "texts in UTF-8",
        "'utf-8' codec can't encode character '\\udcff' in position 0: surrogates not allowed",
        "convert them to UTF-8",
    ),
    Wrong(
        "a dtype that there is not",
        "predict run text --dtype half",
        "a dtype",
        "'half'",
        "choose from auto, float32, bfloat16",
    ),
    Wrong(
        "an artifact without its weights",
        "predict run text",
        "a whole saved classifier in 'run/model'",
        "no model.safetensors",
        "save it again, or run fit again",
        removed("run/model/model.safetensors"),
    ),
    Wrong(
        "an artifact without its tokenizer",
        "predict run text",
        "a whole saved classifier in 'run/model'",
        "no tokenizer.json",
        "save it again, or run fit again",
        removed("run/model/tokenizer.json"),
    ),
    Wrong(
        "an artifact without the tokenizer's settings",
        "predict run text",
        "a whole saved classifier in 'run/model'",
        "no tokenizer_config.json",
        "save it again, or run fit again",
        removed("run/model/tokenizer_config.json"),
    ),
    Wrong(
        "an artifact's weights cut short",
        "predict run text",
        "a whole saved classifier in 'run/model'",
        (
            "damaged weights (Error while deserializing header: incomplete metadata, file "
            "not fully covered)"
        ),
        "save it again, or run fit again",
        cut_short("run/model/model.safetensors"),
    ),
    Wrong(
        "an artifact's settings cut short",
        "predict run text",
        "a whole saved classifier in 'run/model'",
        (
            "a damaged thawline.json (Expecting property name enclosed in double quotes: "
            "line 1 column 14 (char 13))"
        ),
        "save it again, or run fit again",
        written("run/model/thawline.json", '{"format": 1,'),
    ),
    Wrong(
        "an artifact of a later format",
        "predict run text",
        "a saved classifier of format 1",
        "format 9 in 'run/model'",
        "load it with the version of Thawline that saved it",
        json_with("run/model/thawline.json", format=9),
    ),
    Wrong(
        "an artifact with other labels in its config",
        "predict run text",
        "the same labels in config.json and thawline.json of 'run/model'",
        "bad, good and neg, pos",
        "run fit again",
        json_with("run/model/config.json", id2label={"0": "bad", "1": "good"}),
    ),
    Wrong(
        "an artifact whose head reads a stage too many",
        "predict run text",
        "the same stages, from 0 to 4, in config.json and thawline.json of 'run/model'",
        "9 and 4",
        "run fit again",
        json_with("run/model/config.json", stages=[9]),
    ),
    Wrong(
        "an artifact whose ids exceed the embeddings",
        "predict run text",
        "ids below 55, the rows of the embeddings of 'run/model', in its tokenizer",
        "1000 for 'film'",
        "use the tokenizer that belongs to this model",
        word_with_id("run/model/tokenizer.json", {"film": 1000}),
    ),
    Wrong(
        "an artifact that may not be read",
        "predict run text",
        "a file that can be read (run/model/model.safetensors)",
        "Permission denied",
        "give yourself the right to read it",
        forbidden("run/model/model.safetensors"),
        unprivileged=True,
    ),
]

EVALUATE = [
    Wrong(
        "no such run",
        "evaluate nowhere",
        "a run or a saved classifier at 'nowhere'",
        "no such folder",
        "give the folder that fit printed",
    ),
    Wrong(
        "an artifact without its run",
        "evaluate run/model",
        "a run with its record.json at 'run/model'",
        "no record.json in it",
        "give a run's folder, or name a set with --data",
    ),
    Wrong(
        "a split with a typing error",
        "evaluate run --split tset",
        "a split",
        "'tset'",
        "did you mean 'test'?",
    ),
    Wrong(
        "rows limited without a set",
        "evaluate run --limit 5,5",
        "--data beside --small, --limit, --text or --label",
        "no --data, which means the run's own rows",
        "add --data, or leave the others out",
    ),
    Wrong(
        "no such set",
        "evaluate run --data no-such.csv",
        "a file or a folder",
        "no path named 'no-such.csv'",
        (
            "check the path, or name a set (choose from imdb, ag_news, yelp_polarity, "
            "amazon_polarity, sst2, emotion, thawline/reviews)"
        ),
    ),
    Wrong(
        "a record cut short",
        "evaluate run",
        "a run with its record.json at 'run'",
        (
            "a damaged one: Expecting property name enclosed in double quotes: line 1 column "
            "23 (char 22)"
        ),
        "give a run's folder, or name a set with --data",
        written("run/record.json", '{"status": "finished",'),
    ),
    Wrong(
        "a record without its data",
        "evaluate run",
        "a run with its record.json at 'run'",
        "no 'data' in it",
        "give a run's folder, or name a set with --data",
        json_with("run/record.json", data=None),
    ),
    Wrong(
        "a set that is gone",
        "evaluate run",
        "a file or a folder",
        "no path named 'reviews'",
        (
            "check the path, or name a set (choose from imdb, ag_news, yelp_polarity, "
            "amazon_polarity, sst2, emotion, thawline/reviews)"
        ),
        removed("reviews"),
    ),
    Wrong(
        "a set that has changed",
        "evaluate run",
        "the rows that the run in 'run' was made from",
        "other rows in 'reviews'",
        "name the set to evaluate on with --data",
        table("reviews/test.csv", TEXTS, [0, 1] * 10),
    ),
    Wrong(
        "classes that the model does not know",
        "evaluate run --data t.csv",
        "classes that the model knows (neg, pos)",
        "'good' in row 4 (counting from 0) of t.csv",
        "take that class out, or train on rows of it (a higher --limit draws more)",
        table("t.csv", TEXTS, ["good", "bad"] * 10),
    ),
    Wrong(
        "an option of another verb",
        "evaluate run --epochs 3",
        "an option of thawline evaluate",
        "--epochs",
        "see thawline evaluate --help",
    ),
]
