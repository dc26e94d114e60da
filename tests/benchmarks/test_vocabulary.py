"""The benchmark of vocabulary sizes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import vocabulary
from tests.support.command_line import write_table
from thawline.config import ArchitectureConfig, PretrainConfig, VocabularyConfig
from thawline.pretraining.vocabulary import train_tokenizer

SMALL = ("--set", "architecture.hidden_size=16", "--set", "architecture.intermediate_size=32")


@pytest.fixture
def reviews(toy_reviews) -> Path:
    texts, labels = toy_reviews(200)
    return write_table(Path("reviews.csv"), [f"{text}<br />The end." for text in texts], labels)


def write_run(folder: Path, texts: list[str], size: int, corpus: str = "a", **changes) -> Path:
    folder.mkdir()
    tokenizer = train_tokenizer(texts, VocabularyConfig(size=size), 512)
    tokenizer.save_pretrained(folder / "tokenizer")
    record = {
        "status": "finished",
        "kept": {"validation_bits_per_byte": 1.25},
        "tokens": 4_000,
        "seconds": {"training": 60.0},
        "corpus": {"sha256": corpus},
    }
    (folder / "record.json").write_text(json.dumps(record | changes))
    return folder


def test_each_size_has_a_row_and_sizes_with_runs_have_bits_per_byte(reviews, toy_reviews, capsys):
    run = write_run(Path("run"), toy_reviews(200)[0], 320)
    words = ["--data", str(reviews), "--sizes", "300", "340", "--run", f"320={run}"]
    vocabulary.main([*words, *SMALL, "--set", "corpus.held_out=0.2", "--json", "rows.json"])
    rows = json.loads(Path("rows.json").read_text())
    assert [row["size"] for row in rows] == [300, 320, 340]
    assert ["bits_per_byte" in row for row in rows] == [False, True, False]
    tokens = [row["tokens_per_text"] for row in rows]
    assert tokens == sorted(tokens, reverse=True)
    blocks = {row["blocks"] for row in rows}
    assert len(blocks) == 1
    for row in rows:
        assert row["embeddings"] == 16 * row["size"]
        assert row["parameters"] == row["embeddings"] + row["blocks"]
        assert (row["texts"], row["fitting"]) == (40, 1.0)
    *_, first, second, third = capsys.readouterr().out.splitlines()
    assert second.endswith("| 100.0 % | 1.2500 | 4,000 | 60 |")
    assert first.endswith("| – | – | – |")
    assert third.startswith("| 340 |")


def test_the_issues_model_has_its_parameters():
    texts = ["a film of films, and a film"] * 4
    tokenizer = train_tokenizer(texts, VocabularyConfig(size=262), 512)
    counted = vocabulary.parameters(PretrainConfig(), tokenizer)
    width, shape = 128, ArchitectureConfig()
    assert counted["embeddings"] == 262 * width
    block = 2 * width * width + 2 * width * 64 + 3 * width * 512 + 2 * width + 2 * 32
    assert counted["blocks"] == shape.num_hidden_layers * block + width


def test_lengths_equal_counts_by_hand():
    texts = ["a film<br />a film", "ab", "a" * 30]
    tokenizer = train_tokenizer(texts, VocabularyConfig(size=259, min_frequency=10**6), 512)
    found = vocabulary.lengths(texts, tokenizer, 14)
    counts = [1 + 13, 1 + 2, 1 + 30]  # each byte is a token, and the line break is one byte
    assert found["tokens_per_text"] == pytest.approx(sum(counts) / 3)
    assert found["bytes_per_token"] == 1
    assert found["fitting"] == pytest.approx(2 / 3)


def test_runs_of_different_corpora_print_a_warning(reviews, toy_reviews, capsys):
    texts = toy_reviews(200)[0]
    runs = [write_run(Path(name), texts, size, name) for name, size in (("a", 300), ("b", 310))]
    words = ["--data", str(reviews), "--sizes", "300"]
    named = [f"--run={size}={run}" for size, run in zip((300, 310), runs, strict=True)]
    vocabulary.main([*words, *named, *SMALL])
    warning, *_ = capsys.readouterr().out.splitlines()
    assert not warning.startswith("|")
    same = write_run(Path("c"), texts, 310, "a")
    vocabulary.main([*words, named[0], f"--run=310={same}", *SMALL])
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("|")


def test_a_run_that_does_not_fit_is_refused(reviews, toy_reviews, capsys):
    run = write_run(Path("run"), toy_reviews(200)[0], 300, status="running")
    words = ["--data", str(reviews), "--sizes", "300", *SMALL]
    with pytest.raises(ValueError, match="running"):
        vocabulary.main([*words, "--run", f"300={run}"])
    with pytest.raises(ValueError, match=r"300\b.*\b310"):
        vocabulary.main([*words, "--run", f"310={run}"])
    with pytest.raises(SystemExit):
        vocabulary.main([*words, "--run", "run"])
    *_, error = capsys.readouterr().err.splitlines()
    assert "SIZE=RUN" in error
    assert "'run'" in error
