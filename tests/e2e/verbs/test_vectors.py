"""`thawline vectors` writes a file that ``--vectors`` reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import thawline, write_set
from thawline.backbones.vectors import find_vectors
from thawline.runtime.progress import Reporter

pytest.importorskip("gensim", reason='needs pip install "thawline[vectors]"')


@pytest.fixture(autouse=True)
def _reviews(toy_reviews):
    write_set(Path("reviews"), {"train": toy_reviews(60, 1), "test": toy_reviews(10, 2)})


@pytest.mark.parametrize("method", ["word2vec", "fasttext"])
def test_written_vectors_can_be_read(method):
    given = ("--data", "reviews", "--out", "made/v.txt", "--width", "6", "--method", method)
    told = thawline("vectors", *given, "--json").json
    found = find_vectors("made/v.txt", Reporter())
    assert told == {
        "file": "made/v.txt",
        "method": method,
        "words": len(found),
        "width": 6,
        "texts": 60,
    }
    assert found.width == 6
    assert {"film", "good", "dull"} <= set(found.words)


def test_a_config_may_say_it_all():
    Path("own.toml").write_text('width = 4\nmin_count = 1\n[data]\ndata = "reviews"\n')
    done = thawline("vectors", "--config", "own.toml", "--out", "my v.txt", "--epochs", "1")
    assert done.code == 0, done.err
    assert done.out.startswith("my v.txt: ")
    assert all(f" {number} " in done.out for number in (4, 60))  # width and texts
    assert (
        f"fit --data {Path('reviews').absolute()} --backbone glove --vectors 'my v.txt'" in done.out
    )


def test_a_place_below_a_file_is_refused_before_it_trains():
    Path("file").write_text("")
    done = thawline("vectors", "--data", "reviews", "--out", "file/v.txt")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "'file/v.txt'" in done.err


def test_texts_without_labels_will_do():
    Path("t.csv").write_text("text\n" + "one film after another\n" * 6)
    assert thawline("vectors", "--data", "t.csv", "--out", "v.txt", "--json").json["words"] == 4
    Path("t.txt").write_text("one film after another\n" * 6)
    assert thawline("vectors", "--data", "t.txt", "--out", "w.txt", "--json").json["words"] == 4


def test_the_documented_commands_for_long_reviews_are_valid():
    page = Path(__file__).parents[3] / "docs" / "transfer.md"
    lines = [
        line.strip().removeprefix("thawline ")
        for line in page.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        if line.strip().startswith("thawline ") and "own100.txt" in line
    ]
    assert [line.split()[0] for line in lines] == ["vectors", "fit"]
    for line in lines:
        words = [{"imdb": "reviews", "reviews.parquet": "reviews"}.get(w, w) for w in line.split()]
        done = thawline(*words)
        assert done.code == 0, done.err
    record = json.loads(Path("runs/own/record.json").read_text(encoding="utf-8"))
    assert record["max_length"] == 512
    assert record["encoder"]["words_with_vectors"] > 2
