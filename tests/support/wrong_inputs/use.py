"""Wrong input of ``score``, ``serve`` and ``export``, which use saved classifiers."""

from __future__ import annotations

from tests.support.breakage import Wrong, written

SCORE = [
    Wrong("no output", "score run reviews/test.csv"),
    Wrong("a run with a typo", "score rnu reviews/test.csv out.csv"),
    Wrong("an input with a typo", "score run revies.csv out.csv"),
    Wrong("a pattern without files", "score run 'none/*.csv' out"),
    Wrong("an output that exists", "score run reviews/test.csv reviews/train.csv"),
    Wrong("an output of an unknown format", "score run reviews/test.csv out.xlsx"),
    Wrong("a file for several outputs", "score run reviews mine.txt", written("mine.txt", "a")),
    Wrong("an input of an unknown format", "score run mine.doc out.csv", written("mine.doc", "a")),
    Wrong("a column that does not exist", "score run reviews/test.csv out.csv --text body"),
    Wrong(
        "pairs for a classifier of single texts",
        "score run pairs.csv out.csv",
        written("pairs.csv", "premise,hypothesis\na,b\n"),
    ),
    Wrong(
        "a column with the name of a prediction",
        "score run t.csv out.csv",
        written("t.csv", "text,predicted_label\na,b\n"),
    ),
    Wrong("an empty file", "score run t.csv out.csv", written("t.csv", "")),
    Wrong("the same run twice", "score run run reviews/test.csv out.csv"),
    Wrong("a URL with an unknown protocol", "score run s4://bucket/reviews.csv out.csv"),
    Wrong("an output on a web server", "score run reviews/test.csv https://example.org/out.csv"),
    Wrong("standard input with Ray", "score run - out --ray"),
    Wrong("no classes", "score run reviews/test.csv out.csv --top 0"),
]

SERVE = [
    Wrong("no run", "serve"),
    Wrong("a run with a typo", "serve rnu"),
    Wrong("the same run twice", "serve run run"),
    Wrong("a port above 65535", "serve run --port 70000"),
    Wrong("runs that do not exist", "serve run --runs nowhere"),
    Wrong("an address of another machine", "serve run --host 192.0.2.1"),
]

PUSH = [
    Wrong("no repository", "push run"),
    Wrong("a repository without a user", "push run reviews --dry-run"),
    Wrong("an invalid name of a repository", "push run anna/my..reviews --dry-run"),
    Wrong("a run with a typo", "push rnu anna/reviews --dry-run"),
    Wrong("a folder with other files", "push run anna/reviews --dry-run --out reviews"),
]

EXPORT = [
    Wrong("no folder to write to", "export run"),
    Wrong("a run with a typo", "export rnu --out exported"),
    Wrong("an unknown format", "export run --to gguf --out exported"),
    Wrong("int8 for transformers", "export run --to transformers --int8 --out exported"),
    Wrong("a folder that exists", "export run --out reviews"),
    Wrong("a folder below a file", "export run --out mine.txt/new", written("mine.txt", "a")),
    Wrong("a head that the family cannot hold", "export run --to transformers --out exported"),
]
