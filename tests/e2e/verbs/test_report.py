"""`thawline report`."""

from __future__ import annotations

from pathlib import Path

from tests.support.command_line import thawline
from tests.support.html import parse
from tests.support.verb_runs import refusal


def test_report_writes_one_html_file_about_a_run(real):
    done = thawline("report", real.run, "--out", "a.html")
    assert done.code == 0, done.err
    assert "a.html" in done.out
    page = parse(Path("a.html").read_text(encoding="utf-8"))
    assert "reviews" in page.one("h1").text()
    assert {"calibration", "errors", "repeat"} <= {one["id"] for one in page.all("section")}
    assert f"thawline predict {real.run} " in page.text()


def test_report_as_json_names_the_file(real):
    done = thawline("report", real.run, "--out", "a.html", "--json")
    assert done.json == {"file": "a.html", "bytes": Path("a.html").stat().st_size}


def test_report_needs_a_run():
    refusal(thawline("report", "no-such-run"))
    refusal(thawline("report"))
    assert not list(Path().iterdir())
