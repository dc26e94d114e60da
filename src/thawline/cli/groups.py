"""The command line as such: its groups of verbs, and how a verb comes to its settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thawline._version import __version__
from thawline.cli import options as opt
from thawline.config import Config
from thawline.errors import ThawlineError

if TYPE_CHECKING:
    from thawline.config.resolve import Job

_SETTINGS: dict[str, Any] = {
    "invoke_without_command": True,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, **_SETTINGS)
store_app = typer.Typer(**_SETTINGS)
app.add_typer(store_app, name="store")


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; any verb takes it.")
    ] = False,
) -> None:
    """Turn a pretrained transformer into a text classifier, and see what it is worth."""
    if version:
        typer.echo(f"thawline {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@store_app.callback()
def store_root(context: typer.Context) -> None:
    """Look at, or empty, the store of frozen states."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def configured(
    context: typer.Context,
    file: Path | None = None,
    overrides: list[str] | None = None,
    job: type[Job] = Config,  # type: ignore[assignment]
    settings: Mapping[str, str] = opt.SETTINGS,
) -> Job:
    """Return what the options, ``--set`` and ``--config`` of a verb make together.

    Args:
        context: of the verb.
        file: what ``--config`` names.
        overrides: what ``--set`` gives.
        job: the settings of this kind of verb.
        settings: the key of each option's setting, by the option's name.
    """
    from thawline.config.resolve import resolve_config

    given = opt.given(context, settings)
    return resolve_config(
        given, job=job, file=file, overrides=[] if overrides is None else overrides
    )


def resumed(
    context: typer.Context,
    out: Path | None,
    file: Path | None = None,
    overrides: list[str] | None = None,
    job: type[Job] = Config,  # type: ignore[assignment]
    settings: Mapping[str, str] = opt.SETTINGS,
    *,
    verb: str = "fit",
) -> Job:
    """Return the config of the run that is to go on, or the one given where there is no run.

    Args:
        context: of the verb.
        out: what ``--out`` names.
        file: what ``--config`` names.
        overrides: what ``--set`` gives.
        job: the settings of this kind of verb.
        settings: the key of each option's setting, by the option's name.
        verb: that makes such a run.

    Raises:
        ThawlineError: ``--out`` is missing, or as `resumed_config`.
    """
    from thawline.runs.resume import resumed_config

    if out is None:
        raise ThawlineError(
            "--out beside --resume", "--resume alone", "name the run with --out RUN"
        )
    given, spoken = opt.given(context, settings), [] if overrides is None else overrides
    return resumed_config(out, given, job=job, verb=verb, file=file, overrides=spoken)


def require_data(data: str | None) -> None:
    """Raise ThawlineError where no set was named."""
    if data is None:
        fix = "add --data with a set's name, a file or a folder"
        raise ThawlineError("--data", "none", fix)
