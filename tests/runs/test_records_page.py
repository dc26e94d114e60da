"""The page on records is generated from their types."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from thawline.runs import records
from thawline.runs.records import Record

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script that writes the page."""
    file = ROOT / "docs" / "reference" / "records.py"
    spec = importlib.util.spec_from_file_location("records_page", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator):
    written = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    assert written == generator.page(), "run `make records-update` and review its diff"


def test_every_field_of_every_model_is_described(generator):
    page = generator.page()
    models = [
        model
        for model in vars(records).values()
        if isinstance(model, type) and issubclass(model, Record) and model is not Record
    ]
    assert len(models) > 40
    shown = [model for model in models if f"### {model.__name__}\n" in page]
    assert {records.FitRecord, records.Score, records.RungRecord} <= set(shown)
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            assert field.description.endswith("."), f"{model.__name__}.{name}"
            assert "\n" not in field.description
