"""The garbage collector and transformers during the imports of a command."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from thawline.runtime.imports import (
    MODELLING,
    READ_STRUCTURE,
    _read_structures_once,
    quick_imports,
)


@pytest.fixture
def nothing_imported():
    """Pretend that no modelling code is imported, and unfreeze all objects afterwards."""
    with patch.dict(sys.modules):
        sys.modules.pop(MODELLING, None)
        yield
    gc.unfreeze()


@pytest.mark.usefixtures("nothing_imported")
def test_the_collector_pauses_and_then_ignores_existing_objects():
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


@pytest.mark.usefixtures("nothing_imported")
def test_the_collector_resumes_after_an_error():
    with pytest.raises(ImportError), quick_imports():
        raise ImportError
    assert gc.isenabled()


@pytest.mark.usefixtures("nothing_imported")
def test_a_disabled_collector_stays_disabled():
    gc.disable()
    try:
        with quick_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_nothing_happens_if_the_modelling_code_is_imported():
    before = gc.get_freeze_count()
    with patch.dict(sys.modules, {MODELLING: sys}), quick_imports():
        assert gc.isenabled()
    assert gc.get_freeze_count() == before


def test_importing_the_package_leaves_the_collector_as_it_is():
    code = "import gc, thawline, thawline.cli; print(gc.isenabled(), gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "True"
    assert int(done.stdout.split()[1]) == _frozen_at_start()


def test_the_names_in_a_folder_are_read_once(tmp_path):
    read = []
    module = SimpleNamespace(**{READ_STRUCTURE: lambda path: read.append(Path(path)) or {"a": "b"}})
    _read_structures_once(module)
    (tmp_path / "__init__.py").touch()
    for path in (tmp_path, str(tmp_path), str(tmp_path / "__init__.py")):
        assert getattr(module, READ_STRUCTURE)(path) == {"a": "b"}
    assert read == [tmp_path]
    _read_structures_once(SimpleNamespace())  # another version of transformers


@pytest.mark.e2e
def test_transformers_reads_the_names_of_its_models_once_and_completely():
    code = """
import contextlib, hashlib, json, sys
from thawline.runtime.imports import quick_imports

folders = []
sys.addaudithook(lambda event, values: folders.append(values[0]) if event == "os.scandir" else None)
with quick_imports() if sys.argv[1] == "quick" else contextlib.nullcontext():
    import transformers
    import transformers.models.bert
names = sorted(map(str, [*dir(transformers), *dir(transformers.models)]))
print(sum(str(folder).endswith("bert") and str(folder)[-5] in "/\\\\" for folder in folders))
print(hashlib.sha256(json.dumps(names).encode()).hexdigest())
"""
    found = {}
    for way in ("quick", "plain"):
        command = [sys.executable, "-c", code, way]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[way] = done.stdout.split()
    assert found["quick"][0] == "1"
    assert found["quick"][1] == found["plain"][1]


def _frozen_at_start() -> int:
    code = "import gc; print(gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)
