"""`thawline export`: write a saved classifier in the format of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.console import print_json, print_text
from thawline.cli.groups import app
from thawline.config import ExportConfig
from thawline.errors import ThawlineError
from thawline.runtime.imports import quick_imports
from thawline.runtime.paths import expand

SETTINGS = ("to", "int8")

Folder = Annotated[
    Path | None,
    typer.Option(
        "--out", parser=expand, metavar="FOLDER", help="New folder to write to. Required."
    ),
]


@verb_with_settings(app, ExportConfig, SETTINGS, files=False)
def export(
    config: ExportConfig, run: opt.RunPath, out: Folder = None, as_json: opt.Json = False
) -> None:
    """Export a saved classifier to ONNX or to plain transformers.

    The folder appears only if the export computes the same logits as the run.
    """
    from thawline.runs.layout import find

    if out is None:
        raise ThawlineError("--out", "none", "name the new folder with --out FOLDER")
    if config.int8 and config.to != "onnx":
        fix = "remove --int8, or write --to onnx"
        raise ThawlineError("--int8 with --to onnx", f"--to {config.to}", fix, setting="int8")
    find(run)  # fail before the large imports
    with quick_imports():
        from thawline.jobs.export import export_run
    from thawline.runtime.progress import TerminalReporter

    report = export_run(run, config, out, TerminalReporter())
    if as_json:
        print_json(report.to_dict())
        return
    from thawline.report.exported import export_lines

    print_text("\n".join(export_lines(report)))
