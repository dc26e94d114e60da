"""The search for settings of the GloVe encoder: its texts, its fits, its results and its table."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import glove_search
from tests.support.command_line import write_set

SETTINGS = ["--set", "encoder.vectors=random", "--set", "encoder.min_count=1"]


@pytest.fixture
def data(tmp_path: Path, toy_reviews) -> Path:
    parts = {"train": toy_reviews(40), "test": toy_reviews(20, 1)}
    return write_set(tmp_path / "films", parts)


def test_the_texts_for_vectors_have_no_copy_of_a_held_out_text(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = pd.read_csv(data / "test.csv")["text"].tolist()
    unlabelled = tmp_path / "unsup.parquet"
    pd.DataFrame({"text": ["a new film", test[0].upper(), "another"]}).to_parquet(unlabelled)
    out = tmp_path / "texts.parquet"
    words = ["--data", str(data), "--unlabelled", str(unlabelled), "--texts", str(out)]
    glove_search.main(words)
    texts = pd.read_parquet(out)["text"].tolist()
    assert texts[-2:] == ["a new film", "another"]
    train = set(pd.read_csv(data / "train.csv")["text"])
    assert set(texts[:-2]) <= train
    assert len(set(texts[:-2])) < len(train), "the validation texts are left out"
    assert not set(texts) & set(test)
    assert f"{len(texts)} texts" in capsys.readouterr().out


@pytest.mark.e2e
def test_a_candidate_is_fitted_once_and_scored_on_test_only_if_asked(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "search.json"
    words = ["--data", str(data), *SETTINGS, "--candidates", "longer", "--epochs", "1"]
    words += ["--work", str(tmp_path / "work"), "--json", str(found)]
    glove_search.main(words)
    (row,) = json.loads(found.read_text())["fits"]
    assert row["settings"][-1] == "tokens.max_length=512"
    assert row["rows"] + row["validation_rows"] == 40
    assert row["cpu_seconds"] > 0
    assert "test_rows" not in row
    monkeypatch.setattr(glove_search, "fit", None)  # nothing is fitted again
    glove_search.main([*words, "--test"])
    (row,) = json.loads(found.read_text())["fits"]
    assert row["test_rows"] == 20
    assert 0 <= row["test_correct"] <= 20
    assert "longer" in capsys.readouterr().out


def test_the_table_starts_with_the_best_candidate() -> None:
    rows = [
        {"name": name, "epochs": 2, "settings": [], "seed": seed, "validation_rows": 100}
        | {"validation_accuracy": accuracy, "cpu_seconds": 9.0}
        for name, seed, accuracy in (("low", 0, 0.8), ("high", 0, 0.9), ("high", 1, 0.92))
    ]
    lines = glove_search.table(rows).splitlines()[2:]
    assert [line.split(",")[0] for line in lines] == ["| high", "| low"]
    assert "91.0 % ± 1.4" in lines[0]


def test_all_candidates_are_valid_settings() -> None:
    from thawline.config.resolve import resolve_config

    for settings in glove_search.CANDIDATES.values():
        resolve_config(overrides=[*settings, "backbone=glove", "strategy=full"])
