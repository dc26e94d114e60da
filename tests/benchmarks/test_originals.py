"""The benchmark of the originals: its jobs, its results, and the tables of the tutorials."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from benchmarks import originals, originals_report
from benchmarks.originals import JOBS, Job
from tests.support.command_line import ProverHere, thawline, write_set
from tests.support.pages import DOCS, ROOT
from thawline import artifact

RESULTS = ROOT / "benchmarks" / "results" / "originals.json"
SMALL = ["--json", "results.json"]


def result(job: Job, accuracy: float = 0.8) -> dict[str, Any]:
    score = {"value": accuracy, "low": accuracy - 0.02, "high": accuracy + 0.01}
    history = [
        {"epoch": epoch, "train_loss": 0.7 / epoch if epoch else None, "validation_loss": 0.6,
         "validation_accuracy": 0.5 + 0.1 * epoch, "kept": epoch == 2}
        for epoch in range(3)
    ]  # fmt: skip
    return {
        "original": job.original,
        "name": job.name,
        "command": job.command,
        "record": {
            "test": {"accuracy": score, "f1_macro": score},
            "parameters": {"trainable": 12_345},
            "cost": {"seconds": 1_234.5},
            "history": history,
        },
    }


def every(*words: str) -> list[Job]:
    return originals.jobs(originals.parse([*SMALL, *words]))


def test_each_job_is_a_valid_command_of_its_own() -> None:
    jobs = every("--long")
    assert len({job.command for job in jobs}) == len(jobs) == sum(map(len, JOBS.values()))
    for job in jobs:
        assert job.command.startswith("thawline fit --data imdb --labels neg,pos --limit 4000,2000")
        words = ["nowhere" if word == "imdb" else word for word in job.words]
        done = thawline(*words, "--out", "run")
        assert done.code == 2
        assert "nowhere" in done.err  # every option before it was accepted


def test_the_options_choose_the_jobs() -> None:
    assert not any(job.name in originals.LONG for job in every())
    (only,) = {job.original for job in every("--only", "distilbert_lora")}
    assert only == "distilbert_lora"
    assert not any("--limit" in job.words for job in every("--whole"))
    named = [shlex.split(job.command) for job in every("--backbone", "folder")]
    assert {words[words.index("--backbone") + 1] for words in named} == {
        "folder",
        originals.EMBEDDED,
    }


def test_results_are_kept_and_finished_jobs_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run(job: Job, folder: Path) -> dict[str, Any]:
        assert folder.parent.name == job.original
        if len(ran) == 3:
            raise KeyboardInterrupt
        ran.append(job.command)
        return result(job)

    monkeypatch.setattr(originals, "run", run)
    words = ["--json", str(tmp_path / "new" / "results.json"), "--only", "distilbert_head"]
    with pytest.raises(KeyboardInterrupt):
        originals.main(words)
    ran.append("the next start")
    originals.main(words)
    expected = [job.command for job in every("--only", "distilbert_head")]
    assert ran == [*expected[:3], "the next start", *expected[3:]]
    assert "80.0 % (78.0 to 81.0)" in capsys.readouterr().out


def test_a_job_becomes_a_result(
    tmp_path: Path, toy_backbone: Any, toy_reviews: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {split: toy_reviews(rows, rows) for split, rows in (("train", 32), ("test", 16))}
    data = write_set(tmp_path / "set", parts)
    monkeypatch.setattr(artifact, "Prover", ProverHere)

    def process(words: list[str], **_: Any) -> Any:
        done = thawline(*words[3:])
        assert done.code == 0, done.err
        return type("Finished", (), {"returncode": 0, "stdout": done.out})

    monkeypatch.setattr(originals.subprocess, "run", process)
    words = ["fit", "--data", str(data), "--backbone", str(toy_backbone()), "--dtype", "float32"]
    found = originals.run(Job("distilbert_head", "a head", words), tmp_path / "run")
    assert set(found["record"]) == {*originals.KEPT, "baseline", "validation", "test"}
    assert found["record"]["test"]["rows"] == 16
    json.dumps(found)


def test_tables_show_the_claim_and_the_results() -> None:
    jobs = every("--only", "distilbert_last_block", "qwen3_from_scratch")
    results = [result(job) for job in jobs]
    lines = originals_report.table("distilbert_last_block", results).splitlines()
    assert len(lines) == 2 + 1 + len(JOBS["distilbert_last_block"])
    assert "89.5 % (88.1 to 90.8)" in lines[2]  # the interval of 2,000 reviews
    assert lines[3].endswith("| 80.0 % (78.0 to 81.0) | 80.0 % | 12,345 | 1,234 |")
    of_qwen = originals_report.table("qwen3_from_scratch", results).splitlines()
    assert len(of_qwen) == 2 + len(JOBS["qwen3_from_scratch"])
    by_epoch = originals_report.epochs(results, "distilbert_last_block").splitlines()
    assert by_epoch[-1] == "| 2, kept | 0.350 | 0.600 | 70.0 % |"


def test_pictures_are_drawn(tmp_path: Path) -> None:
    results = [result(job, 0.8 + 0.01 * place) for place, job in enumerate(every("--long")[5:])]
    drawn = originals_report.draw(results, tmp_path / "pictures")
    assert [path.name for path in drawn] == ["originals_tradeoff.png", "originals_rates.png"]
    assert all(path.stat().st_size > 1_000 for path in drawn)


def test_every_job_of_the_tutorials_on_distilbert_has_a_name_in_the_picture() -> None:
    names = [
        name for original in JOBS if original != "qwen3_from_scratch" for name in JOBS[original]
    ]
    assert set(names) <= set(originals_report.SHORT)
    assert set(originals_report.RATES) == set(JOBS["distilbert_last_block"])


def test_committed_results_are_those_of_the_jobs() -> None:
    jobs = {job.command: (job.original, job.name) for job in every("--long")}
    results = originals.read(RESULTS)
    assert {job.original for job in every()} == {result["original"] for result in results}
    for result in results:
        assert jobs[result["command"]] == (result["original"], result["name"])
        assert str(ROOT) not in json.dumps(result)


@pytest.mark.parametrize("page", sorted((DOCS / "tutorials").glob("*.md")), ids=lambda p: p.name)
def test_a_page_shows_the_committed_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert originals_report.filled(text, originals.read(RESULTS)) == text, (
        "run python -m benchmarks.originals --json benchmarks/results/originals.json "
        "--update docs/tutorials"
    )
    assert page.name == "index.md" or re.search("<!-- table: ", text)
