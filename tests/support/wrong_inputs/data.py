"""Sets that `fit` cannot read or cannot learn from."""

from __future__ import annotations

from tests.support.breakage import (
    TEXTS,
    Wrong,
    both,
    cut_short,
    folder,
    linked,
    packed,
    table,
    written,
    zipped,
)

DATA = [
    Wrong(
        "a set's name with a typing error",
        "fit --data imbd",
        "a path, or a set that the hub can give",
        "no path named 'imbd', no copy in the cache, no answer of the hub (…)",
        "check the network, or the path or hub id (did you mean 'imdb'?)",
    ),
    Wrong(
        "a path with a typing error",
        "fit --data no-such.csv",
        "a file or a folder",
        "no path named 'no-such.csv'",
        (
            "check the path, or name a set (choose from imdb, ag_news, yelp_polarity, "
            "amazon_polarity, sst2, emotion, thawline/reviews)"
        ),
    ),
    Wrong(
        "a file of another kind",
        "fit --data r.docx",
        (
            "a file that ends in .parquet, .csv, .tsv, .jsonl, .ndjson, .json, also with .gz "
            "or in a .zip"
        ),
        "r.docx",
        "convert it to one of these",
        written("r.docx", "a film"),
    ),
    Wrong(
        "an empty folder",
        "fit --data empty",
        (
            "a file train, validation or test in empty (.parquet, .csv, .tsv, .jsonl, "
            ".ndjson, .json), or a folder for each class"
        ),
        "no data file",
        "name the files train, validation and test, or give one file by its own path",
        folder("empty"),
    ),
    Wrong(
        "a folder with nothing to train on",
        "fit --data own",
        "a train split in own",
        "only test",
        "add a train split, or give one file by its own path",
        folder("own", "test.csv"),
    ),
    Wrong(
        "two files for one split",
        "fit",
        "one train split in reviews",
        "two (train.csv, train.jsonl)",
        "move one of them away",
        written("reviews/train.jsonl", "{}"),
    ),
    Wrong(
        "a shard missing",
        "fit --data own",
        "all 2 files of own/train-*-of-00002.parquet",
        "1, train-00001-of-00002.parquet missing",
        "fetch the others too, or give one file by its own path",
        folder("own", "train-00000-of-00002.parquet"),
    ),
    Wrong(
        "a link that leads nowhere",
        "fit --data l.csv",
        "a file or a folder",
        "no path named 'l.csv'",
        (
            "check the path, or name a set (choose from imdb, ag_news, yelp_polarity, "
            "amazon_polarity, sst2, emotion, thawline/reviews)"
        ),
        linked("l.csv", "gone.csv"),
    ),
    Wrong(
        "a Parquet file cut short",
        "fit --data t.parquet",
        "a whole Parquet file (t.parquet)",
        (
            "Parquet magic bytes not found in footer. Either the file is corrupted or this "
            "is not a parquet file."
        ),
        "mend the file or fetch it again",
        both(table("t.parquet"), cut_short("t.parquet")),
    ),
    Wrong(
        "a gzip file cut short",
        "fit --data t.csv.gz",
        "a whole packed file (t.csv.gz)",
        "Compressed file ended before the end-of-stream marker was reached",
        "mend the file or fetch it again",
        both(table("t.csv"), packed("t.csv.gz"), cut_short("t.csv.gz")),
    ),
    Wrong(
        "two files in a zip file",
        "fit --data t.zip",
        "one file of data (.parquet, .csv, .tsv, .jsonl, .ndjson, .json) in t.zip",
        "2 (a.csv, b.csv)",
        "unpack it and give the folder or one file",
        zipped("t.zip", "a.csv", "b.csv"),
    ),
    Wrong(
        "a file that is not UTF-8",
        "fit --data t.csv",
        "UTF-8 text in t.csv",
        "a byte that is none, at position 16",
        "save the file as UTF-8",
        written("t.csv", b"text,label\na caf\xe9,pos\n"),
    ),
    Wrong(
        "a row with a cell too many",
        "fit --data t.csv",
        "2 cells in every row, as in the first line (t.csv)",
        "3 in line 3",
        "mend the file or fetch it again",
        written("t.csv", "text,label\na film,pos\na dull, slow film,neg\n"),
    ),
    Wrong(
        "a quotation mark that does not end",
        "fit --data t.csv",
        "well-formed CSV (t.csv)",
        "line 3: unexpected end of data",
        "mend the file or fetch it again",
        written("t.csv", 'text,label\n"a film,pos\nb,neg\n'),
    ),
    Wrong(
        "a line that is no JSON",
        "fit --data t.jsonl",
        "a JSON object in every line (t.jsonl)",
        "line 2: Expecting property name enclosed in double quotes: line 2 column 1 (char 14)",
        "mend the file or fetch it again",
        written("t.jsonl", '{"text": "a", "label": 1}\n{"text": "b",\n'),
    ),
    Wrong(
        "lists in a text cell",
        "fit --data t.parquet",
        "a text in every row of t.parquet",
        "list ['a', 'film'] in row 0 (counting from 0)",
        "fill the cell, take the row out, or name another column with --text",
        table("t.parquet", [["a", "film"]] * 20),
    ),
    Wrong(
        "numbers in a text cell",
        "fit --data t.parquet",
        "a text in every row of t.parquet",
        "int 7 in row 0 (counting from 0)",
        "fill the cell, take the row out, or name another column with --text",
        table("t.parquet", [7] * 20),
    ),
    Wrong(
        "zero rows",
        "fit --data t.csv",
        "at least one row in t.csv",
        "none",
        "choose another file or split",
        written("t.csv", "text,label\n"),
    ),
    Wrong(
        "an empty file",
        "fit --data t.csv",
        "at least one row in t.csv",
        "none",
        "choose another file or split",
        written("t.csv", ""),
    ),
    Wrong(
        "no text column",
        "fit --data t.csv",
        (
            "a text column (text, sentence, review, content, comment, tweet, message, "
            "utterance, document, body)"
        ),
        "the columns label, stars in t.csv",
        "name the text column with --text; choose from label, stars",
        written("t.csv", "label,stars\n" + "pos,1\nneg,2\n" * 10),
    ),
    Wrong(
        "no such column",
        "fit --text txet",
        "a column 'txet' for --text",
        "the columns text, label in reviews/train.csv",
        "name one of these; did you mean 'text'?",
    ),
    Wrong(
        "an empty label column",
        "fit --data t.csv",
        "a label in the column 'label' of t.csv",
        "nothing in all of its 2 rows",
        "name another column with --label (text)",
        written("t.csv", "text,label\na,\nb,\n"),
    ),
    Wrong(
        "a label missing",
        "fit --data t.csv",
        "a label in every row of t.csv",
        "none in row 1 (counting from 0)",
        "fill the cell, take the row out, or name another column with --label",
        written("t.csv", "text,label\na,1\nb,\n"),
    ),
    Wrong(
        "a fraction for a label",
        "fit --data t.parquet",
        "a label in every row of t.parquet",
        "float 0.5 in row 0 (counting from 0)",
        "fill the cell, take the row out, or name another column with --label",
        table("t.parquet", TEXTS, [0.5, 1.5] * 10),
    ),
    Wrong(
        "numbers and words as labels",
        "fit --data t.jsonl",
        "labels of one kind",
        "both numbers (0) and strings (pos)",
        "write all labels in one way",
        written("t.jsonl", '{"text": "a", "label": "pos"}\n{"text": "b", "label": 0}\n'),
    ),
    Wrong(
        "one class only",
        "fit --data t.csv",
        "at least two classes in t.csv",
        "only pos",
        "add rows of another class, or name another column with --label",
        table("t.csv", TEXTS, ["pos"] * 20),
    ),
    Wrong(
        "a class in test that train lacks",
        "fit",
        "classes in test that train has (0, 1)",
        "'2' in row 0 (counting from 0) of reviews/test.csv",
        "take that class out, or train on rows of it (a higher --limit draws more)",
        table("reviews/test.csv", TEXTS, [2, 1] * 10),
    ),
]
