"""`thawline store`: list or clear the store."""

from __future__ import annotations

from thawline.cli import options as opt
from thawline.cli.console import print_json, print_text
from thawline.cli.groups import store_app


@store_app.command("ls")
def store_ls(as_json: opt.Json = False) -> None:
    """List the entries of the store."""
    from thawline import store

    found = store.entries()
    if as_json:
        for entry in found:
            print_json(entry.to_dict())
    else:
        from thawline.report.terminal import print_store

        print_store(found, store.home())


@store_app.command("clear")
def store_clear(as_json: opt.Json = False) -> None:
    """Delete all frozen states. They are computed again when needed."""
    from thawline import store

    freed = store.clear()
    if as_json:
        print_json({"freed_bytes": freed})
    else:
        print_text(f"freed {freed / 1e6:,.1f} MB in {store.home() / 'store'}")
        left = len(store.entries())
        if left:
            entries = "1 entry" if left == 1 else f"{left} entries"
            print_text(f"kept {entries} that another process is writing or reading")
