"""Test the terminal output of a pretraining."""

from __future__ import annotations

from pathlib import Path

from tests.support.records import PRETRAIN, pretrain_record
from thawline.report.pretraining import print_pretraining


def line(printed: str, start: str) -> str:
    (found,) = [line for line in printed.splitlines() if line.startswith(f"{start} ")]
    return found.removeprefix(start).strip()


def test_it_prints_scores_costs_and_places(capsys):
    folder = Path("runs") / "[a] b"
    print_pretraining(pretrain_record(), folder)
    out = capsys.readouterr().out
    assert out.startswith("\n737 held-out texts, 218,435 tokens\n")
    for start, data in {
        "bits per byte": ["1.3997"],
        "loss": ["4.3612", "78.3"],
        "accuracy": ["26.2 %"],
        "saved model": ["1.3998", "float16"],
        "texts": ["72,931", "291"],
        "training": ["638,976,000", "19,500"],
        "parameters": ["4,932,672", "738,368"],
        "vocabulary": ["32,768"],
        "seconds": ["1,234.6", "9.3", "11.4", "505.1", "1,265,159"],
        "memory": ["2,346 MB"],
        "model": [str(folder / "model")],
        "plots": ["history (PNG and SVG)", str(folder)],
        "next": [f"thawline fit --backbone '{folder / 'model'}'"],
    }.items():
        found = line(out, start)
        assert all(datum in found for datum in data), found


def test_a_resumed_run_prints_the_seconds_of_its_complete_training(capsys):
    seconds = PRETRAIN["seconds"] | {"total": 12.34}
    print_pretraining(pretrain_record(resumed=["today"], seconds=seconds), Path("run"))
    found = line(capsys.readouterr().out, "seconds")
    assert all(datum in found for datum in ("12.3", "505.1", "1,265,159 tokens/s"))
    assert "9.3" not in found


def test_without_seconds_no_speed_is_printed(capsys):
    print_pretraining(pretrain_record(tokens_per_second=None), Path("run"))
    assert "tokens/s" not in line(capsys.readouterr().out, "seconds")
