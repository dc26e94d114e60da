"""Read the config and the record of a run that is resumed."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from thawline.config import AnyConfig, Config
from thawline.config.annotations import flat_settings, flatten_settings, settings_of
from thawline.config.resolve import (
    ConfigT,
    GivenSetting,
    build_config,
    change_config,
    config_to_toml,
    resolve_config,
)
from thawline.errors import ThawlineError
from thawline.runs.folder import CONFIG, FIT, holds_files, is_run, same_settings
from thawline.runs.layout import RECORD, is_cut, read_status
from thawline.runs.records.files import RunRecord, read_record
from thawline.runs.records.run import RunStart
from thawline.runtime.failures import system_errors
from thawline.runtime.files import remove
from thawline.runtime.progress import Reporter


def resumed_config(
    folder: Path,
    options: Sequence[GivenSetting] = (),
    *,
    job: type[ConfigT] = Config,  # type: ignore[assignment]
    verb: str = FIT,
    file: Path | None = None,
    overrides: Sequence[str] = (),
) -> ConfigT:
    """Return the config that a run was started with, or a new config if there is no run.

    Args:
        folder: The folder of the run.
        options: The options, in the form that `resolve_config` takes. Settings that they do not
            give are those of the run.
        job: The class of the config.
        verb: The command that is resumed.
        file: A TOML file with settings. If None, no file is read.
        overrides: Settings in the form ``key=value``.

    Raises:
        ThawlineError: If the settings differ from those of the run, if this version cannot read
            the config of the run, or if the folder is not that of such a run.
    """
    if not is_run(folder):
        if holds_files(folder):
            found = f"a folder without {CONFIG}"
            raise ThawlineError(f"a run to resume in '{folder}'", found, "choose another folder")
        return resolve_config(options, config_type=job, file=file, overrides=overrides)
    _check_verb(folder, verb, read_status(folder, verb).verb)
    with tempfile.TemporaryDirectory() as place:
        # The file of the run may be damaged, so its settings are read from a copy.
        saved = Path(place, CONFIG)
        saved.write_text(config_to_toml(started_config(folder, job, verb)), encoding="utf-8")
        given = resolve_config(
            options, config_type=job, file=file, overrides=overrides, saved=saved
        )
    return check_same_config(folder, given, verb, can_omit=True)


def check_same_config(
    folder: Path, given: ConfigT, verb: str = FIT, *, can_omit: bool = False
) -> ConfigT:
    """Return the config that a run was started with.

    Args:
        folder: The folder of the run.
        given: The config that the run is resumed with.
        verb: The command that is resumed.
        can_omit: Whether settings that are not given are those of the run. Otherwise they are the
            defaults, as in a comparison, so that a setting must be given again.

    Raises:
        ThawlineError: If the two configs differ, or if this version cannot read that of the run.
    """
    started, given = started_config(folder, type(given), verb), change_config(given, ())
    now, before = flat_settings(given), flat_settings(started)
    if now != before:
        key = _first_other(before, now)
        is_default = before[key] == settings_of(type(started))[key].default
        fix = "omit that setting" if can_omit or is_default else "use that value"
        raise _other_setting(folder, before, now, f"{fix}, or choose another folder")
    return started


def started_config(folder: Path, job: type[ConfigT], verb: str = FIT) -> ConfigT:
    """Return the config that a run was started with, from its record and from its ``config.toml``.

    Args:
        folder: The folder of the run.
        job: The class of the config.
        verb: The command that is resumed.

    Raises:
        ThawlineError: If the record cannot be read, if somebody has changed the file, if the file
            is damaged and the run has no record, or if this version cannot read the settings.
    """
    record, file = read_run(folder, verb), folder / CONFIG
    if record is None and not (file.is_file() and file.stat().st_size):
        found = f"an empty {CONFIG}" if file.is_file() else f"no {CONFIG} and no complete {RECORD}"
        fix = "choose another folder"
        raise ThawlineError(f"the settings of a run in '{file}'", found, fix)
    if record is None or same_settings(file, record.config):
        return resolve_config(config_type=job, file=file)
    sources = {"": f"the config in '{folder / RECORD}'"}
    sources |= {key: f"{key} in '{folder / RECORD}'" for key, _ in flatten_settings(record.config)}
    recorded = change_config(build_config(record.config, sources, config_type=job), ())
    if file.is_file() and not _is_cut(file, config_to_toml(recorded, verb)):
        _check_unchanged(folder, recorded, job)
    return recorded


def is_lost(folder: Path, config: Config) -> bool:
    """Return whether a folder has a fit of which neither the record nor the settings are complete.

    Args:
        folder: The folder.
        config: The settings that the fit should have.
    """
    if not is_run(folder) or read_run(folder, FIT) is not None:
        return False
    file, text = folder / CONFIG, config_to_toml(change_config(config, ()), FIT)
    return not file.is_file() or (_is_cut(file, text) and file.stat().st_size < len(text.encode()))


def remove_lost(folder: Path, config: Config, reporter: Reporter) -> None:
    """Remove the folder of a fit that is lost, and report it, so that the fit is made again."""
    if is_lost(folder, config):
        reporter.message(f"the run in '{folder}' is damaged; it is made again")
        with system_errors(folder):
            remove(folder)


def _is_cut(file: Path, text: str) -> bool:
    """Return whether a file is only the beginning of a text, or is not TOML."""
    content = file.read_bytes()
    try:
        tomllib.loads(content.decode())
    except (ValueError, RecursionError):
        return True
    return text.encode().startswith(content)


def _check_unchanged(folder: Path, recorded: AnyConfig, job: type[AnyConfig]) -> None:
    """Raise ThawlineError if the file of a run's settings has others than its record."""
    now = flat_settings(resolve_config(config_type=job, file=folder / CONFIG))
    if now != flat_settings(recorded):
        fix = f"remove '{folder / CONFIG}', which is then written again, or choose another folder"
        raise _other_setting(folder, flat_settings(recorded), now, fix)


def _other_setting(
    folder: Path, before: dict[str, object], now: dict[str, object], fix: str
) -> ThawlineError:
    """Return the error for the first setting that differs from that of a run."""
    key = _first_other(before, now)
    return ThawlineError(
        f"`{key}` as in the run in '{folder}' ({as_written(before[key])})",
        f"'{as_written(now[key])}'",
        fix,
        setting=key,
    )


def _first_other(before: dict[str, object], now: dict[str, object]) -> str:
    """Return the key of the first setting that differs."""
    return next(key for key in before if before[key] != now[key])


def as_written(value: object) -> str:
    """Return the value of a setting as the command line writes it, for example "40,20"."""
    if isinstance(value, list | tuple):
        return ",".join(map(as_written, value)) or "none"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def read_run(folder: Path, verb: str) -> RunRecord | None:
    """Return the record of a run. None if it has none.

    A run has no record if it was killed before it wrote one, or if somebody has deleted it. The
    record of a fit may also be only the beginning of a file; the fit is then made again from its
    settings. A pretraining is not, because it may have taken days.

    Args:
        folder: The folder of the run.
        verb: The command that is resumed.

    Raises:
        ThawlineError: If the record cannot be read, or if another command made the run.
    """
    if not (folder / RECORD).is_file() or (verb == FIT and is_cut(folder / RECORD)):
        return None
    record = read_record(folder / RECORD)
    if not isinstance(record, RunStart):
        raise ThawlineError(f"a run in '{folder}'", "a ladder", "choose another folder")
    _check_verb(folder, verb, record.verb)
    return record


def _check_verb(folder: Path, verb: str, made_by: str) -> None:
    """Raise ThawlineError if another command made the run."""
    if made_by != verb:
        raise ThawlineError(
            f"a run of thawline {verb} in '{folder}'",
            f"a run of thawline {made_by}",
            "choose another folder",
        )
