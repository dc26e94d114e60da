"""The garbage collector during the imports of a command."""

from __future__ import annotations

import gc
import subprocess
import sys
from unittest.mock import patch

import pytest

from thawline.runtime.collector import paused_collector

MODELLING = "transformers.modeling_utils"


@pytest.fixture
def nothing_imported():
    """Pretend that no modelling code is imported, and unfreeze all objects afterwards."""
    with patch.dict(sys.modules):
        sys.modules.pop(MODELLING, None)
        yield
    gc.unfreeze()


@pytest.mark.usefixtures("nothing_imported")
def test_the_collector_pauses_and_then_ignores_existing_objects():
    with paused_collector():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


@pytest.mark.usefixtures("nothing_imported")
def test_the_collector_resumes_after_an_error():
    with pytest.raises(ImportError), paused_collector():
        raise ImportError
    assert gc.isenabled()


@pytest.mark.usefixtures("nothing_imported")
def test_a_disabled_collector_stays_disabled():
    gc.disable()
    try:
        with paused_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_nothing_happens_if_the_modelling_code_is_imported():
    before = gc.get_freeze_count()
    with patch.dict(sys.modules, {MODELLING: sys}), paused_collector():
        assert gc.isenabled()
    assert gc.get_freeze_count() == before


def test_importing_the_package_leaves_the_collector_as_it_is():
    code = "import gc, thawline, thawline.cli; print(gc.isenabled(), gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "True"
    assert int(done.stdout.split()[1]) == _frozen_at_start()


def _frozen_at_start() -> int:
    code = "import gc; print(gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)
