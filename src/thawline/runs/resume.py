"""The config and the record of a run that is resumed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from thawline.config import Config
from thawline.config.annotations import flatten_settings
from thawline.config.resolve import ConfigT, GivenSetting, resolve_config
from thawline.errors import ThawlineError
from thawline.runs.folder import CONFIG, FIT, Verb, is_run
from thawline.runs.layout import RECORD, read_status
from thawline.runs.records.files import RunRecord, read_record
from thawline.runs.records.run import RunStart


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
        options: The options, as `resolve_config` takes them. What they leave out is as in the run.
        job: The class of the config.
        verb: The command that makes such a run.
        file: The TOML file, as `resolve_config` takes it.
        overrides: The overrides, as `resolve_config` takes them.

    Raises:
        ThawlineError: If the settings differ from those of the run, if this version cannot read
            the config of the run, or if the folder holds something else.
    """
    if not is_run(folder):
        if folder.is_dir() and any(folder.iterdir()):
            found = f"a folder without {CONFIG}"
            raise ThawlineError(f"a run to resume at '{folder}'", found, "choose another --out")
        return resolve_config(options, config_type=job, file=file, overrides=overrides)
    _check_verb(folder, verb, read_status(folder, verb).verb)
    given = resolve_config(
        options, config_type=job, file=file, overrides=overrides, saved=folder / CONFIG
    )
    return check_same_config(folder, given)


def check_same_config(folder: Path, given: ConfigT) -> ConfigT:
    """Return the config that a run was started with.

    Raises:
        ThawlineError: If the given config differs from it, or if this version cannot read it.
    """
    started = resolve_config(config_type=type(given), file=folder / CONFIG)
    if given != started:
        now, before = (dict(flatten_settings(config.to_dict())) for config in (given, started))
        key = next(key for key in before if before[key] != now[key])
        value = "none" if before[key] is None else before[key]
        raise ThawlineError(
            f"the setting {key} of the run in '{folder}' ({value})",
            str(now[key]),
            "omit that setting, or choose another --out",
            setting=key,
        )
    return started


def read_run(folder: Path, verb: Verb) -> RunRecord | None:
    """Return the record of a run that was started before. None if it was killed before its first.

    Args:
        folder: The folder of the run.
        verb: The command that makes such a run.

    Raises:
        ThawlineError: If the record cannot be read, or if another command made it.
    """
    if not (folder / RECORD).is_file():
        return None
    record = read_record(folder / RECORD)
    if not isinstance(record, RunStart):
        raise ThawlineError(f"a run at '{folder}'", "a ladder", "choose another --out")
    _check_verb(folder, verb, record.verb)
    return record


def _check_verb(folder: Path, verb: str, made_by: str) -> None:
    if made_by != verb:
        raise ThawlineError(
            f"a run of thawline {verb} at '{folder}'",
            f"one of thawline {made_by}",
            "choose another --out",
        )
