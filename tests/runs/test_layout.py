"""What is read of a run's folder without pydantic."""

from __future__ import annotations

from pathlib import Path

import pytest

from thawline.errors import ThawlineError
from thawline.runs.layout import find, read_status


@pytest.mark.parametrize("damaged", ['{"status": "fin', "[]", "", '{"status": 3}'])
def test_a_missing_or_damaged_record_has_no_status(damaged):
    assert read_status(Path()) == (None, "fit")
    Path("record.json").write_text(damaged)
    assert read_status(Path()) == (None, "fit")
    assert read_status(Path(), "pretrain") == (None, "pretrain")


def test_status_and_verb_are_read():
    Path("record.json").write_text('{"status": "finished", "verb": "pretrain"}')
    assert read_status(Path()) == ("finished", "pretrain")


def test_a_comparison_names_the_run_to_use():
    ladder = Path("compared")
    ladder.mkdir()
    (ladder / "ladder.json").write_text('{"chosen": {"run": "head-seed-0"}}')
    with pytest.raises(ThawlineError, match="head-seed-0"):
        find(ladder)


@pytest.mark.parametrize("damaged", ['{"status": "fin', "[]", '{"chosen": 3}'])
def test_a_damaged_comparison_names_no_run(damaged):
    ladder = Path("compared")
    ladder.mkdir()
    (ladder / "ladder.json").write_text(damaged)
    with pytest.raises(ThawlineError) as caught:
        find(ladder)
    assert "comparison" in caught.value.found


def test_a_search_names_its_best_settings():
    Path("search").mkdir()
    Path("search/tune.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ThawlineError) as caught:
        find(Path("search"))
    assert str(Path("search", "best.toml")) in caught.value.fix
