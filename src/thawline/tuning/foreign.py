"""Recognise an SQLite file that is not the study of a search, before Optuna adds tables to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from thawline.errors import ThawlineError, elide

STUDY_NAME = "thawline"
"""The name of the study in the file of a search."""

ROWS = "rows"
"""An attribute of the study of every search: the digest of its rows."""

_TABLES = {"studies", "version_info"}
"""The tables that Optuna creates first."""


def check_own(file: Path) -> None:
    """Check that an SQLite file holds the study of a search, or nothing yet.

    The study has the name `STUDY_NAME` and the attribute `ROWS`, or neither attributes nor trials
    if its process was killed. The file is only read.

    Args:
        file: The file, which is a database of SQLite.

    Raises:
        ThawlineError: If it holds something else.
        sqlite3.Error: If it cannot be read.
    """
    # A study in use, or whose process was killed, has a log next to it, which must be read. Without
    # one, SQLite would create it.
    log = file.with_name(f"{file.name}-wal")
    mode = "mode=ro" if log.is_file() and log.stat().st_size else "immutable=1"
    uri = f"{file.absolute().as_uri()}?{mode}"
    with closing(sqlite3.connect(uri, uri=True)) as base:
        tables = [str(name) for (name,) in base.execute(_ALL_TABLES)]
        if not tables:
            return
        if not {*tables} >= _TABLES:
            raise _foreign(file, f"an SQLite file with other tables ({elide(', '.join(tables))})")
        names = [str(name) for (name,) in base.execute("SELECT study_name FROM studies")]
        if names and not any(base.execute(_OWN, {"name": STUDY_NAME, "key": ROWS})):
            raise _foreign(file, f"the Optuna study '{elide(names[0])}' of another program")


_ALL_TABLES = """
    SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
"""

_OWN = """
    SELECT 1 FROM studies AS s WHERE study_name = :name AND (
        EXISTS (SELECT 1 FROM study_user_attributes WHERE study_id = s.study_id AND "key" = :key)
        OR NOT EXISTS (SELECT 1 FROM study_user_attributes WHERE study_id = s.study_id)
        AND NOT EXISTS (SELECT 1 FROM trials WHERE study_id = s.study_id)
    )
"""


def _foreign(file: Path, found: str) -> ThawlineError:
    return ThawlineError(
        f"a study of an earlier search in '{file}'",
        found,
        "choose another folder, or move this file away",
        setting="out",
    )
