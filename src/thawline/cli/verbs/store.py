"""`thawline store`: list or clear the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from thawline.cli import options as opt
from thawline.cli.console import print_json, print_text
from thawline.cli.groups import store_app

SHOWN = 5
"""How many paths that Thawline did not write are shown."""


@store_app.command("ls")
def store_ls(as_json: opt.Json = False) -> None:
    """List the entries of the store and the cached word vectors."""
    from thawline import store
    from thawline.backbones.vectors import cache

    found, vectors = store.entries(), cache.cached_folders()
    if as_json:
        for entry in found:
            print_json(entry.to_dict())
        for cached in vectors:
            print_json({"vectors": cached.name, "bytes": cached.bytes})
        return
    from thawline.report.terminal import print_store

    print_store(found, store.home())
    if vectors:
        size, files = sum(cached.bytes for cached in vectors), _count(len(vectors), "file")
        print_text(f"word vectors of {files}, {size / 1e6:,.1f} MB in {cache.cache_folder()}")
    _print_foreign([*store.foreign_paths(), *cache.foreign_paths()])


@store_app.command("clear")
def store_clear(as_json: opt.Json = False) -> None:
    """Delete all frozen states and cached word vectors. They are made again when needed."""
    from thawline import store
    from thawline.backbones.vectors import cache

    cleared = store.clear()
    freed_vectors = cache.clear()
    foreign = [*store.foreign_paths(), *cache.foreign_paths()]
    if as_json:
        print_json(
            {
                "freed_bytes": cleared.freed + freed_vectors,
                "kept": list(cleared.kept),
                "foreign": [str(path) for path in foreign],
            }
        )
        return
    print_text(f"freed {cleared.freed / 1e6:,.1f} MB in {store.home() / 'store'}")
    if freed_vectors:
        print_text(f"freed {freed_vectors / 1e6:,.1f} MB in {cache.cache_folder()}")
    if cleared.kept:
        names = ", ".join(name[:8] for name in cleared.kept)
        entries = _count(len(cleared.kept), "entry", "entries")
        print_text(f"kept {entries} that a running process is writing or reading: {names}")
    _print_foreign(foreign)


def _print_foreign(paths: Sequence[Path]) -> None:
    """Print the paths that Thawline did not write, if there are any."""
    if paths:
        what = "this file or folder" if len(paths) == 1 else f"these {len(paths)} files and folders"
        it = "it" if len(paths) == 1 else "them"
        print_text(f"Thawline did not write {what} and never deletes {it}:")
        for path in paths[:SHOWN]:
            print_text(f"  {path}")
        if len(paths) > SHOWN:
            print_text("  …")


def _count(number: int, singular: str, plural: str | None = None) -> str:
    return f"1 {singular}" if number == 1 else f"{number} {plural or singular + 's'}"
