"""`thawline push`: upload a classifier to the model hub."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import SectionedCommand
from thawline.cli.console import print_json, print_text
from thawline.cli.groups import app
from thawline.runtime.files import remove
from thawline.runtime.imports import quick_imports
from thawline.runtime.paths import expand

if TYPE_CHECKING:
    from thawline.jobs.push import HubFolder

Repository = Annotated[
    str,
    typer.Argument(
        metavar="USER/NAME", help="Repository of the hub. It is created if it does not exist."
    ),
]
Private = Annotated[
    bool,
    typer.Option(
        "--private",
        help="Create a private repository. Default: a public one, or what your organisation sets.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Write the folder and list its files, but upload nothing."),
]
HubOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        parser=expand,
        metavar="FOLDER",
        help="Folder to write and to upload. One that an earlier push wrote is replaced. "
        "Default: push/NAME, which is deleted after the upload.",
        show_default=False,
    ),
]


@app.command(cls=SectionedCommand)
def push(
    run: opt.RunPath,
    repository: Repository,
    private: Private = False,
    dry_run: DryRun = False,
    out: HubOut = None,
    as_json: opt.Json = False,
) -> None:
    """Upload a classifier and its model card to the hub.

    Only the saved classifier and its card are uploaded, and no texts. Without a connection or a
    token, the command writes the folder, lists its files and ends with an error.
    """
    with quick_imports():
        from thawline.jobs.push import check_repository, upload, write_hub_folder
        from thawline.runtime.progress import TerminalReporter

    check_repository(repository)
    folder = Path("push", repository.rpartition("/")[2]) if out is None else out
    ready = write_hub_folder(run, repository, folder)
    if not as_json:
        _print_files(ready, print_text if dry_run else TerminalReporter().message)
    url = None
    if not dry_run:
        url = upload(ready, private=private)
        if out is None:
            remove(folder)
            with suppress(OSError):  # it holds other folders
                folder.parent.rmdir()
    if as_json:
        kept = None if url is not None and out is None else str(folder)
        print_json({**asdict(ready), "folder": kept, "url": url})
    else:
        print_text(f"dry run: {folder} is ready for {repository}" if url is None else url)


def _print_files(ready: HubFolder, show: Callable[[str], object]) -> None:
    width = max(len(file.name) for file in ready.files)
    for file in ready.files:
        show(f"{file.name.ljust(width)}  {file.bytes:>13,} bytes")
    total = sum(file.bytes for file in ready.files)
    show(f"{len(ready.files)} files, {total:,} bytes, for {ready.repository}")
    if ready.left_out:
        show(f"left out: {', '.join(ready.left_out)}")
