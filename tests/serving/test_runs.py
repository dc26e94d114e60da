"""Past runs are listed and their reports are shown, and nothing outside of the folder is read."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from fastapi.testclient import TestClient

from tests.support.live_server import local_app
from tests.support.records import fit_record, ladder_record, pretrain_record, rung_record, rung_run
from thawline import TextClassifier
from thawline.errors import ThawlineError
from thawline.report.html.page import script_source
from thawline.runs.layout import LADDER, RECORD
from thawline.runs.records import write_record
from thawline.serving.past import MAX_RUNS, PastRuns
from thawline.serving.runs import Links

LOCAL = "http://127.0.0.1:8000"
HOSTILE = "a<b>&\"'%2e ?#;"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a comparison, its run, two other runs and a damaged one."""
    place = tmp_path / "runs"
    comparison = ladder_record([rung_record("head", 0.8, runs=[rung_run([])])])
    records = {
        f"compared/{LADDER}": comparison,
        f"compared/{comparison.chosen.run}/{RECORD}": fit_record(),
        f"{HOSTILE}/{RECORD}": fit_record(),
        f"deep/er/mini/{RECORD}": pretrain_record(),
    }
    for name, record in records.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_record(file, record)
    (place / "damaged").mkdir()
    (place / "damaged" / RECORD).write_text("{", encoding="utf-8")
    (place / ".hidden").mkdir()
    write_record(place / ".hidden" / RECORD, fit_record())
    return place


@pytest.fixture(scope="module")
def words(toy_reviews: Callable[..., tuple[list[str], list[int]]]) -> TextClassifier:
    return TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(60))


@pytest.fixture
def client(words: TextClassifier, folder: Path) -> Iterator[TestClient]:
    with TestClient(local_app({"words": words.fitted_}, runs=str(folder)), LOCAL) as client:
        yield client


def test_lists_runs_and_comparisons(client: TestClient, folder: Path) -> None:
    answer = client.get("/runs").json()
    assert answer["folder"] == "runs"
    found = {run["name"]: run for run in answer["runs"]}
    chosen = ladder_record([rung_record("head", 0.8, runs=[rung_run([])])]).chosen.run
    within = f"compared/{chosen}"
    assert set(found) == {"compared", within, HOSTILE, "deep/er/mini", "damaged"}
    kinds = {name: run["kind"] for name, run in found.items()}
    assert kinds["compared"] == "comparison"
    assert kinds["deep/er/mini"] == "pretraining"
    assert found[within]["parent"] == "compared"
    assert found[HOSTILE]["parent"] is None
    accuracy = fit_record().test.accuracy
    assert found[HOSTILE]["accuracy"]["value"] == accuracy.value
    assert found["damaged"]["status"] == "unreadable"
    assert found["damaged"]["problem"]


def test_a_changed_record_is_read_again(folder: Path) -> None:
    past = PastRuns(folder)
    past.describe_all()
    write_record(folder / "damaged" / RECORD, fit_record())
    found = {run.name: run for run in past.describe_all()}
    assert found["damaged"].status == "finished"


@pytest.mark.parametrize("name", ["compared", HOSTILE, "deep/er/mini"])
def test_shows_a_report(client: TestClient, name: str) -> None:
    answer = client.get("/runs/report", params={"run": name})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert f"script-src {script_source()};" in policy
    assert "sandbox allow-scripts" in policy
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    (script,) = re.findall(r"script-src '(sha256-[^']+)'", answer.text)
    assert f"'{script}'" == script_source()


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/outside",
        "compared/../../outside",
        "..",
        "",
        ".",
        "nothing",
        "linked",
        ".hidden",
        "..%2foutside",
        "a\x00b",
    ],
)
def test_no_name_leads_out_of_the_folder(client: TestClient, folder: Path, name: str) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    write_record(outside / RECORD, fit_record())
    os.symlink(outside, folder / "linked", target_is_directory=True)
    name = name.replace("/outside", f"{outside}") if name == "/outside" else name
    assert client.get(f"/runs/report?run={quote(name, safe='')}").status_code == 404
    assert all("linked" not in run["name"] for run in client.get("/runs").json()["runs"])


def test_links_are_not_followed(client: TestClient, folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    write_record(outside / RECORD, fit_record())
    (folder / "by-file").mkdir()
    os.symlink(outside / RECORD, folder / "by-file" / RECORD)
    assert client.get("/runs/report", params={"run": "by-file"}).status_code == 404
    os.symlink(outside / RECORD, folder / HOSTILE / "logits.safetensors")
    assert client.get("/runs/report", params={"run": HOSTILE}).status_code == 422


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode")
def test_a_name_that_is_not_unicode(client: TestClient, folder: Path) -> None:
    for raw in (b"\xff", b"\xfe"):
        place = Path(os.fsdecode(os.fsencode(folder) + b"/" + raw))
        place.mkdir()
        (place / RECORD).write_text("{", encoding="utf-8")
    write_record(place / RECORD, fit_record())
    names = {run["name"] for run in client.get("/runs").json()["runs"]}
    assert {"\\udcff", "\\udcfe"} <= names
    for name, status in (("\\udcff", 422), ("\\udcfe", 200)):
        link = client.post("/runs/link", json={"run": name}).json()["path"]
        assert client.get(link).status_code == status


def test_an_unfinished_or_damaged_run_has_no_report(client: TestClient) -> None:
    assert client.get("/runs/report", params={"run": "damaged"}).status_code == 422


def test_nothing_is_written(client: TestClient, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    client.get("/runs")
    client.get("/runs/report", params={"run": "compared"})
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_without_a_folder(words: TextClassifier) -> None:
    with TestClient(local_app({"words": words.fitted_}), LOCAL) as client:
        assert client.get("/runs").json() == {"folder": None, "runs": []}
        assert client.get("/runs/report", params={"run": "a"}).status_code == 404


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ThawlineError) as error:
        PastRuns(tmp_path / "nowhere")
    assert error.value.setting == "runs"


def test_the_number_of_runs_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thawline.serving.past.MAX_RUNS", 3)
    for number in range(5):
        (tmp_path / f"run{number}").mkdir()
        (tmp_path / f"run{number}" / RECORD).write_text("{", encoding="utf-8")
    assert len(PastRuns(tmp_path).describe_all()) == 3 < MAX_RUNS


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:80", 200), ("example.org:8000", 403)],
)
def test_a_foreign_name_of_this_machine_is_refused(
    client: TestClient, host: str, status: int
) -> None:
    for path in ("/runs", "/runs/report?run=compared"):
        assert client.get(path, headers={"host": host}).status_code == status


@pytest.mark.parametrize("name", ["nothing", "\ud800", "../compared"])
def test_only_a_run_gets_a_link(client: TestClient, name: str) -> None:
    headers = {"content-type": "application/json"}
    asked = json.dumps({"run": name})
    assert client.post("/runs/link", content=asked, headers=headers).status_code == 404


class TestLinks:
    def test_a_part_of_the_name_is_no_time(self) -> None:
        links = Links()
        path, _, query = links.make("a b").partition("?")
        given = parse_qs(query)
        forged = {
            "run": "b",
            "until": f"{given['until'][0]} a",
            "signature": given["signature"][0],
        }
        for values, allowed in ((query, True), (urlencode(forged), False)):
            scope = {"type": "http", "path": path, "query_string": values.encode()}
            assert links.allows(scope) is allowed

    def test_a_link_needs_no_token(self, words: TextClassifier, folder: Path) -> None:
        right = {"authorization": "Bearer secret"}
        with TestClient(
            local_app({"words": words.fitted_}, runs=str(folder), token="secret")
        ) as client:
            assert client.get("/runs").status_code == 401
            assert client.post("/runs/link", json={"run": "compared"}).status_code == 401
            assert client.get("/runs/report", params={"run": "compared"}).status_code == 401
            made = client.post("/runs/link", json={"run": "compared"}, headers=right).json()
            assert client.get(made["path"]).status_code == 200
            for changed in (
                made["path"].replace("run=compared", "run=damaged"),
                re.sub(r"until=(\d+)", r"until=9\1", made["path"]),
                made["path"] + "&run=damaged",
                made["path"][:-1],
                made["path"] + "0",
                made["path"].replace("/runs/report", "/runs"),
            ):
                assert client.get(changed).status_code == 401, changed

    def test_a_link_ends(
        self, words: TextClassifier, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("thawline.serving.runs.VALID_SECONDS", -1)
        right = {"authorization": "Bearer secret"}
        with TestClient(
            local_app({"words": words.fitted_}, runs=str(folder), token="secret")
        ) as client:
            made = client.post("/runs/link", json={"run": "compared"}, headers=right).json()
            assert client.get(made["path"]).status_code == 401
