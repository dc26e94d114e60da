"""The benchmark of scaling: its sets, its parts, its tables and its picture."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scaling, scaling_report, startup
from tests.support.command_line import ProverHere, thawline, write_set
from thawline.config import DataConfig
from thawline.data import load


def size(texts: int, seconds: float) -> dict[str, Any]:
    def fitted(share: float) -> dict[str, Any]:
        return {
            "process_seconds": share * seconds,
            "seconds": {"prefix": 0.8 * share * seconds, "training": 0.1 * share * seconds},
            "peak_memory_bytes": 1_250_000_000,
        }

    whole = {"first": fitted(1), "again": fitted(0.1), "store_bytes": 16_000 * texts}
    return {"texts": texts, "read": {"seconds": seconds / 1_000}, **whole}


WHOLE = {
    "sizes": {"backbone": "minilm", "results": [size(2_000, 50), size(32_000, 800)]},
    "startup": {
        "results": {"help": startup.Measurement("thawline --help", [0.25], [0.2]).to_dict()}
    },
    "latency": {"results": [{"texts": 64, "seconds": 0.5, "slowest": 0.6}]},
}


def test_more_texts_are_all_different_and_about_as_long() -> None:
    texts = [f"{'a' * length} one two three {'b ' * length}end" for length in range(1, 40)]
    many = scaling.altered(texts, 4)
    assert many[: len(texts)] == texts
    assert len(set(many)) == len(many) == 4 * len(texts)
    words = [len(text.split()) for text in many]
    assert sum(words) == pytest.approx(4 * sum(words[: len(texts)]), rel=0.05)
    assert many == scaling.altered(texts, 4)
    same_place = zip(texts, many[len(texts) :], strict=False)
    assert sum(a.split()[0] == b.split()[0] for a, b in same_place) > 0.8 * len(texts)


def test_data_is_needed_for_all_but_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        scaling.parse(["--only", "latency"])
    assert "--data" in capsys.readouterr().err
    assert scaling.parse(["--only", "startup"]).only == ["startup"]
    assert scaling.parse(["--table"]).only == list(scaling.PARTS)


def test_too_few_texts_end_the_measurement(toy_reviews: Callable[..., Any], tmp_path: Path) -> None:
    films = write_set(tmp_path / "films", {"train": toy_reviews(40), "test": toy_reviews(8, 1)})
    with pytest.raises(SystemExit, match="films"):
        scaling.base_texts(scaling.parse(["--data", str(films), "--base", "1000"]))


def test_the_tables_show_each_part() -> None:
    sizes, startup_times, latency = scaling_report.table(WHOLE).split("\n\n")
    assert sizes.splitlines()[2:] == [
        "| 2,000 | 40.0 | 20.0 | 5.0 | 50.0 | 1.25 GB | 32 MB | 0.05 | 5.0 | 1.25 GB |",
        "| 32,000 | 640.0 | 20.0 | 80.0 | 800.0 | 1.25 GB | 512 MB | 0.80 | 80.0 | 1.25 GB |",
    ]
    assert startup_times.splitlines()[-1] == "| `thawline --help` | 0.25 | 0.20 |"
    assert latency.splitlines()[-1] == "| 64 | 500 | 600 | 128 |"
    assert scaling_report.table({}) == ""


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    path = scaling_report.draw(WHOLE, tmp_path / "images")
    assert path.name == "scaling.png"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_every_part_is_measured_and_written(
    toy_backbone: Callable[..., Path],
    toy_reviews: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = subprocess.run

    def run_here(command: list[str], env: dict[str, str] | None = None, **how: Any) -> Any:
        if env is None or command[1:3] != ["-m", "thawline"]:
            return run(command, env=env, **how)  # the platform module starts processes too
        monkeypatch.setenv("THAWLINE_HOME", env["THAWLINE_HOME"])
        done = thawline(*command[3:])
        return subprocess.CompletedProcess(command, done.code, done.out, done.err)

    def measured(names: tuple[str, ...], *rest: Any) -> dict[str, startup.Measurement]:
        return {name: startup.Measurement(name, [1.0], [1.0]) for name in names}

    monkeypatch.setattr(scaling.subprocess, "run", run_here)
    monkeypatch.setattr(scaling.startup, "measure", measured)
    monkeypatch.setattr(scaling, "BATCHES", (1, 8))
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    monkeypatch.setattr("thawline.jobs.fit._draw", lambda *found: [])
    films = write_set(tmp_path / "films", {"train": toy_reviews(60), "test": toy_reviews(8, 1)})
    out = tmp_path / "results" / "scaling.json"
    words = ["--data", str(films), "--labels", "neg,pos", "--backbone", str(toy_backbone())]
    words += ["--base", "40", "--times", "1", "2", "--repeats", "1", "--json", str(out)]
    words += ["--max-length", "32"]
    scaling.main([*words, "--plot", str(tmp_path / "images")])
    whole = json.loads(out.read_text(encoding="utf-8"))
    assert list(whole) == list(scaling.PARTS)
    assert all({"command", "versions", "hardware", "created"} <= set(whole[part]) for part in whole)
    assert str(tmp_path) not in whole["sizes"]["command"]
    first, second = whole["sizes"]["results"]
    for one in (first, second):
        assert one["distinct_texts"] == one["texts"] == 40 * one["times"]
        assert one["first"]["texts_computed"] == one["texts"]  # nothing is computed for two rows
        assert one["read"]["rows"] == one["texts"]
        assert one["again"]["texts_computed"] == 0
        assert one["again"]["texts_from_store"] == one["texts"]
    assert second["store_bytes"] > first["store_bytes"]
    assert [row["texts"] for row in whole["latency"]["results"]] == [1, 8]
    assert set(whole["startup"]["results"]) == set(startup.COMMANDS)
    assert (tmp_path / "images" / "scaling.png").exists()
    printed = capsys.readouterr().out
    scaling.main(["--table", "--json", str(out)])
    assert capsys.readouterr().out == printed

    scaling.main([*words, "--only", "startup"])
    kept = json.loads(out.read_text(encoding="utf-8"))
    assert kept["sizes"] == whole["sizes"]


def test_the_sets_have_a_test_split(toy_reviews: Callable[..., Any], tmp_path: Path) -> None:
    texts, labels = toy_reviews(40)
    scaling.write_set(texts, labels, tmp_path / "set")
    read = load(DataConfig(data=str(tmp_path / "set")))
    rows = {name: len(part.texts) for name, part in read.parts.items()}
    assert rows["test"] == 8
    assert rows["train"] + rows["validation"] == 32
    by_text = dict(zip(texts, labels, strict=True))
    assert all(
        by_text[text] == label
        for text, label in zip(read.test.texts, read.test.labels, strict=True)
    )


@pytest.mark.skipif(not scaling.RESULTS.exists(), reason="scaling was not measured yet")
def test_the_page_shows_the_results() -> None:
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    for line in scaling_report.table(scaling.read(scaling.RESULTS)).splitlines():
        assert line in page
