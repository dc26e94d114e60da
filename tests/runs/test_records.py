"""Records as files: what is written is read back, and what cannot be read is one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.records import (
    FIT,
    PRETRAIN,
    fit_epoch,
    fit_record,
    ladder_record,
    pretrain_record,
    rung_record,
    tune_record,
)
from thawline.errors import ThawlineError
from thawline.runs.records import (
    SCHEMA_VERSION,
    FitRecord,
    PretrainRecord,
    StartedFit,
    StartedLadder,
    StartedPretraining,
    StartedRun,
    TuneRecord,
    read_record,
    write_json,
    write_record,
)

RECORD, LADDER, TUNING = Path("record.json"), Path("ladder.json"), Path("tune.json")


def unfinished(model: type, record: Any, **changes: Any) -> Any:
    """Return the record from before a job finished."""
    known = {name: value for name, value in dict(record).items() if name in model.model_fields}
    return model(**known | {"status": "stopped"} | changes)


RECORDS = {
    "fit": fit_record(history=[fit_epoch(0), fit_epoch(1.5, kept=True)]),
    "pretrain": pretrain_record(resumed=["2026-03-01T13:00:00+00:00"]),
    "started fit": unfinished(StartedFit, fit_record()),
    "failed fit": unfinished(StartedFit, fit_record(), status="failed", error="OSError: full"),
    "started pretraining": unfinished(StartedPretraining, pretrain_record()),
    "ladder": ladder_record([rung_record("head", 0.8, "worse"), rung_record("full", 0.9)]),
    "demo": ladder_record(
        [rung_record("head")],
        predictions={
            "run": "head-seed-0",
            "texts": [
                {"text": "a film", "neg_prob": 0.25, "pos_prob": 0.75, "label": "pos"},
                {"text": ("a", "b"), "label": "x", "confidence": 1.0, "probs": {"x": 1.0}},
            ],
        },
    ),
    "started ladder": unfinished(StartedLadder, ladder_record([rung_record("head")])),
    "search": tune_record(),
    "stopped search": tune_record(status="stopped"),
}


def file_of(record: Any) -> Path:
    if isinstance(record, TuneRecord):
        return TUNING
    return RECORD if hasattr(record, "verb") else LADDER


# -- what is written is read back ------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_read_back_as_it_was_written(name):
    record = RECORDS[name]
    write_record(file_of(record), record)
    found = read_record(Path())
    assert found == record
    assert type(found) is type(record)
    assert json.loads(file_of(record).read_text("utf-8"))["schema_version"] == SCHEMA_VERSION


@given(text=st.text(), share=st.floats(0, 1), number=st.integers(0, 2**62))
def test_any_values_are_read_back(tmp_path_factory, text, share, number):
    file = tmp_path_factory.mktemp("records") / "record.json"
    mistakes = FIT["mistakes"] | {"texts": number}
    mistakes["most_confident"] = [{**mistakes["most_confident"][0], "text": text}]
    record = fit_record(
        mistakes=mistakes, config={text: [text, number, share, None, {"a": True}]}, lr=share
    )
    write_record(file, record)
    assert read_record(file) == record


def test_keys_that_do_not_apply_are_left_out():
    values = fit_record().to_dict()
    assert {"resumed", "error"}.isdisjoint(values)
    assert "head_first" not in values["seconds"]
    assert "predictions" not in ladder_record([rung_record("head")]).to_dict()


# -- older and newer versions ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in RECORDS if file_of(RECORDS[name]) == RECORD])
@pytest.mark.parametrize("version", [1, 2])
def test_earlier_versions_lack_only_what_may_be_missing(name, version):
    record = RECORDS[name]
    values = record.to_dict() | {"schema_version": version}
    if version == 1:
        del values["schema_version"]
    write_json(file_of(record), values)
    assert read_record(Path()) == record


@pytest.mark.parametrize("name", ["ladder", "search"])
@pytest.mark.parametrize("status", ["finished", "running"])
def test_a_ladder_or_a_search_of_an_earlier_version_cannot_be_read(name, status):
    values = RECORDS[name].to_dict() | {"schema_version": 2, "status": status}
    values["versions"]["thawline"] = "9.8.7"
    file = file_of(RECORDS[name])
    write_json(file, values)
    with pytest.raises(ThawlineError) as caught:
        read_record(Path())
    assert file.name in caught.value.expected
    assert "2" in caught.value.found
    assert "9.8.7" in caught.value.fix


def test_results_of_an_unfinished_run_of_version_1_are_dropped():
    values = PRETRAIN | {"status": "stopped"}
    del values["schema_version"]
    write_json(RECORD, values)
    assert isinstance(read_record(Path()), StartedPretraining)


@pytest.mark.parametrize("values", [FIT, PRETRAIN])
def test_a_run_of_version_1_may_have_been_killed_before_its_data(values):
    known = {key: values[key] for key in ("verb", "started", "config", "versions", "hardware")}
    write_json(RECORD, known | {"status": "running"})
    assert type(read_record(Path())) is StartedRun


def test_a_newer_version_names_the_version_that_wrote_it():
    values = fit_record().to_dict() | {"schema_version": SCHEMA_VERSION + 1}
    values["versions"]["thawline"] = "9.8.7"
    write_json(RECORD, values)
    with pytest.raises(ThawlineError) as caught:
        read_record(Path())
    assert "record.json" in caught.value.expected
    assert str(SCHEMA_VERSION + 1) in caught.value.found
    assert "9.8.7" in caught.value.fix


# -- damaged and foreign files ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "record.json"),
        ("{", "line 1"),
        ("3", "JSON"),
        ("[]", "JSON"),
        ("{}", "verb"),
        ('{"verb": "fit"}', "status"),
        ('{"verb": ["fit"], "status": "finished"}', "verb"),
        ('{"status": "finished", "verb": "fit"}', "'"),
    ],
)
def test_a_folder_without_a_complete_record_is_refused(text, found):
    Path("run").mkdir()
    if text is not None:
        Path("run/record.json").write_text(text)
    with pytest.raises(ThawlineError) as caught:
        read_record(Path("run"))
    assert "run" in caught.value.expected
    assert found in caught.value.found


@pytest.mark.parametrize(
    ("place", "value", "data"),
    [
        (("data", "sha256"), 3, ["data.sha256", "3"]),
        (("test", "accuracy", "value"), "0.8", ["test.accuracy.value", '"0.8"']),
        (("test", "rows"), 1.5, ["test.rows", "1.5"]),
        (("status",), "lost", ["status", '"lost"']),
        (("parameters",), None, ["parameters", "null"]),
        (("an extra key",), 1, ["an extra key"]),
        (("data", "rows", "dev"), [1], ["data.rows.dev"]),
        (("versions",), [], ["versions", "[]"]),
    ],
)
def test_a_value_of_another_kind_is_named(place, value, data):
    values = fit_record().to_dict()
    *tables, last = place
    table = values
    for key in tables:
        table = table[key]
    table[last] = value
    write_json(RECORD, values)
    with pytest.raises(ThawlineError) as caught:
        read_record(Path())
    assert all(datum in caught.value.found for datum in data), caught.value.found
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", [FitRecord, PretrainRecord])
def test_a_missing_key_is_named(model):
    complete = (fit_record() if model is FitRecord else pretrain_record()).to_dict()
    optional = {"resumed", "schema_version", "verb", "status"}
    for key in complete.keys() - optional:
        values = {name: value for name, value in complete.items() if name != key}
        write_json(RECORD, values)
        with pytest.raises(ThawlineError) as caught:
            read_record(Path())
        assert f"'{key}'" in caught.value.found


# -- the files themselves --------------------------------------------------------------------------


def test_a_list_of_numbers_stays_on_one_line():
    value = {
        "rows": [1, 22, 333],
        "penalties": [1.0, 3e-05, -0.5],
        "names": ["neg", "pos"],
        "path": "[\n 1,\n 2\n]",
        "empty": [],
    }
    write_json(Path("value.json"), value)
    written = Path("value.json").read_text(encoding="utf-8")
    assert '"rows": [1, 22, 333]' in written
    assert '"penalties": [1.0, 3e-05, -0.5]' in written
    assert json.loads(written) == value


def test_a_failed_write_leaves_the_old_file():
    write_json(Path("value.json"), {"old": 1})
    with pytest.raises(TypeError):
        write_json(Path("value.json"), {"new": object()})
    assert json.loads(Path("value.json").read_text()) == {"old": 1}


def test_a_prediction_needs_no_models_of_records():
    script = """
import sys
import thawline.artifact, thawline.evaluation.metrics, thawline.inference.predictor
print("thawline.runs.records" in sys.modules)
"""
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "False\n"


def test_a_path_may_be_a_string(tmp_path):
    with pytest.raises(ThawlineError) as caught:
        read_record(str(tmp_path / "missing"))
    assert "missing" in caught.value.expected


@pytest.mark.parametrize("version", [True, 2.0, 0, -1, "x", None, [2]])
def test_a_schema_version_that_is_none_is_damage(tmp_path, version):
    (tmp_path / RECORD).write_text(json.dumps({"schema_version": version}), encoding="utf-8")
    with pytest.raises(ThawlineError) as caught:
        read_record(tmp_path)
    assert repr(version) in caught.value.found


def test_nested_json_is_damage(tmp_path):
    (tmp_path / RECORD).write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(ThawlineError) as caught:
        read_record(tmp_path)
    assert "damaged" in caught.value.found
