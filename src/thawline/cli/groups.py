"""The command line application and its groups of verbs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from thawline._version import __version__
from thawline.errors import ThawlineError

_GROUP: dict[str, Any] = {
    "invoke_without_command": True,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 100},
}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, **_GROUP)
store_app = typer.Typer(**_GROUP)
app.add_typer(store_app, name="store")


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error. Every command accepts it."),
    ] = False,
) -> None:
    """Turn a pretrained transformer into a text classifier, and compare the ways to train it.

    Run `thawline COMMAND --help` for the options of a command.
    """
    if version:
        typer.echo(f"thawline {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@store_app.callback()
def store_root(context: typer.Context) -> None:
    """List or clear the store of frozen states."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def require_data(data: str | None) -> None:
    """Raise ThawlineError if the user named no data set."""
    if data is None:
        fix = "add --data with a data set's name, a file or a folder"
        raise ThawlineError("--data", "none", fix, setting="data.data")
