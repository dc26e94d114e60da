"""`thawline store`."""

from __future__ import annotations

from pathlib import Path

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


def test_a_folder_named_store_of_another_program_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("THAWLINE_HOME", str(tmp_path / "shop"))
    mine = [tmp_path / "shop" / name for name in ("store/app/manifest.json", "vectors/words.txt")]
    for path in mine:
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    assert "app" in thawline("store", "ls").out
    assert thawline("store", "ls", "--json").out == ""
    assert "app" in thawline("store", "clear").out
    cleared = thawline("store", "clear", "--json").json
    assert (cleared["freed_bytes"], cleared["kept"]) == (0, [])
    assert cleared["foreign"] == [str(mine[0].parent), str(mine[1])]
    assert [path.read_text() for path in mine] == ["{}", "{}"]


def test_cached_word_vectors_are_listed_and_cleared():
    from thawline.backbones.vectors import find_vectors
    from thawline.runtime.progress import Reporter

    Path("v.txt").write_text("the 1 2\nof 3 4\n")
    find_vectors("v.txt", Reporter())
    (listed,) = thawline("store", "ls", "--json").json_lines
    assert listed["bytes"] > 0
    assert thawline("store", "ls").out != thawline("store", "clear").out
    assert thawline("store", "ls", "--json").out == ""


def test_an_entry_in_use_is_kept_and_named(fit):
    from thawline.store import Entry, StoreKey

    fit()
    (listed,) = thawline("store", "ls", "--json").json_lines
    key = {name: listed[name] for name in ("backbone", "max_length", "truncation_side", "dtype")}
    entry = Entry(StoreKey(**key))
    assert entry.folder.name == listed["entry"]
    assert listed["entry"][:8] in thawline("store", "clear").out
    assert thawline("store", "clear", "--json").json["kept"] == [listed["entry"]]
    assert len(thawline("store", "ls", "--json").json_lines) == 1
    del entry
    assert thawline("store", "clear", "--json").json["kept"] == []
    assert thawline("store", "ls", "--json").out == ""
