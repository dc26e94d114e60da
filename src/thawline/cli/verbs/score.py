"""`thawline score`: classify the rows of files of any size."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.console import input_bytes, print_json, write_bytes
from thawline.cli.groups import app
from thawline.config import ScoreConfig
from thawline.errors import ThawlineError
from thawline.runtime.imports import quick_imports
from thawline.runtime.paths import expand

if TYPE_CHECKING:
    from thawline.runtime.progress import Reporter
    from thawline.scoring.job import Scored, ScoringJob
    from thawline.scoring.places import Place
    from thawline.scoring.readers import Reader
    from thawline.scoring.writers import Format, Opener

SETTINGS = {
    "Rows": ("text", "top", "safe_csv", "format", "rows_per_block"),
    "Compute": ("ray", "device", "dtype"),
}

STANDARD = "-"
"""The name of standard input and of standard output."""

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN… INPUT OUTPUT",
        help="Folders of one or several runs, then the rows to classify and the file to write. "
        "INPUT is a file, a folder or a pattern such as 'reviews/*.csv', each as a path or a URL, "
        "or - for standard input. OUTPUT is a file, a folder if there are several inputs or with "
        "--ray, or - for standard output.",
        show_default=False,
    ),
]


@verb_with_settings(app, ScoreConfig, SETTINGS)
def score(config: ScoreConfig, paths: Paths, as_json: opt.Json = False) -> None:
    """Classify the rows of files of any size.

    Each row is written with its prediction. Memory does not grow with the size of a file. The same
    command continues a job that was stopped.
    """
    if len(paths) < 3:
        fix = "write thawline score RUN INPUT OUTPUT"
        found = "only " + " and ".join(f"'{path}'" for path in paths)
        raise ThawlineError("a run, an input and an output", found, fix)
    *runs, given, output = paths
    with quick_imports():
        from thawline.runtime.progress import TerminalReporter
        from thawline.scoring.files import pair_files
        from thawline.scoring.job import ScoringJob
        from thawline.scoring.places import open_place

    reporter = TerminalReporter()
    if config.ray is not None:
        _print(_score_on_ray(runs, config, given, output, reporter), as_json=as_json)
        return
    if given == STANDARD or output == STANDARD:
        job = ScoringJob(list(map(expand, runs)), config, reporter)
        _stream(job, config, given, output)
        return
    files = pair_files(given, output)
    job = ScoringJob(list(map(expand, runs)), config, reporter)
    for line in job.predictor.describe([Path(run).name for run in runs]):
        reporter.message(line)
    if len(files) > 1:  # those whose output exists were scored by an earlier command
        missing = [(file, target) for file, target in files if not open_place(target).exists()]
        if len(missing) < len(files):
            reporter.message(f"{len(files) - len(missing):,} outputs exist and are kept")
        files = missing
    for reader, target in [(job.open(file), target) for file, target in files]:
        for warning in reader.warnings:
            reporter.message(warning)
        _print(job.score(reader, target), as_json=as_json)


def _print(scored: Scored, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(scored))
        return
    now = scored.rows - scored.kept
    kept = f", {scored.kept:,} of them by an earlier command" if scored.kept else ""
    typer.echo(f"{scored.output}: {scored.rows:,} rows{kept}")
    if now:
        typer.echo(f"{now:,} rows in {scored.seconds:.1f} s: {now / scored.seconds:,.0f} rows/s")
    if scored.without_text:
        rows = "row has" if scored.without_text == 1 else "rows have"
        typer.echo(f"{scored.without_text:,} {rows} no text and thus no prediction")


def _score_on_ray(
    runs: list[str], config: ScoreConfig, given: str, output: str, reporter: Reporter
) -> Scored:
    """Score on a Ray cluster, which reads files and writes parts."""
    from thawline.runtime.packages import check_extra
    from thawline.scoring.files import find_inputs

    if STANDARD in (given, output):
        fix = "give a file or a folder for both, or omit --ray"
        raise ThawlineError("an input and an output that are files", "'-'", fix, setting="ray")
    inputs = find_inputs(given, output)
    check_extra("ray", ("ray",))
    with quick_imports():
        from thawline.scoring.on_ray import score_on_ray

    return score_on_ray(list(map(expand, runs)), config, inputs, output, reporter)


def _stream(job: ScoringJob, config: ScoreConfig, given: str, output: str) -> None:
    """Score standard input, or write to standard output. Such a job cannot be continued."""
    from thawline.scoring.files import pair_files, spooled_input
    from thawline.scoring.places import open_place
    from thawline.scoring.writers import open_format

    with ExitStack() as stack:
        if given == STANDARD:
            file = stack.enter_context(spooled_input(input_bytes(), config.format))
        else:
            found = pair_files(given, given)
            if len(found) > 1:
                raise ThawlineError(
                    "one file for standard output",
                    f"{len(found)} files in '{given}'",
                    "give a folder for the outputs",
                    setting="input",
                )
            file = found[0][0]
        reader = job.open(file)
        if output == STANDARD:
            suffix = {".txt": ".csv", ".parquet": ".jsonl"}.get(file.suffix, file.suffix)
            if config.format is not None and given != STANDARD:
                suffix = f".{config.format}"
            write: Callable[[bytes], object] = write_bytes
            name = f"output{suffix}"
        else:
            form = open_format(output, safe=config.safe_csv)
            _stream_to_file(job, reader, form, open_place(output))
            return
        job.stream(reader, open_format(name, safe=config.safe_csv), write)
        sys.stdout.flush()


def _stream_to_file(job: ScoringJob, reader: Reader, form: Format, place: Place) -> None:
    """Score standard input into a new file. Parts of Parquet cannot simply be appended."""
    place.check_new()
    openers: list[Opener] = []
    with TemporaryDirectory() as folder:

        def keep(content: bytes) -> None:
            part = Path(folder) / f"{len(openers)}"
            part.write_bytes(content)
            openers.append(lambda: part.open("rb"))

        job.stream(reader, form, keep)
        place.write_output(lambda stream: form.join(openers, stream))
