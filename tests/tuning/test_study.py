"""The study in SQLite: it is shared, resumed, and its samples depend on the trial's number."""

from __future__ import annotations

import errno
import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest

from thawline.config import TuneConfig
from thawline.errors import ThawlineError
from thawline.tuning import study as studies
from thawline.tuning.job import tune
from thawline.tuning.study import (
    LOGITS,
    STUDY,
    decode_logits,
    encode_logits,
    open_study,
    quiet_optuna,
)

optuna = pytest.importorskip("optuna")

IDENTITY = {"rows": "abc", "settings": {"lr": 0.1}}


def value_of(trial) -> float:
    return trial.suggest_float("lr", 0.0, 1.0) + trial.suggest_categorical("k", (1, 2))


def values_of(folder, *starts: int) -> list[tuple[float, ...]]:
    folder.mkdir()
    for trials in starts:
        with quiet_optuna(), open_study(folder, "accuracy", 0, IDENTITY) as study:
            study.optimize(value_of, n_trials=trials)
            found = [tuple(trial.params.values()) for trial in study.trials]
    return found


def test_a_study_in_two_starts_has_the_trials_of_one(tmp_path):
    whole = values_of(tmp_path / "whole", 14)
    assert values_of(tmp_path / "parts", 5, 9) == whole
    assert len(set(whole)) == 14


def test_a_study_of_something_else_is_refused(tmp_path):
    with quiet_optuna():
        with open_study(tmp_path, "loss", 0, IDENTITY) as study:
            assert study.direction.name == "MINIMIZE"
        with (
            pytest.raises(ThawlineError, match="settings"),
            open_study(tmp_path, "loss", 0, {**IDENTITY, "settings": {"lr": 0.2}}),
        ):
            pass


def test_the_error_names_what_differs(tmp_path):
    first = {
        "rows": "abc",
        "space": [["head", "lr=1..2", "epochs=1..3"]],
        "settings": {"lr": 0.1, "pooling": None},
    }
    others = (
        {**first, "space": [["head", "lr=1..2", "epochs=1..4"]]},
        {**first, "settings": {"lr": 0.1, "pooling": "first"}},
    )
    shown = (("epochs=1..3", "epochs=1..4"), ("pooling = none", "pooling = first"))
    with quiet_optuna():
        with open_study(tmp_path, "loss", 0, first):
            pass
        for other, (before, now) in zip(others, shown, strict=True):
            with pytest.raises(ThawlineError) as caught, open_study(tmp_path, "loss", 0, other):
                pass
            assert before in caught.value.expected
            assert now in caught.value.found


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / STUDY).write_bytes(b"no database" * 1_000)
    with (
        quiet_optuna(),
        pytest.raises(ThawlineError, match=STUDY),
        open_study(tmp_path, "loss", 0, IDENTITY),
    ):
        pass


def write_table(file):
    with closing(sqlite3.connect(file)) as base, base:
        base.execute("create table studies (id)")


def write_study(name, **attributes):
    def write(file):
        with closing(sqlite3.connect(file)) as base:
            base.execute("pragma journal_mode=wal")
        study = optuna.create_study(study_name=name, storage=f"sqlite:///{file}")
        for key, value in attributes.items():
            study.set_user_attr(key, value)
        study.optimize(value_of, n_trials=1)
        study._storage._backend.engine.dispose()

    return write


@pytest.mark.parametrize(
    "write",
    [write_table, write_study("mine"), write_study("thawline"), write_study("thawline", owner=1)],
)
def test_a_file_of_another_program_is_not_changed(tmp_path, write):
    file = tmp_path / "known" / STUDY
    file.parent.mkdir()
    with quiet_optuna():
        write(file)
    before = file.read_bytes()
    with pytest.raises(ThawlineError) as caught:
        tune(TuneConfig(), file.parent)
    assert caught.value.setting == "out"
    assert [*file.parent.iterdir()] == [file]
    with (
        quiet_optuna(),
        pytest.raises(ThawlineError),
        open_study(file.parent, "accuracy", 0, IDENTITY),
    ):
        pass
    assert file.read_bytes() == before


def test_a_study_in_a_log_is_read(tmp_path):
    file = tmp_path / STUDY
    with closing(sqlite3.connect(file)) as base:
        base.execute("pragma journal_mode=wal")
        base.execute("create table notes (text)")
        with pytest.raises(ThawlineError):
            studies.check_file(file)
    file.unlink()
    with quiet_optuna(), open_study(tmp_path, "accuracy", 0, IDENTITY):
        assert file.with_name(f"{STUDY}-wal").stat().st_size
        studies.check_file(file)


@pytest.mark.parametrize("content", ["nothing", "tables", "study"])
def test_a_killed_start_is_continued(tmp_path, content):
    file = tmp_path / STUDY
    with quiet_optuna():
        if content == "nothing":
            with closing(sqlite3.connect(file)) as base:
                base.execute("pragma journal_mode=wal")
        else:
            storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
            if content == "study":
                optuna.create_study(study_name="thawline", storage=storage, direction="maximize")
            storage.engine.dispose()
        with open_study(tmp_path, "accuracy", 0, IDENTITY) as study:
            assert study.user_attrs == IDENTITY


@pytest.mark.parametrize(
    "change",
    [
        "update trial_params set distribution_json = '{}'",
        "update trial_user_attributes set value_json = '{'",
    ],
)
def test_damaged_trials_are_refused(tmp_path, change):
    with quiet_optuna():
        with open_study(tmp_path, "accuracy", 0, IDENTITY) as study:
            trial = study.ask()
            trial.suggest_categorical("head", ("linear", "mlp:8"))
            trial.set_user_attr(LOGITS, "no logits")
            study.tell(trial, 0.5)
            assert decode_logits(study.trials[0], (2, 2)) is None
        with closing(sqlite3.connect(tmp_path / STUDY)) as base, base:
            base.execute(change)
        with (
            pytest.raises(ThawlineError, match=STUDY),
            open_study(tmp_path, "accuracy", 0, IDENTITY),
        ):
            pass


def test_a_trial_of_a_killed_process_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "HEARTBEAT", 1)
    monkeypatch.setattr(studies, "GRACE", 1)
    with quiet_optuna(), open_study(tmp_path, "accuracy", 0, IDENTITY) as study:
        killed = study.ask()
        killed.suggest_float("lr", 0.0, 1.0)
        study._storage.record_heartbeat(killed._trial_id)
        time.sleep(2.1)
        study.optimize(value_of, n_trials=1)
        states = [trial.state.name for trial in study.trials]
        assert states == ["FAIL", "COMPLETE"]
        assert study.trials[1].params["lr"] == study.trials[0].params["lr"]


def test_after_a_known_trial_choices_are_random_and_numbers_are_not(tmp_path):
    with quiet_optuna(), open_study(tmp_path, "accuracy", 0, IDENTITY) as study:
        study.optimize(lambda trial: 3 - value_of(trial), n_trials=20)
        chosen = set()
        for _ in range(12):
            trial = study.ask()
            trial.set_user_attr(studies.REPEATED, 0)
            study.tell(trial, 1.0)
            after = study.ask()
            value_of(after)
            chosen.add(after.params["k"])
            study.tell(after, state=optuna.trial.TrialState.FAIL)
        assert chosen == {1, 2}


def test_a_full_disk_is_an_error_of_the_system_and_damage_is_one_of_the_file(tmp_path):
    def write() -> None:
        try:
            with sqlite3.connect(":memory:") as base:
                base.execute("pragma max_page_count=1")
                base.execute("create table a (b)")
        except sqlite3.Error as error:
            raise AssertionError from error  # Optuna wraps it

    file = tmp_path / STUDY
    with pytest.raises(OSError, match="full") as caught, studies.storage_errors(file):
        write()
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(ThawlineError), studies.storage_errors(file):
        raise RuntimeError from sqlite3.DatabaseError("malformed")
    with pytest.raises(ZeroDivisionError), studies.storage_errors(file):
        raise ZeroDivisionError


def test_logits_come_back_in_half_precision():
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    text = encode_logits(logits)
    trial = optuna.trial.create_trial(value=0.5, user_attrs={LOGITS: text})
    found = decode_logits(trial, (5, 3))
    np.testing.assert_array_equal(found, logits.astype(np.float16))
    assert decode_logits(trial, (9, 3)) is None
    assert encode_logits(np.zeros((50_000, 2), dtype=np.float32)) is None
