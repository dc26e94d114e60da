"""Register commands whose options are built from the settings of a config."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from thawline.cli import options as opt
from thawline.cli.naming import rungs_named, verb_naming
from thawline.cli.options import SettingOption
from thawline.config.annotations import settings_of
from thawline.errors import ThawlineError, settings_named

if TYPE_CHECKING:
    from thawline.config import AnyConfig
    from thawline.config.annotations import GivenSetting

Verb = Callable[..., None]

SMALL = "--small"
"""An entry in a list of settings that stands for the option ``--small`` of ``data.limit``."""

VALUE_OPTIONAL = ("--ray",)
"""Options whose value can be omitted at the end of a command or before another option."""

COMMON_SECTION = "Configuration and output"
"""The title of the last section of a help, which lists the options without another section."""

OPTION_WIDTH = 24
"""The width of the help's first column. The text of a longer option starts on the next line."""


class SectionedCommand(TyperCommand):
    """A command whose help lists the options in sections, and which refuses repeated options.

    The help is plain text. typer can group options only in its help with rich, which takes 25 %
    longer to print.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises:
            ThawlineError: If an option that takes one value is given twice. typer itself would
                use the last value.
        """
        args = _with_values(args)
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in order:
            name, times = parameter.opts[0], order.count(parameter)
            if times > 1 and parameter.param_type_name == "option" and not _may_repeat(parameter):
                found = f"{name} {times} times" if times > 2 else f"{name} twice"
                raise ThawlineError(f"one {name}", found, "remove all but one of them")
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the name of the command in the line of its usage."""
        arguments = [one for one in self.get_params(ctx) if one.param_type_name == "argument"]
        return [self.options_metavar or "", *map(_usage_of_argument, arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options section by section."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        common: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            section = getattr(parameter, "rich_help_panel", None)
            if row is not None and parameter.param_type_name == "argument":
                name = parameter.metavar or row[0]  # typer adds the type in Python's words
                sections["Arguments"].append((name, row[1]))
            elif row is not None:
                (common if section is None else sections.setdefault(section, [])).append(row)
        sections["Options" if len(sections) == 1 else COMMON_SECTION] = common
        names = [name for rows in sections.values() for name, _ in rows]
        width = min(OPTION_WIDTH, max(map(len, names)))  # one width aligns all sections
        for section, rows in sections.items():
            if rows:
                with formatter.section(section):
                    padded = [(name.ljust(width), text) for name, text in rows]
                    formatter.write_dl(padded, col_max=OPTION_WIDTH)


def verb_with_settings(
    app: typer.Typer,
    config_type: type[AnyConfig],
    settings: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    files: bool = True,
    check: bool = True,
) -> Callable[[Verb], Verb]:
    """Register a function as a verb that has options for some settings.

    The function takes the resolved config as its first argument, and its own options and arguments
    after it. If it has the options ``out`` and ``resume``, the verb can resume a run.

    Args:
        app: The application or group to which the verb is added.
        config_type: The dataclass of the config.
        settings: The dotted keys of the settings, or `SMALL`. A mapping gives the keys of each
            section of the help.
        files: Whether the verb has the options ``--config`` and ``--set``.
        check: Whether to check the config. If False, the verb checks all values itself, so that it
            starts without importing pydantic.

    Returns:
        A decorator that registers a function and returns it unchanged.
    """
    known = settings_of(config_type)
    sections = settings if isinstance(settings, Mapping) else {None: settings}
    options: dict[str, SettingOption] = {}
    parameters = [_parameter("context", typer.Context, inspect.Parameter.empty)]
    for section, keys in sections.items():
        for key in keys:
            option = opt.small(known) if key == SMALL else SettingOption(known[key])
            options[option.name] = option
            parameters.append(_parameter(option.name, *option.parameter(section)))
    if files:
        parameters.append(_parameter("config_file", opt.ConfigFile, None))
        parameters.append(_parameter("overrides", opt.Overrides, None))

    def register(function: Verb) -> Verb:
        # The first parameter is the config.
        _, *extra_parameters = inspect.signature(function, eval_str=True).parameters.values()

        def run(context: typer.Context, **values: Any) -> None:
            arguments = {parameter.name: values[parameter.name] for parameter in extra_parameters}
            naming = partial(verb_naming, known, options.values(), has_set=files)
            with settings_named(naming()):
                given = opt.given_settings(context, options)
                if check:
                    config = _resolve(given, config_type, values, function.__name__)
                else:
                    config = config_type(**{setting.key: setting.value for setting in given})
            written = _keys_in_file(config, given, values)
            rungs = getattr(config, "rungs", getattr(config, "strategies", ()))
            with settings_named(naming(written=written)), rungs_named(rungs):
                function(config, **arguments)

        signature = inspect.Signature([*parameters, *map(_keyword_only, extra_parameters)])
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {
            name: parameter.annotation for name, parameter in signature.parameters.items()
        }
        run.__name__, run.__doc__ = function.__name__, function.__doc__
        app.command(cls=SectionedCommand)(run)
        return function

    return register


def _with_values(args: list[str]) -> list[str]:
    """Return the arguments with an empty value after each option that can be given without one."""
    found = []
    for number, argument in enumerate(args):
        found.append(argument)
        if argument in VALUE_OPTIONAL and (number + 1 == len(args) or args[number + 1][:1] == "-"):
            found.append("")
    return found


def _usage_of_argument(argument: Any) -> str:
    """Return an argument as the usage shows it, with an ellipsis if it takes several words."""
    name = str(argument.metavar or argument.name.upper())
    shown = name if argument.required else f"[{name}]"
    return shown if argument.nargs == 1 or "…" in name else f"{shown}…"


def _may_repeat(option: Any) -> bool:
    """Return whether an option can be given twice: it takes several values or is a plain flag."""
    return bool(option.multiple or (option.is_flag and not option.secondary_opts))


def _keys_in_file(
    config: AnyConfig, given: Sequence[GivenSetting], values: Mapping[str, Any]
) -> set[str]:
    """Return the keys of the settings that the user wrote only in the file of ``--config``."""
    if values.get("config_file") is None:
        return set()
    from thawline.config.resolve import written_keys

    overrides = [text.partition("=")[0].strip() for text in values.get("overrides") or ()]
    elsewhere = {*overrides, *(one.key for one in given)}
    return {
        key
        for key in written_keys(config)
        if not any(f"{key}.".startswith(f"{other}.") for other in elsewhere)
    }


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)


def _keyword_only(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def _resolve(
    given: Sequence[GivenSetting],
    config_type: type[AnyConfig],
    values: Mapping[str, Any],
    verb: str,
) -> AnyConfig:
    """Return the config that results from the options, ``--set`` and ``--config`` of a verb.

    Args:
        given: The settings whose options the user gave.
        config_type: The dataclass of the config.
        values: The values of all parameters, as typer read them.
        verb: The name of the verb.

    Raises:
        ThawlineError: If a value is invalid, or if ``--resume`` is given without ``--out``.
    """
    from thawline.config.resolve import resolve_config

    file: Path | None = values.get("config_file")
    overrides: Sequence[str] = values.get("overrides") or ()
    if not values.get("resume", False):
        return resolve_config(given, config_type=config_type, file=file, overrides=overrides)
    from thawline.runs.resume import resumed_config

    out: Path | None = values["out"]
    if out is None:
        found = "--resume without --out"
        raise ThawlineError("--out with --resume", found, "name the run with --out RUN")
    return resumed_config(out, given, job=config_type, verb=verb, file=file, overrides=overrides)
