"""What is wrong with a command line as such: its verb, its options, what stands after them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import typer

from thawline.errors import ThawlineError, did_you_mean

# The base of typer's own errors has no public name, and its module depends on typer's version.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

_NO_VERB = re.compile(r"No such command '(?P<name>.*?)'")
_TOO_MANY = re.compile(r"unexpected extra arguments?(\(s\))? \((?P<words>.*)\)")


def explain(error: Exception) -> ThawlineError:
    """Say what typer found wrong as every other error of the command line is said.

    Args:
        error: a `UsageError`.
    """
    context: Any = getattr(error, "ctx", None)
    verb = "thawline" if context is None else context.command_path
    message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    see = f"see {verb} --help"
    option = getattr(error, "option_name", None)
    parameter = getattr(error, "param", None)
    if option is not None and hasattr(error, "possibilities"):
        near = _near(option, _options(context))
        return ThawlineError(f"an option of {verb}", option, f"{near}{see}")
    if option is not None:
        if "requires an argument" in message:
            return ThawlineError(f"{option} with a value", "none", "write one after it")
        return ThawlineError(f"{option} without a value", "one", "leave the value out")
    if parameter is not None and message.startswith("Missing"):
        return ThawlineError(f"{parameter.metavar} after {verb}", "nothing", f"add it; {see}")
    if found_verb := _NO_VERB.search(message):
        name, known = found_verb["name"], list(context.command.commands)
        return ThawlineError(f"a verb of {verb}", f"'{name}'", did_you_mean(name, known))
    if too_many := _TOO_MANY.search(message):
        words = too_many["words"]
        return ThawlineError(f"no more words after {verb}", f"'{words}'", f"leave that out; {see}")
    return ThawlineError(f"a command line that {verb} takes", message.rstrip("."), see)


def _options(context: Any) -> list[str]:
    """Return the names of the options that a verb has, long ones."""
    names = [name for one in context.command.params for name in (*one.opts, *one.secondary_opts)]
    return ["--help", "--debug", *(name for name in names if name.startswith("--"))]


def _near(word: str, known: Iterable[str]) -> str:
    near = did_you_mean(word, known)
    return f"{near} " if near.startswith("did you mean") else ""
