"""The options of the command line: options for settings, and options that several verbs share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from thawline.config import SMALL_RUN
from thawline.config.annotations import GivenSetting, Setting
from thawline.config.ranges import Bytes, Duration, Seeds, Sizes
from thawline.errors import ThawlineError
from thawline.runtime.durations import format_duration, parse_duration
from thawline.runtime.paths import expand

_MAX_SEEDS = 1_000
"""The largest number of seeds that can be given as a number."""

_MAX_DIGITS = 1_000
"""The largest number of digits of a number in a list."""

# -- options of settings --------------------------------------------------------------------------


@dataclass(frozen=True)
class SettingOption:
    """An option that sets a setting. By default, its name and text come from the setting's `Help`.

    Attributes:
        setting: The setting.
        value: The fixed value that the option gives to the setting. If None, the user gives the
            value.
        flag: The name of the option. If None, the name comes from the setting.
        text: The help text. If None, the text comes from the setting.
    """

    setting: Setting
    value: Any = None
    flag: str | None = None
    text: str | None = None

    @property
    def option(self) -> str:
        """The option as the user writes it, for example ``--lr``."""
        option = self.flag if self.flag is not None else self.setting.help.option
        name = self.setting.key.rpartition(".")[2]
        return option if option is not None else f"--{name.replace('_', '-')}"

    @property
    def name(self) -> str:
        """The name of the option's parameter, for example ``store_limit``."""
        return self.option.strip("-").replace("-", "_")

    @property
    def help_text(self) -> str:
        """The help text, which ends with the default."""
        if self.text is not None:
            return self.text
        help_ = self.setting.help
        default = self._shown_default()
        text = help_.text if default is None else f"{help_.text} Default: {default}."
        text = f"{text} Can be given several times." if help_.repeatable else text
        return text.replace("`", "")

    def _shown_default(self) -> str | None:
        default = self.setting.default
        if default is True:
            return self.option
        if default is None or default is False or default == ():
            return self.setting.help.default
        if self.setting.hint == Duration:
            return format_duration(default)
        if self.setting.type == Seeds and default == tuple(range(len(default))):
            return str(len(default))
        if self.setting.hint == Bytes:
            return f"{default / 2**20:g}MiB"
        if isinstance(default, float):
            return f"{default:g}"
        return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)

    def parameter(self, section: str | None) -> tuple[Any, Any]:
        """Return the annotation and the default of the option's parameter for typer.

        Args:
            section: The section of the help that lists the option. If None, the last section.
        """
        is_flag = self.value is not None or self.setting.type is bool
        declared = self.option
        if self.value is None and self.setting.default is True:
            declared = f"{declared}/--no-{self.option.strip('-')}"
        metavar = self.setting.help.metavar
        short = self.setting.help.short if self.value is None else None
        option = typer.Option(
            *([declared] if short is None else [declared, short]),
            help=self.help_text,
            metavar=None if is_flag else self.name.upper() if metavar is None else metavar,
            show_default=False,
            rich_help_panel=section,
        )
        if is_flag:
            return Annotated[bool, option], self.value is None and self.setting.default is True
        kind = list[str] if self.setting.help.repeatable else str
        return Annotated[kind | None, option], None

    def read(self, given: Any) -> Any:
        """Convert the value that typer read to a plain value, which `resolve_config` checks.

        Args:
            given: The value of the option, as typer read it.

        Raises:
            ThawlineError: If a pair of numbers or a size is malformed.
        """
        if self.value is not None:
            return self.value
        if not isinstance(given, str):
            return given
        if self.setting.hint == Bytes:
            return self._read_size(given)
        if self.setting.hint == Duration:
            return self._read_duration(given)
        if self.setting.type == Seeds:
            return self._read_seeds(given)
        if self.setting.type == Sizes:
            return self._read_sizes(given)
        if self.setting.is_list:
            items = [item.strip() for item in given.split(",")]
            return items if self.setting.type == tuple[str, ...] else self._read_pair(items, given)
        return _as_number(given) if self.setting.type in (int, float) else given

    def _read_pair(self, items: list[str], given: str) -> list[int]:
        if len(items) == 2 and all(map(_is_count, items)):
            return [int(item) for item in items]
        expected = f"two integers of at least 1 for {self.option}, separated by a comma"
        fix = f"write for example {self.option} 4000,2000"
        raise ThawlineError(expected, f"'{given}'", fix, setting=self.setting.key)

    def _read_size(self, given: str) -> int:
        from pydantic import ByteSize, TypeAdapter

        try:
            return int(TypeAdapter(ByteSize).validate_python(given))
        except (ValueError, OverflowError) as error:
            fix = f"write for example {self.option} 20GB, or 0 to store nothing"
            raise ThawlineError(
                f"a size for {self.option}", f"'{given}'", fix, setting=self.setting.key
            ) from error

    def _read_duration(self, given: str) -> float:
        seconds = parse_duration(given)
        if seconds is None:
            expected, fix = f"a time for {self.option}", f"write for example {self.option} 10m"
            raise ThawlineError(expected, f"'{given}'", fix, setting=self.setting.key)
        return seconds

    def _read_sizes(self, given: str) -> list[int]:
        items = [item.strip() for item in given.split(",")]
        if all(_is_count(item) or item == "all" for item in items):
            return [int(item) for item in items if item != "all"]
        expected = f"numbers of rows for {self.option}, separated by commas"
        fix = f"write for example {self.option} 100,500,all"
        raise ThawlineError(expected, f"'{given}'", fix, setting=self.setting.key)

    def _read_seeds(self, given: str) -> list[int]:
        items = [item.strip() for item in given.split(",")]
        number = int(items[0]) if len(items) == 1 and _is_count(items[0]) else None
        if number is not None and 1 <= number <= _MAX_SEEDS:
            return list(range(number))
        if number is None and all(map(_is_count, items)):
            return [int(item) for item in items]
        raise ThawlineError(
            f"a number of seeds from 1 to {_MAX_SEEDS} for {self.option}, or several seeds, "
            "separated by commas",
            f"'{given}'",
            f"write for example {self.option} 3",
            setting=self.setting.key,
        )


def _is_count(text: str) -> bool:
    """Return whether a text is a number of rows, or a seed. Python reads at most 4,300 digits."""
    return text.isdecimal() and len(text) <= _MAX_DIGITS


def _as_number(text: str) -> int | float | str:
    """Return a text as a number, or unchanged if it is none; `resolve_config` checks it."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def small(settings: Mapping[str, Setting]) -> SettingOption:
    """Return the option ``--small``, which sets the limit to fixed numbers of rows."""
    train, test = SMALL_RUN
    text = f"Sample {train:,} training rows and {test:,} test rows, as --limit {train},{test} does."
    (key,) = [key for key in settings if f".{key}".endswith(".data.limit")]
    return SettingOption(settings[key], list(SMALL_RUN), "--small", text)


def given_settings(
    context: typer.Context, options: Mapping[str, SettingOption]
) -> list[GivenSetting]:
    """Return the settings whose options the user gave.

    Args:
        context: The context of the verb.
        options: The options for settings, by the names of their parameters.

    Raises:
        ThawlineError: If the value of an option is malformed.
    """
    given = []
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if name in options and source is not None and source.name == "COMMANDLINE":
            option = options[name]
            value = option.read(context.params[name])
            given.append(GivenSetting(option.setting.key, value, parameter.opts[0]))
    return given


# -- options that verbs share ---------------------------------------------------------------------

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        parser=expand,
        metavar="FILE",
        help="TOML file with settings of this command.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any setting of this command by its name in such a file. Can be given several "
        "times.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        parser=expand, metavar="RUN", help="Folder of the run. Default: a new folder in runs/."
    ),
]
ComparisonOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        parser=expand,
        metavar="FOLDER",
        help="Folder of the comparison. If it contains one that was stopped, the comparison is "
        "continued. Default: a folder in runs/, which is the same when the command is repeated.",
        show_default=False,
    ),
]
SearchOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        parser=expand,
        metavar="FOLDER",
        help="Folder of the search. If it contains one with the same settings, this is continued. "
        "Default: a folder in runs/, which is the same when the command is repeated.",
        show_default=False,
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Resume the run in --out, or start it if it does not exist."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output, and nothing else.")
]
RunPath = Annotated[
    Path,
    typer.Argument(parser=expand, metavar="RUN", help="Folder of a run or of a saved classifier."),
]
