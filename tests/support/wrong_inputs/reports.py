"""Runs that `report` cannot describe, and places where it cannot write."""

from __future__ import annotations

from tests.support.breakage import Wrong, cut_short, json_with, written

REPORT = [
    Wrong("no run", "report"),
    Wrong("a run with a typo", "report rnu"),
    Wrong("a saved classifier", "report run/model"),
    Wrong("a truncated record", "report run", written("run/record.json", '{"status": "finished",')),
    Wrong(
        "a record of a later version", "report run", json_with("run/record.json", schema_version=9)
    ),
    Wrong("truncated logits", "report run", cut_short("run/logits.safetensors")),
    Wrong("a folder as --out", "report run --out reviews"),
    Wrong("a file of another kind as --out", "report run --out mine.csv", written("mine.csv", "a")),
    Wrong("--out below a file", "report run --out mine.txt/a.html", written("mine.txt", "a")),
]
