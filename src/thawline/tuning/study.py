"""The study of Optuna in an SQLite file: its samples, its pruning, and how it is shared."""

from __future__ import annotations

import base64
import errno
import json
import shutil
import sqlite3
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np
from numpy.typing import NDArray

from thawline.errors import ThawlineError, elide
from thawline.runs.lock import LOCK
from thawline.runs.resume import as_written
from thawline.runtime.untrusted import open_regular
from thawline.tuning.foreign import STUDY_NAME, check_own

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

STUDY = "study.db"
"""The file of the study in the folder of a search."""

_MAGIC = b"SQLite format 3\0"

HEARTBEAT, GRACE = 15, 60
"""The seconds between two signs of life of a trial, and those after which it counts as killed."""

RETRIES = 1
"""How often a trial is made again if its process was killed, which it may have caused itself."""

_SYSTEM_ERRORS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}
"""The numbers of errors of the operating system, by the codes of SQLite for them."""

_LEAST_FREE = 64 * 2**10
"""The free bytes below which an I/O error is taken for a full disk."""

STARTUP_TRIALS = 10
"""The number of random trials before TPE, and of finished trials before the first is pruned."""

QUARTERS = 4
"""The parts of the schedule of a trial at whose ends it may be pruned."""

LOCK_SECONDS = 60
"""How long a process waits for another one to write to the file."""

MAX_LOGITS = 50_000
"""The largest number of logits of a trial that are kept, for the nested score."""

LOGITS, REPEATED, ERROR = "logits", "repeated", "error"
"""Attributes of a trial: its logits on validation, the number of the trial with the same settings,
and the error."""


def import_optuna() -> Any:
    """Return the module of Optuna.

    Raises:
        ThawlineError: If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ThawlineError(
            "the package optuna, which makes the search",
            "no module optuna",
            'run pip install "thawline[tune]"',
        ) from error
    return optuna


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Hide the log lines and the warnings of Optuna inside the ``with`` block."""
    optuna = import_optuna()
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


@contextmanager
def open_study(
    folder: Path, score: str, seed: int, identity: Mapping[str, Any]
) -> Iterator[optuna.Study]:
    """Open the study in the folder of a search, or make it.

    Args:
        folder: The folder, which must exist.
        score: The score of the trials, as in `measure`.
        seed: The seed of the samples.
        identity: What all processes and starts must have in common, as JSON values by name.

    Raises:
        ThawlineError: If the study belongs to another search, or if its file is damaged or that of
            another program.
    """
    optuna = import_optuna()
    from sqlalchemy.exc import DatabaseError

    file = folder / STUDY
    try:
        with filelock.FileLock(folder / LOCK, timeout=LOCK_SECONDS), storage_errors(file):
            check_file(file)
            storage = _storage(file)
            study = optuna.create_study(
                study_name=STUDY_NAME,
                storage=storage,
                direction="minimize" if score == "loss" else "maximize",
                sampler=make_sampler(seed),
                pruner=_pruner(),
                load_if_exists=True,
            )
            _check_trials(study, file)
            _check_same(study, json.loads(json.dumps(identity)), folder)
    except (DatabaseError, optuna.exceptions.StorageInternalError, RuntimeError) as error:
        raise _damaged(file) from error
    try:
        with storage_errors(file):
            yield study
    finally:
        storage.engine.dispose()  # merges the write-ahead log into the file


@contextmanager
def storage_errors(file: Path) -> Iterator[None]:
    """Turn an error of SQLite, behind whichever error of Optuna, into one of the file.

    Args:
        file: The file of the study.

    Raises:
        OSError: If SQLite could not write, for example because the disk is full.
        ThawlineError: If the file is damaged.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, sqlite3.Error):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _SYSTEM_ERRORS:
            number = _SYSTEM_ERRORS[code]
            # SQLite reports an I/O error if a full disk cannot hold its index of the log.
            if number == errno.EIO and shutil.disk_usage(file.parent).free < _LEAST_FREE:
                number = errno.ENOSPC
            raise OSError(number, str(cause), str(file)) from error
        raise _damaged(file) from error


def check_file(file: Path) -> None:
    """Check that a file, if it exists, holds the study of a search, or nothing yet.

    Args:
        file: The file of the study. It is only read.

    Raises:
        ThawlineError: If it is not a database of SQLite, or holds something else.
    """
    if file.is_file() and file.stat().st_size:
        with open_regular(file) as stream:
            if stream.read(len(_MAGIC)) != _MAGIC:
                raise _damaged(file)
        with storage_errors(file):
            check_own(file)


def _damaged(file: Path) -> ThawlineError:
    found, fix = "a file that cannot be read", "restore the file, or choose another folder"
    return ThawlineError(f"a study of Optuna in '{file}'", found, fix)


def _storage(file: Path) -> Any:
    """Return the storage, in which a commit does not wait for the disk.

    With a write-ahead log, a killed process loses nothing. Only a power cut may lose the last
    trials, and the file stays valid.
    """
    optuna = import_optuna()
    from sqlalchemy import event

    def prepare(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    retry = optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{file.absolute().as_posix()}",
        engine_kwargs={"connect_args": {"timeout": LOCK_SECONDS}},
        heartbeat_interval=HEARTBEAT,
        grace_period=GRACE,
        heartbeat_stale_trial_callback=retry,
    )
    event.listen(storage.engine, "connect", prepare)
    storage.engine.dispose()  # connections that exist were not prepared
    return storage


def _check_trials(study: optuna.Study, file: Path) -> None:
    """Raise ThawlineError if the file has trials that Optuna cannot read."""
    try:
        study.get_trials(deepcopy=False)
    except (LookupError, TypeError, ValueError) as error:
        raise _damaged(file) from error


def _check_same(study: optuna.Study, identity: dict[str, Any], folder: Path) -> None:
    """Raise ThawlineError if a study was started with other values."""
    known = study.user_attrs
    if not known:
        for name, value in identity.items():
            study.set_user_attr(name, value)
        return
    for name, value in identity.items():
        before = known.get(name)
        if before != value:
            then, now = _difference(before, value)
            raise ThawlineError(
                f"the {name} that the search in '{folder}' was started with{then}",
                f"other {name}{now}",
                "use what it was started with, or choose another folder",
                setting="out",
            )


def _difference(before: Any, now: Any) -> tuple[str, str]:
    """Return the first difference between what two searches should have in common.

    Args:
        before: Settings by name, or strategies, each with what is searched for it. Nothing is
            returned for other values, such as digests.
        now: The same of the other search.

    Returns:
        What only the first and what only the second has, in parentheses. Empty if that is nothing.
    """
    then, new = _described(before), _described(now)
    gone, added = [one for one in then if one not in new], [one for one in new if one not in then]
    return "".join(f" ({elide(one)})" for one in gone[:1]), "".join(
        f" ({elide(one)})" for one in added[:1]
    )


def _described(value: Any) -> list[str]:
    """Return settings, or what is searched for each strategy, as strings."""
    if isinstance(value, dict):
        return [f"{key} = {as_written(one)}" for key, one in value.items()]
    arms = value if isinstance(value, list) else []
    return [f"{arm[0]}: {one}" for arm in arms if isinstance(arm, list) for one in arm[1:]]


def make_sampler(seed: int) -> Any:
    """Return TPE whose samples for a trial depend on the seed and the trial's number.

    With a single random state, a resumed process and a second process would repeat the samples of
    the first one. After a trial whose settings were known, choices are sampled at random, because
    TPE would otherwise sample a good head without a learning rate again and again.

    Args:
        seed: The seed.
    """
    optuna = import_optuna()

    class NumberedSampler(optuna.samplers.BaseSampler):  # type: ignore[name-defined]
        """TPE with a random state of its own for each trial."""

        def __init__(self) -> None:
            self._own: Any = None
            self._is_random = False
            self._random: Any = None

        def _start(self, number: int) -> None:
            (mixed,) = np.random.SeedSequence((seed, number)).generate_state(1)
            self._own = optuna.samplers.TPESampler(
                n_startup_trials=STARTUP_TRIALS,
                multivariate=True,
                group=True,
                constant_liar=True,
                seed=int(mixed),
            )
            self._random = optuna.samplers.RandomSampler(seed=int(mixed))

        def before_trial(self, study: Any, trial: FrozenTrial) -> None:
            self._start(trial.number)
            trials = study.get_trials(deepcopy=False)
            before = trials[trial.number - 1] if trial.number else None
            self._is_random = before is not None and REPEATED in before.user_attrs
            self._own.before_trial(study, trial)

        def infer_relative_search_space(self, study: Any, trial: FrozenTrial) -> Any:
            return self._own.infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: FrozenTrial, space: Any) -> Any:
            sampled = self._own.sample_relative(study, trial, space)
            choice = optuna.distributions.CategoricalDistribution
            return {
                name: value
                for name, value in sampled.items()
                if not (self._is_random and isinstance(space[name], choice))
            }

        def sample_independent(self, study: Any, trial: FrozenTrial, name: str, of: Any) -> Any:
            sampler = self._random if self._is_random else self._own
            return sampler.sample_independent(study, trial, name, of)

        def after_trial(self, study: Any, trial: FrozenTrial, state: Any, values: Any) -> None:
            self._own.after_trial(study, trial, state, values)

    return NumberedSampler()


def _pruner() -> Any:
    """Return the pruner, which compares the scores of trials at the same quarter."""
    return import_optuna().pruners.MedianPruner(
        n_startup_trials=STARTUP_TRIALS, n_min_trials=STARTUP_TRIALS // 2
    )


# -- logits of trials -----------------------------------------------------------------------------


def encode_logits(logits: NDArray[np.float32]) -> str | None:
    """Return the logits of a trial as text, in half precision. None if they are too many."""
    if logits.size > MAX_LOGITS:
        return None
    most = np.finfo(np.float16).max
    small = np.clip(logits, -most, most).astype("<f2")
    return base64.b64encode(zlib.compress(small.tobytes())).decode()


def decode_logits(trial: FrozenTrial, shape: tuple[int, int]) -> NDArray[np.float16] | None:
    """Return the logits of a trial. None if they were not kept, or if they are damaged.

    Args:
        trial: The trial.
        shape: The numbers of texts and of labels.
    """
    text = trial.user_attrs.get(LOGITS)
    if text is None:
        return None
    decompressor = zlib.decompressobj()
    size = 2 * shape[0] * shape[1]
    try:
        content = decompressor.decompress(base64.b64decode(text), size)
    except (TypeError, ValueError, zlib.error):
        return None
    if len(content) != size:
        return None
    return np.frombuffer(content, dtype="<f2").reshape(shape).astype(np.float16)
