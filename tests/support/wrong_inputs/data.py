"""Data that `fit` cannot read or learn from."""

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
    Wrong("a data set's name with a typo", "fit --data imbd", hub=True),
    Wrong("a path with a typo", "fit --data no-such.csv"),
    Wrong("a file of an unsupported type", "fit --data r.docx", written("r.docx", "a film")),
    Wrong("an empty folder", "fit --data empty", folder("empty")),
    Wrong("a folder with nothing to train on", "fit --data own", folder("own", "test.csv")),
    Wrong("two files for one split", "fit", written("reviews/train.jsonl", "{}")),
    Wrong("a missing shard", "fit --data own", folder("own", "train-00000-of-00002.parquet")),
    Wrong("a broken link", "fit --data l.csv", linked("l.csv", "gone.csv")),
    Wrong(
        "a truncated Parquet file",
        "fit --data t.parquet",
        both(table("t.parquet"), cut_short("t.parquet")),
    ),
    Wrong(
        "a truncated gzip file",
        "fit --data t.csv.gz",
        both(table("t.csv"), packed("t.csv.gz"), cut_short("t.csv.gz")),
    ),
    Wrong("two files in a zip file", "fit --data t.zip", zipped("t.zip", "a.csv", "b.csv")),
    Wrong(
        "a file that is not UTF-8",
        "fit --data t.csv",
        written("t.csv", b"text,label\na caf\xe9,pos\n"),
    ),
    Wrong(
        "a row with too many cells",
        "fit --data t.csv",
        written("t.csv", "text,label\na film,pos\na dull, slow film,neg\n"),
    ),
    Wrong(
        "an unclosed quotation mark",
        "fit --data t.csv",
        written("t.csv", 'text,label\n"a film,pos\nb,neg\n'),
    ),
    Wrong(
        "a line that is not valid JSON",
        "fit --data t.jsonl",
        written("t.jsonl", '{"text": "a", "label": 1}\n{"text": "b",\n'),
    ),
    Wrong("lists in a text cell", "fit --data t.parquet", table("t.parquet", [["a", "film"]] * 20)),
    Wrong("numbers in a text cell", "fit --data t.parquet", table("t.parquet", [7] * 20)),
    Wrong("zero rows", "fit --data t.csv", written("t.csv", "text,label\n")),
    Wrong("an empty file", "fit --data t.csv", written("t.csv", "")),
    Wrong(
        "no text column",
        "fit --data t.csv",
        written("t.csv", "label,stars\n" + "pos,1\nneg,2\n" * 10),
    ),
    Wrong("an unknown column", "fit --text txet"),
    Wrong("an unknown column that is joined", "fit --text text+title"),
    Wrong(
        "two columns that may hold the label",
        "fit --data t.csv",
        written("t.csv", "text,category,sentiment\na film,place,pos\nb,food,neg\n"),
    ),
    Wrong(
        "labels that all differ",
        "fit --data t.csv --label text",
        table("t.csv", [f"film {i}" for i in range(20)]),
    ),
    Wrong(
        "a first line that is a row",
        "fit --data t.csv",
        written("t.csv", "Great,pos\nAwful,neg\nNice,pos\n"),
    ),
    Wrong(
        "another header between the rows",
        "fit --data t.csv",
        written("t.csv", "text,label\na film,pos\nlabel,text\nneg,b\n"),
    ),
    Wrong(
        "a quotation mark that swallows rows",
        "fit --data t.csv",
        written("t.csv", 'text,label\n"a,pos\nb,neg\nc",pos\nd,neg\n'),
    ),
    Wrong(
        "quotation marks after backslashes",
        "fit --data t.csv",
        written("t.csv", 'text,label\n"a \\"film\\"",pos\nb,neg\n'),
    ),
    Wrong(
        "lists instead of objects",
        "fit --data t.json",
        written("t.json", '[["a film", "pos"], ["b", "neg"]]'),
    ),
    Wrong(
        "two lists in one JSON file",
        "fit --data t.json",
        written("t.json", '{"train": [{"text": "a"}], "test": [{"text": "b"}]}'),
    ),
    Wrong(
        "several labels of one text",
        "fit --data t.txt",
        written("t.txt", "__label__a __label__b a film\n"),
    ),
    Wrong(
        "a text file with a line without a label",
        "fit --data t.txt",
        written("t.txt", "a film;joy\na plot;joy\na cast\n"),
    ),
    Wrong(
        "a text file with a semicolon in each line",
        "fit --data t.txt",
        written("t.txt", "It rains; we stay.\nWe read; or we play.\n"),
    ),
    Wrong("an empty label column", "fit --data t.csv", written("t.csv", "text,label\na,\nb,\n")),
    Wrong("a missing label", "fit --data t.csv", written("t.csv", "text,label\na,1\nb,\n")),
    Wrong(
        "a fraction for a label", "fit --data t.parquet", table("t.parquet", TEXTS, [0.5, 1.5] * 10)
    ),
    Wrong(
        "numbers and words as labels",
        "fit --data t.jsonl",
        written("t.jsonl", '{"text": "a", "label": "pos"}\n{"text": "b", "label": 0}\n'),
    ),
    Wrong(
        "half a character in a label",
        "fit --data t.jsonl",
        written("t.jsonl", '{"text": "a", "label": "pos\\ud83d"}\n{"text": "b", "label": "neg"}\n'),
    ),
    Wrong(
        "half a character in a column's name",
        "fit --data t.jsonl",
        written("t.jsonl", '{"text": "a", "label\\ud83d": 1}\n'),
    ),
    Wrong(
        "another spelling of a class in test",
        "fit",
        both(table("reviews/train.csv"), table("reviews/test.csv", TEXTS, ["Pos ", "neg"] * 10)),
    ),
    Wrong("one class only", "fit --data t.csv", table("t.csv", TEXTS, ["pos"] * 20)),
    Wrong("a class in test that train lacks", "fit", table("reviews/test.csv", TEXTS, [2, 1] * 10)),
]
