"""`thawline pretrain`: its options, its run and what it prints."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.support.command_line import thawline, write_set
from tests.support.language_toys import SHAPE, toy_texts

SMALL = [f"--set=architecture.{name}={value}" for name, value in vars(SHAPE).items()]
SMALL += ["--set=training.window=32", "--set=corpus.held_out=0.2", "--dtype=float32"]
SMALL += ["--device=cpu", "--vocabulary=300", "--batch-size=8", "--epochs=1"]


@pytest.fixture
def reviews() -> Path:
    one, other = toy_texts(30), toy_texts(10, seed=1)
    splits = {"train": (one, ["pos"] * 30), "test": (other, ["pos"] * 10)}
    return write_set(Path("reviews"), splits)


def test_from_texts_to_a_backbone(reviews):
    done = thawline("pretrain", "--data", reviews, *SMALL, "--out", "lm")
    assert done.code == 0, done.err
    first, second, *_ = done.out.strip().splitlines()
    assert (first.split()[0], second) == ("6", "")  # held-out texts
    *_, last = done.out.strip().splitlines()
    assert last.split() == ["next", "thawline", "fit", "--backbone", "lm/model", "--data", "…"]
    (counts,) = [line for line in done.err.splitlines() if line.startswith("24 ")]
    assert "6 held out" in counts

    # The folder of the run is a backbone and can generate text.
    shown = thawline("info", "--backbone", "lm", "--json").json
    assert (shown["family"], shown["hidden_size"], shown["max_length"]) == ("qwen3", 16, 32)
    written = thawline("generate", "--model", "lm", "film", "--tokens", "3", "--json")
    assert written.code == 0, written.err

    # The saved config repeats the run, and a finished run stays as it is.
    config = tomllib.loads(Path("lm/config.toml").read_text("utf-8"))
    assert config["corpus"]["data"] == [str(reviews.absolute())]
    again = thawline("pretrain", "--config", "lm/config.toml", "--out", "again", "--json")
    record = json.loads(Path("lm/record.json").read_text("utf-8"))
    assert again.json["kept"]["validation_loss"] == record["kept"]["validation_loss"]
    finished = thawline("pretrain", "--resume", "--out", "lm")
    assert finished.code == 0
    (line,) = finished.err.splitlines()
    assert "'lm'" in line
    assert finished.out == done.out


def test_several_sources_and_those_to_leave_out(reviews):
    copy = Path("copy.csv")
    copy.write_text((reviews / "train.csv").read_text("utf-8") + "one more,pos\n", "utf-8")
    words = ["--data", reviews, "--data", copy, "--without", reviews / "test.csv"]
    done = thawline("pretrain", *words, *SMALL, "--out", "lm", "--json")
    assert done.code == 0, done.err
    counts = done.json["corpus"]["counts"]
    assert counts == {"read": 61, "copies": 30, "left_out": 0, "train": 25, "held_out": 6}
    given = done.json["config"]["corpus"]
    assert given["without"] == [str((reviews / "test.csv").absolute())]


def test_a_test_file_that_is_named_itself_gets_a_note(reviews):
    done = thawline("pretrain", "--data", reviews / "test.csv", *SMALL,
                    "--out", "lm", "--json")  # fmt: skip
    place = reviews.absolute() / "test.csv"
    assert str(place) in done.err
    assert done.code == 0


def test_without_out_it_is_named_after_its_first_source(reviews):
    done = thawline("pretrain", "--data", reviews, *SMALL, "--json")
    assert done.code == 0, done.err
    (folder,) = Path("runs").iterdir()
    assert folder.name.endswith("-reviews-qwen3")
