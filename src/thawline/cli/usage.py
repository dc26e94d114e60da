"""Explain invalid command lines: unknown verbs and options, and missing values."""

from __future__ import annotations

import re
from typing import Any

import typer

from thawline.errors import ThawlineError, did_you_mean, join_lines

# The base of typer's own errors has no public name, and its module depends on typer's version.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

_NO_VERB = re.compile(r"No such command '(?P<name>.*?)'")
_TOO_MANY = re.compile(r"unexpected extra arguments?(\(s\))? \((?P<words>.*)\)")


def explain(error: Exception) -> ThawlineError:
    """Return a ThawlineError for an error of typer.

    Args:
        error: A `UsageError`.
    """
    if (raised := _raised_by_parser(error)) is not None:
        return raised
    context: Any = getattr(error, "ctx", None)
    verb = "thawline" if context is None else context.command_path
    message = join_lines(error.format_message())  # type: ignore[attr-defined]
    see_help = f"run `{verb} --help` to list the options"
    option = getattr(error, "option_name", None)
    parameter = getattr(error, "param", None)
    if option is not None and hasattr(error, "possibilities"):
        hint = did_you_mean(option, _options(context))
        fix = hint if hint.startswith("did you mean") else see_help
        if (name := option.removeprefix("--").upper()) in _arguments(context):
            fix = f"write {name} without {option}"
        elif (" " in option or not option.startswith("--")) and _takes_texts(context):
            fix = f"write -- before texts that start with a minus, after all options of {verb}"
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
        if "--data" in _options(context):
            fix = f"write --data before the name of a data set, or run `{verb} --help`"
        return ThawlineError(f"no more arguments of {verb}", f"'{words}'", fix)
    return ThawlineError(f"valid arguments of {verb}", f"an error: {message.rstrip('.')}", see_help)


def _raised_by_parser(error: Exception) -> ThawlineError | None:
    """Return the error of a function that converts an option's value. typer wraps it twice."""
    problems: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    errors = [problem.get("ctx", {}).get("error") for problem in problems]
    return next((one for one in errors if isinstance(one, ThawlineError)), None)


def _options(context: Any) -> list[str]:
    """Return the long options of a verb."""
    names = [name for one in context.command.params for name in (*one.opts, *one.secondary_opts)]
    return [name for name in names if name.startswith("--")]


def _arguments(context: Any) -> list[str]:
    """Return the words of the help for the arguments of a verb, such as DATA or RUN."""
    arguments = (one for one in context.command.params if one.param_type_name == "argument")
    return [word for one in arguments for word in re.findall("[A-Z]+", one.metavar or "")]


def _takes_texts(context: Any) -> bool:
    return any(parameter.metavar == "RUN | TEXT" for parameter in context.command.params)
