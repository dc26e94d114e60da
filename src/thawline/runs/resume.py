"""The config of a run that is resumed."""

from __future__ import annotations
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from thawline.config.resolve import resolve_config
from thawline.config.annotations import flatten_settings
from thawline.runtime.files import check_place, new_file
from thawline.config import Config
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter
from thawline.runs.layout import RECORD, read_whole_record
from thawline.config.resolve import AnyConfig, ConfigT, GivenSetting
from thawline.runs.folder import CONFIG, FIT, is_run


def resumed_config(
    folder: Path,
    options: Sequence[GivenSetting] = (),
    *,
    job: type[ConfigT] = Config,  # type: ignore[assignment]
    verb: str = FIT,
    file: Path | None = None,
    overrides: Sequence[str] = (),
) -> ConfigT:
    """Return the config that a run was begun with, or what is given now where there is no run.

    Args:
        folder: the run's.
        options: as `resolve_config` takes them; what is left out is as the run has it.
        job: what the settings are for.
        verb: that makes such a run.
        file: likewise.
        overrides: likewise.

    Raises:
        ThawlineError: they differ from the run's, this version cannot read the run's, or the
            folder holds something else.
    """
    if not is_run(folder):
        if folder.is_dir() and any(folder.iterdir()):
            found = f"a folder without {CONFIG}"
            raise ThawlineError(f"a run to go on with at '{folder}'", found, "choose another --out")
        return resolve_config(options, config_type=job, file=file, overrides=overrides)
    made_by = read_whole_record(folder).get("verb", verb)
    if made_by != verb:
        found = f"one of thawline {made_by}"
        raise ThawlineError(
            f"a run of thawline {verb} at '{folder}'", found, "choose another --out"
        )
    given = resolve_config(
        options, config_type=job, file=file, overrides=overrides, saved=folder / CONFIG
    )
    return check_begun(folder, given)


def check_begun(folder: Path, given: ConfigT) -> ConfigT:
    """Return the config that a run was begun with.

    Raises:
        ThawlineError: the config that is given differs from it, or this version cannot read it.
    """
    begun = resolve_config(config_type=type(given), file=folder / CONFIG)
    if given != begun:
        now, then = (dict(flatten_settings(config.to_dict())) for config in (given, begun))
        key = next(key for key in then if then[key] != now[key])
        raise ThawlineError(
            f"{key} as the run in '{folder}' has it ({'none' if then[key] is None else then[key]})",
            str(now[key]),
            "leave that out, or choose another --out",
        )
    return begun
