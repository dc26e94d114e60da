"""The comparisons of the results page: their commands, their results files and their tables."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import results
from benchmarks.results import COMPARISONS, Planned
from benchmarks.results_archive import archive_of, archived_runs
from benchmarks.results_collect import collect, plot_name
from benchmarks.results_page import (
    missing_runs,
    read_results,
    section,
    sections,
    table,
    wrapped,
    write_pages,
)
from tests.support.command_line import ProverHere, thawline, write_set
from thawline.compare.plan import plan_runs
from thawline.config import LadderConfig

PAGE = results.PAGE.read_text(encoding="utf-8")
FILES = sorted(results.RESULTS.glob("*.json"))


def read(file: Path) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return row


@pytest.mark.parametrize("one", COMPARISONS, ids=lambda one: one.name)
def test_a_comparison_can_be_planned(one: Planned) -> None:
    runs = plan_runs(LadderConfig(rungs=one.rungs, seeds=tuple(range(one.seeds))), Path())
    assert len(runs) == len(one.rungs) * one.seeds
    assert len({run.rung for run in runs}) == len(one.rungs)
    assert one.words()[0] == "compare"
    assert shlex.split(wrapped(one.command()).replace("\\\n", " ")) == ["thawline", *one.words()]


def test_all_strategies_are_compared_on_each_part_of_a_set() -> None:
    parts = [one for one in COMPARISONS if "--limit" in one.data]
    assert len(parts) == 5
    assert {(one.rungs, one.seeds) for one in parts} == {(results.LADDER, 3)}
    assert len({one.name for one in COMPARISONS}) == len(COMPARISONS)


def test_each_comparison_runs_in_the_folder_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], Path]] = []

    def started_process(command: list[str], cwd: Path, check: bool) -> Any:
        started.append((command, cwd))
        return subprocess.CompletedProcess(command, int("sst2" in command))

    monkeypatch.setattr(results.subprocess, "run", started_process)
    words = ["run", "emotion-minilm", "sst2-minilm", "--data", "sets", "--out", str(tmp_path / "o")]
    with pytest.raises(SystemExit, match="sst2-minilm"):
        results.main(words)
    assert len(started) == 2
    command, place = started[0]
    assert place == Path("sets")
    assert command[3:5] == ["compare", "emotion"]
    assert command[-2:] == ["--out", str(tmp_path / "o" / "emotion-minilm")]


def test_an_unknown_comparison_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        results.parse(["run", "imdb"])
    assert "'imdb'" in capsys.readouterr().err


def test_the_pages_show_the_results_files(tmp_path: Path) -> None:
    page, readme = (Path(shutil.copy(one, tmp_path)) for one in (results.PAGE, results.README))
    write_pages(page, readme, COMPARISONS, results.RESULTS)
    assert page.read_text(encoding="utf-8") == PAGE
    assert readme.read_text(encoding="utf-8") == results.README.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_results_file_has_a_verdict_and_a_plot(file: Path) -> None:
    (one,) = (one for one in COMPARISONS if one.name == file.stem)
    row = read(file)
    assert row["verdict"]["words"] in PAGE
    assert (results.IMAGES / plot_name(one)).is_file()
    rungs = [rung["rung"] for rung in row["rungs"]]
    assert len(row["pairs"]) == len(rungs) * (len(rungs) - 1) / 2
    assert row["chosen"]["rung"] in rungs
    assert {pair["first"] for pair in row["pairs"]} == set(rungs[:-1])
    for text in strings(row):
        assert not Path(text).is_absolute()


def strings(value: Any) -> list[str]:
    """Return all strings of a JSON value."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


def test_a_section_names_machines_and_unchanged_backbones() -> None:
    one = next(one for one in COMPARISONS if one.name == FILES[0].stem)
    row = read(FILES[0])
    cpu = {"cpu": "EPYC", "cores": 2, "threads": 2, "instructions": "AVX2", "gpu": None}
    assert "held-out" not in section(one, row)
    assert "`tapt+full`: no epoch" in section(one, row | {"not_adapted": ["tapt+full"]})
    row["machines"] = [cpu, cpu | {"instructions": None}, cpu | {"gpu": "H200"}]
    assert "2 cores (EPYC with AVX2) and 2 cores (EPYC) and H200." in section(one, row)


def test_rungs_without_any_run_are_named_without_seeds() -> None:
    missing = [{"rung": "full", "seed": seed} for seed in (1, 2)]
    missing += [{"rung": "tapt+full", "seed": seed} for seed in (0, 1, 2)]
    assert missing_runs(missing, 3) == "`full` (seeds 1, 2), `tapt+full`"
    assert missing_runs(missing[:1], 3) == "`full` (seed 1)"


def test_unfinished_and_finished_comparisons_are_collected(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    toy_backbone: Callable[..., Path],
    toy_reviews: Callable[..., Any],
) -> None:
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    films = write_set(tmp_path / "films", {"train": toy_reviews(60, 1), "test": toy_reviews(24, 2)})
    rungs = ("tfidf", "head", "last:1 training.epochs=1")
    planned = Planned("films-toy", "Films with a toy", str(films), "", rungs, seeds=2)
    folder, found, images = (tmp_path / name for name in ("films-toy", "found", "images"))
    assert collect(planned, folder, found, images, quiet=True) == "not started"
    assert not found.exists()

    words = [word for rung in rungs for word in ("-s", rung)]
    shared = ["--labels", "neg,pos", "--backbone", toy_backbone()]
    done = thawline("compare", films, *words, *shared, "--seeds", 1, "--budget", 0, "--out", folder)
    assert done.code == 0, done.err
    assert "3 of 4" in collect(planned, folder, found, images, quiet=True)
    part = read(found / "films-toy.json")
    assert part["missing"] == [{"rung": "last:1", "seed": 1}]
    assert [len(rung["runs"]) for rung in part["rungs"]] == [2, 2, 1]
    assert [(pair["first"], pair["second"]) for pair in part["pairs"]] == [
        ("tfidf", "head"), ("tfidf", "last:1"), ("head", "last:1"),
    ]  # fmt: skip
    assert part["pairs"][0]["test"]["p"] <= 1

    # The archive is enough to collect the same results again.
    archive = archive_of(planned, found)
    packed = archive.read_bytes()
    missing = tmp_path / "missing"
    assert "3 of 4" in collect(planned, missing, found, images, quiet=True, data=tmp_path)
    assert read(found / "films-toy.json") == part
    assert archive.read_bytes() == packed

    # Another machine makes the missing run only, and takes the others from the archive.
    assert archived_runs(planned, archive) == {
        *((rung, seed) for rung in ("tfidf", "head") for seed in (0, 1)),
        ("last:1 training.epochs=1", 0),
    }
    (words_left,) = planned.remaining(archived_runs(planned, archive))
    assert words_left[2:] == ["--budget", "0", "--set", "seeds=[1]", "-s", rungs[2]]
    other = tmp_path / "elsewhere"
    done = thawline(*words_left, *shared, "--out", other)
    assert done.code == 0, done.err
    assert collect(planned, other, found, images, quiet=True) == "finished"
    assert not archive.exists()
    continued = read(found / "films-toy.json")
    assert continued["missing"] == []
    assert [rung["runs"] for rung in continued["rungs"][:2]] == [
        rung["runs"] for rung in part["rungs"][:2]
    ]
    assert continued["rungs"][2]["runs"][0] == part["rungs"][2]["runs"][0]
    predicted = [rung["cost"]["predicted"] for rung in continued["rungs"][:2]]
    assert predicted == [rung["cost"]["predicted"] for rung in part["rungs"][:2]]
    assert all(predicted)

    # Runs on other texts and runs with other settings are not used.
    archive.write_bytes(packed)
    ladder = read(other / "ladder.json")
    ladder["data"]["sha256"] = "0" * 64
    (other / "ladder.json").write_text(json.dumps(ladder), encoding="utf-8")
    assert collect(planned, other, found, images, quiet=True) == "no run has finished"
    assert archive.read_bytes() == packed
    changed = planned._replace(rungs=(*rungs[:2], "last:1 training.epochs=2"))
    assert ("last:1 training.epochs=2", 0) not in archived_runs(changed, archive)
    assert len(archived_runs(changed, archive)) == 4

    # A killed comparison has a record without results.
    record = read(folder / "ladder.json")
    started = {"schema_version", "started", "config", "versions", "hardware", "data", "predicted"}
    running = {key: record[key] for key in started} | {"status": "running"}
    (folder / "ladder.json").write_text(json.dumps(running), encoding="utf-8")
    planned = planned._replace(seeds=1)
    assert collect(planned, folder, found, images, quiet=False) == "finished"
    row = read(found / "films-toy.json")
    assert row["missing"] == []
    assert not row["quiet_cores"]
    assert row["settings"]["fit"]["data"]["data"] == "films"
    assert not any(Path(text).is_absolute() for text in strings(row))
    for rung, recorded in zip(row["rungs"], record["rungs"], strict=True):
        assert rung["standing"]["decision"] == recorded["standing"]["decision"]
        value = recorded["test"]["accuracy"]["value"]
        assert rung["test"]["accuracy"]["value"] == pytest.approx(value, rel=1e-5)
    assert row["verdict"]["words"] == record["verdict"]["words"]
    assert (images / plot_name(planned)).stat().st_size > 1_000

    _, _, *lines = table(row["rungs"]).splitlines()
    assert [line.split("|")[1].strip() for line in lines] == ["`tfidf`", "`head`", "`last:1`"]
    both = [planned, planned._replace(name="none", title="Never run")]
    page = sections(both, read_results(both, found))
    assert row["verdict"]["words"] in page
    assert page.endswith("- Never run: `none`")
