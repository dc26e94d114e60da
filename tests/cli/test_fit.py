"""When `thawline fit` starts the process that proves the artifact, and how it ends."""

from __future__ import annotations

import gc
import sys
from unittest.mock import patch

import pytest

from tests.runtime.test_fresh import MODELLING, Started
from tests.support.command_line import thawline
from thawline.jobs import fit as job
from thawline.runs.layout import PROVER
from thawline.runtime import fresh


@pytest.fixture
def started():
    """The processes that `fit` starts, as if transformers were not imported yet."""
    processes: list[Started] = []

    def start(module: str) -> Started:
        processes.append(Started(module))
        return processes[-1]

    with patch.object(fresh, "FreshProcess", start), patch.dict(sys.modules):
        sys.modules.pop(MODELLING, None)
        yield processes
    gc.unfreeze()


def test_a_missing_data_set_starts_no_process(started):
    assert thawline("fit").code == 2
    assert started == []


def test_an_invalid_setting_starts_no_process(started):
    assert thawline("fit", "--data", "own.csv", "--epochs", "-1").code == 2
    assert started == []


def test_data_that_cannot_be_read_ends_the_process(started, tmp_path):
    outcome = thawline("fit", "--data", tmp_path / "missing.csv", "--out", tmp_path / "run")
    assert outcome.code == 2
    assert [(one.module, one.closed) for one in started] == [(PROVER, 1)]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError])
def test_a_fit_that_stops_early_ends_the_process(started, tmp_path, monkeypatch, error):
    def stop(*arguments, **options):
        raise error

    monkeypatch.setattr(job, "fit_run", stop)
    thawline("fit", "--data", "own.csv", "--out", tmp_path / "run")
    assert [(one.module, one.closed) for one in started] == [(PROVER, 1)]
