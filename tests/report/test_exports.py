"""The table of a ladder as Markdown, CSV and JSON values."""

from __future__ import annotations

import csv
import io
import json

from tests.support.records import ladder_record, rung_record
from thawline.report.exports import ladder_csv, ladder_markdown, ladder_values

RECORD = ladder_record([rung_record("a|b", 0.85, "worse"), rung_record("full", 0.9, "within")])


def test_markdown_has_a_row_for_each_rung_and_escapes_their_names():
    header, rule, first, second, *below = ladder_markdown(RECORD).splitlines()
    columns = header.count("|")
    assert all(row.count("|") == columns for row in (rule, second))
    assert first.startswith("| `a\\|b` | 85.0 (83.0 to 87.0) | 2.0 (-2.0 to 6.0) | worse |")
    assert RECORD.verdict.words in "\n".join(below)
    assert RECORD.chosen.run in "\n".join(below)


def test_csv_has_the_values_of_every_rung():
    rows = list(csv.DictReader(io.StringIO(ladder_csv(RECORD))))
    assert [row["rung"] for row in rows] == ["a|b", "full"]
    assert float(rows[0]["accuracy"]) == 0.85
    assert float(rows[0]["below_best_high"]) == 0.05
    assert rows[0]["decision"] == "worse"
    assert rows[0]["latency_seconds"] == ""
    assert [row["is_verdict"] for row in rows] == ["False", "True"]


def test_values_are_json():
    values = json.loads(json.dumps(ladder_values(RECORD)))
    assert values[1]["is_to_use"] is True
    assert values[0]["seconds"] == RECORD.rungs[0].cost.seconds
    assert values[0].keys() == values[1].keys()
