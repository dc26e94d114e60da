"""Explain errors of the command line itself: unknown verbs and options, missing values."""

from __future__ import annotations

import re
from typing import Any

import typer

from thawline.errors import ThawlineError, did_you_mean

# The base of typer's own errors has no public name, and its module depends on typer's version.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

_NO_VERB = re.compile(r"No such command '(?P<name>.*?)'")
_TOO_MANY = re.compile(r"unexpected extra arguments?(\(s\))? \((?P<words>.*)\)")


def explain(error: Exception) -> ThawlineError:
    """Return a ThawlineError for an error of typer.

    Args:
        error: A `UsageError`.
    """
    context: Any = getattr(error, "ctx", None)
    verb = "thawline" if context is None else context.command_path
    message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    see = f"run `{verb} --help` to list the options"
    option = getattr(error, "option_name", None)
    parameter = getattr(error, "param", None)
    if option is not None and hasattr(error, "possibilities"):
        near = did_you_mean(option, _options(context))
        fix = near if near.startswith("did you mean") else see
        return ThawlineError(f"an option of {verb}", f"'{option}'", fix)
    if option is not None:
        if "requires an argument" in message:
            return ThawlineError(f"a value after {option}", "none", "add the value")
        return ThawlineError(f"no value for {option}", "one", "remove the value")
    if parameter is not None and message.startswith("Missing"):
        fix = f"add {parameter.metavar}, or run `{verb} --help`"
        return ThawlineError(f"{parameter.metavar} after {verb}", "nothing", fix)
    if found_verb := _NO_VERB.search(message):
        name, known = found_verb["name"], list(context.command.commands)
        return ThawlineError(f"a command of {verb}", f"'{name}'", did_you_mean(name, known))
    if too_many := _TOO_MANY.search(message):
        words = too_many["words"]
        fix = f"remove it, or run `{verb} --help`"
        return ThawlineError(f"no more arguments of {verb}", f"'{words}'", fix)
    return ThawlineError(f"valid arguments of {verb}", message.rstrip("."), see)


def _options(context: Any) -> list[str]:
    """Return the long options of a verb."""
    names = [name for one in context.command.params for name in (*one.opts, *one.secondary_opts)]
    return ["--help", "--debug", *(name for name in names if name.startswith("--"))]
