"""Read the config and the record of a run that is resumed."""

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
        if folder.is_dir() and any(folder.iterdir()):
            found = f"a folder without {CONFIG}"
            raise ThawlineError(f"a run to resume in '{folder}'", found, "choose another --out")
        return resolve_config(options, config_type=job, file=file, overrides=overrides)
    _check_verb(folder, verb, read_status(folder, verb).verb)
    given = resolve_config(
        options, config_type=job, file=file, overrides=overrides, saved=folder / CONFIG
    )
    return check_same_config(folder, given)


def check_same_config(folder: Path, given: ConfigT) -> ConfigT:
    """Return the config that a run was started with.

    Args:
        folder: The folder of the run.
        given: The config that the run is resumed with.

    Raises:
        ThawlineError: If the two configs differ, or if this version cannot read that of the run.
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
    """Return the record of a run. None if it was killed before it wrote a record.

    Args:
        folder: The folder of the run.
        verb: The command that is resumed.

    Raises:
        ThawlineError: If the record cannot be read, or if another command made the run.
    """
    if not (folder / RECORD).is_file():
        return None
    record = read_record(folder / RECORD)
    if not isinstance(record, RunStart):
        raise ThawlineError(f"a run in '{folder}'", "a ladder", "choose another --out")
    _check_verb(folder, verb, record.verb)
    return record


def _check_verb(folder: Path, verb: str, made_by: str) -> None:
    """Raise ThawlineError if another command made the run."""
    if made_by != verb:
        raise ThawlineError(
            f"a run of thawline {verb} in '{folder}'",
            f"a run of thawline {made_by}",
            "choose another --out",
        )
