"""`thawline report`: write the report on a run or a comparison as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import SectionedCommand
from thawline.cli.console import print_json, print_text
from thawline.cli.groups import app
from thawline.runtime.imports import quick_imports
from thawline.runtime.paths import expand

Recorded = Annotated[
    Path,
    typer.Argument(parser=expand, metavar="RUN", help="Folder of a run or of a comparison."),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--out",
        parser=expand,
        metavar="FILE",
        help="HTML file to write. It is replaced if it exists. Default: report.html in the folder.",
        show_default=False,
    ),
]


@app.command(cls=SectionedCommand)
def report(run: Recorded, out: File = None, as_json: opt.Json = False) -> None:
    """Write a run or a comparison as one HTML file.

    The file contains its plots and needs no network.
    """
    with quick_imports():
        from thawline.jobs.report import write_report

    file = write_report(run, out)
    if as_json:
        print_json({"file": str(file), "bytes": file.stat().st_size})
    else:
        print_text(f"report  {file}")
