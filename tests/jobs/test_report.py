"""Test the job that writes reports: what it reads, where it writes, and what it refuses."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.html import Element, parse
from tests.support.records import (
    FIT,
    START,
    fit_record,
    ladder_record,
    pretrain_record,
    rung_record,
    tune_record,
)
from tests.support.report_pages import logits
from thawline.errors import ThawlineError
from thawline.jobs.report import write_report
from thawline.runs.logits import write_logits
from thawline.runs.records import (
    LadderRecord,
    StartedFit,
    StartedLadder,
    StartedPretraining,
    write_record,
)


def fit_folder(folder: Path, *, with_logits: bool = True, **changes: Any) -> Path:
    """Write the record of a fit, with its logits, to a new folder."""
    folder.mkdir(parents=True)
    rows = {"train": [0, 1], "validation": list(range(40)), "test": list(range(40))}
    data = FIT["data"] | {"rows": rows}
    if with_logits:
        changes["logits"] = write_logits(folder, logits())
    write_record(folder / "record.json", fit_record(data=data, **changes))
    return folder


def comparison_folder(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    rungs = [rung_record("head", 0.8, "worse"), rung_record("full", 0.85, "within")]
    write_record(folder / "ladder.json", ladder_record(rungs, **changes))
    return folder


def anchors(file: Path) -> list[str]:
    page: Element = parse(file.read_text(encoding="utf-8"))
    return [section["id"] for section in page.all("section")]


def test_a_run_gets_its_report_beside_its_record(tmp_path):
    folder = fit_folder(tmp_path / "run")
    file = write_report(folder)
    assert file == folder / "report.html"
    assert anchors(file) == [
        *("before-after", "classes", "training", "calibration", "errors", "data", "protocol"),
        *("cost", "repeat", "machine"),
    ]
    assert write_report(folder / "record.json") == file


def test_the_same_record_gives_the_same_file_and_replaces_it(tmp_path):
    folder = fit_folder(tmp_path / "run")
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first
    assert {path.name for path in folder.iterdir()} == {
        *("record.json", "logits.safetensors", "report.html")
    }


def test_the_file_can_have_another_place(tmp_path):
    file = write_report(fit_folder(tmp_path / "run"), tmp_path / "new" / "folder" / "a.html")
    assert file == tmp_path / "new" / "folder" / "a.html"
    assert file.is_file()
    assert not (tmp_path / "run" / "report.html").exists()


def test_a_comparison_describes_the_run_to_use(tmp_path):
    folder = comparison_folder(tmp_path / "comparison")
    fit_folder(folder / "a-rung-seed-0")
    whole = anchors(write_report(folder))
    assert whole[:3] == ["strategies", "differences", "cost"]
    assert {"run", "classes", "training", "calibration", "errors", "data"} < {*whole}
    shutil.rmtree(folder / "a-rung-seed-0")
    assert {*whole} - {*anchors(write_report(folder))} == {
        *("classes", "training", "calibration", "errors", "data")
    }


def test_a_pretraining_has_a_short_report(tmp_path):
    folder = tmp_path / "mini"
    folder.mkdir()
    write_record(folder / "record.json", pretrain_record())
    assert anchors(write_report(folder)) == ["training", "texts", "repeat", "machine"]


def test_without_logits_only_the_plot_of_the_calibration_is_missing(tmp_path):
    def plots(folder: Path) -> int:
        return len(list(parse(write_report(folder).read_text(encoding="utf-8")).all("svg")))

    old = fit_folder(tmp_path / "old", with_logits=False)
    assert plots(fit_folder(tmp_path / "new")) == plots(old) + 1


def test_other_logits_than_those_of_the_record_are_refused(tmp_path):
    folder = fit_folder(tmp_path / "run")
    file = folder / "logits.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert hashlib.sha256(file.read_bytes()).digest() != hashlib.sha256(content).digest()
    with pytest.raises(ThawlineError):
        write_report(folder)
    assert not (folder / "report.html").exists()


UNFINISHED = {"status": "stopped"}


def started(record: Any, model: type) -> Any:
    values = {name: getattr(record, name) for name in model.model_fields if hasattr(record, name)}
    return model(**values | UNFINISHED | {"error": None})


@pytest.mark.parametrize(
    ("name", "record", "model"),
    [
        ("record.json", fit_record(), StartedFit),
        ("record.json", pretrain_record(), StartedPretraining),
        ("ladder.json", ladder_record([rung_record("head")]), StartedLadder),
    ],
)
def test_unfinished_jobs_have_no_report(name, record, model, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    write_record(folder / name, started(record, model))
    with pytest.raises(ThawlineError) as caught:
        write_report(folder)
    assert "stopped" in caught.value.found
    assert "resume" in caught.value.fix
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("out", [".", "record.json/report.html"])
def test_a_place_that_cannot_hold_the_file_is_refused(out, tmp_path):
    folder = fit_folder(tmp_path / "run")
    before = (folder / "record.json").read_bytes()
    with pytest.raises(ThawlineError):
        write_report(folder, folder / out)
    assert (folder / "record.json").read_bytes() == before


def test_what_is_no_run_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ThawlineError):
            write_report(path)


@pytest.mark.parametrize("name", ["record.json", "mistakes.csv", "report", "report.html.txt"])
def test_only_html_files_are_written(name, tmp_path):
    folder = fit_folder(tmp_path / "run")
    (folder / "mistakes.csv").touch()
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ThawlineError):
        write_report(folder, folder / name)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("run", ["../private", "..", "./../private", "/"])
def test_the_run_to_use_is_looked_for_inside_the_comparison_only(run, tmp_path):
    fit_folder(tmp_path / "private")
    write_record(tmp_path / "record.json", fit_record())
    record: LadderRecord = ladder_record([rung_record("head")])
    outside = record.chosen.to_dict() | {"run": run}
    folder = comparison_folder(tmp_path / "comparison", chosen=outside)
    file = write_report(folder)
    assert "classes" not in anchors(file)


def test_the_start_of_a_job_is_shown(tmp_path):
    text = write_report(fit_folder(tmp_path / "run")).read_text(encoding="utf-8")
    assert START["hardware"]["cpu"] in text
    assert START["versions"]["torch"] in text


def test_a_search_has_no_report():
    Path("search").mkdir()
    write_record(Path("search/tune.json"), tune_record())
    with pytest.raises(ThawlineError) as caught:
        write_report(Path("search"))
    assert str(Path("search", "best.toml")) in caught.value.fix
