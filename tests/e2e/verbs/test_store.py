"""`thawline store`."""

from __future__ import annotations

from tests.support.command_line import thawline


def test_the_store_is_listed_and_cleared(fit):
    empty = thawline("store", "ls").out
    assert thawline("store", "ls", "--json").out == ""
    fit()
    fit("--out", "short", "--max-length", "16", "--truncation-side", "left")
    listed = thawline("store", "ls", "--json").json_lines
    assert {(entry["max_length"], entry["texts"]) for entry in listed} == {(40, 112), (16, 112)}
    shown = thawline("store", "ls").out
    assert all(entry["entry"][:8] in shown for entry in listed)
    assert "last 16" in shown
    freed = thawline("store", "clear", "--json").json["freed_bytes"]
    assert freed >= sum(entry["bytes"] for entry in listed) > 0
    assert thawline("store", "ls").out == empty
    assert "0.0 MB" in thawline("store", "clear").out
