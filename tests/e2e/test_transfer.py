"""Transfer from a classifier of 4 topics to one of 2 feelings, by every strategy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.support.artifacts import sign
from tests.support.command_line import Outcome, ProverHere, thawline, write_set
from thawline import TextClassifier, artifact
from thawline.backbones.loading import load_backbone
from thawline.errors import ThawlineError

TOPICS = "(arts, body, cash, dogs)"
QUICK = ("--dtype", "float32")
BY_EPOCHS = (*QUICK, "--set", "training.batch_size=8", "--epochs", "1")
Sets = dict[str, Path]


@pytest.fixture(scope="module")
def sets(toy_reviews: Any, tmp_path_factory: pytest.TempPathFactory) -> Sets:
    """Two sets: of topics, and of feelings."""
    root, made = tmp_path_factory.mktemp("sets"), {}
    for name, classes in (
        ("topics", ["arts", "body", "cash", "dogs"]),
        ("feelings", ["no", "yes"]),
    ):
        parts = {}
        for seed, (split, rows) in enumerate({"train": 32, "test": 16}.items()):
            texts, _ = toy_reviews(rows, seed)
            parts[split] = texts, [classes[row % len(classes)] for row in range(rows)]
        made[name] = write_set(root / name, parts)
    return made


@pytest.fixture(scope="module")
def topics(sets: Sets, toy_backbone: Any, tmp_path_factory: pytest.TempPathFactory):
    """Return a function that gives the folder of a finished run on topics; do not change it."""
    made: dict[tuple[str, ...], Path] = {}

    def fit(*options: str, family: str = "bert") -> Path:
        key = (family, *options)
        if key not in made:
            run = tmp_path_factory.mktemp("topics") / "run"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("THAWLINE_HOME", str(run.with_name("home")))
                patch.setattr("thawline.artifact.Prover", ProverHere)
                check(thawline("fit", "--data", sets["topics"], "--backbone", toy_backbone(family),
                               "--out", run, *options, *BY_EPOCHS))  # fmt: skip
            made[key] = run
        return made[key]

    return fit


@pytest.fixture
def prove_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)


@pytest.fixture(autouse=True, scope="module")
def _draw_nothing() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("thawline.jobs.fit._draw", lambda *found: [])
        yield


def check(done: Outcome) -> Outcome:
    assert done.code == 0, done.err
    return done


def assert_head_replaced(done: Outcome, name: str | Path) -> None:
    """Check that one line names both heads and the backbone."""
    (line,) = (line for line in done.err.splitlines() if TOPICS in line)
    assert all(part in line for part in (f"'{name}'", "(no, yes)"))


def record_of(run: str | Path) -> dict[str, Any]:
    return json.loads((Path(run) / "record.json").read_text(encoding="utf-8"))


FULL, LORA = ("--strategy", "full"), ("--strategy", "lora:r=2")


@pytest.mark.usefixtures("prove_here")
class TestFit:
    @pytest.mark.parametrize("start", [FULL, (*FULL, "--head", "native"), LORA, (*LORA, "--merge")])
    @pytest.mark.parametrize("strategy", ["full", "head", "last:1", "lora:r=2"])
    def test_a_run_is_a_backbone(self, sets, topics, toy_backbone, start, strategy):
        run = topics(*start)
        epochs = QUICK if strategy == "head" else BY_EPOCHS
        done = check(thawline("fit", "--data", sets["feelings"], "--backbone", run, *epochs,
                              "--strategy", strategy, "--out", "out"))  # fmt: skip
        assert_head_replaced(done, run)
        record, backbone = record_of("out"), load_backbone(str(run))
        assert record["status"] == "finished"
        assert record["config"]["backbone"] == str(run)
        assert record["labels"]["names"] == ["no", "yes"]
        assert record["max_length"] == 40
        assert record["backbone"] == {
            "name": str(run),
            "sha256": backbone.digest(),
            "origin": {
                "folder": str(run / "model"),
                "strategy": str(record_of(run)["strategy"]),
                "backbone": str(toy_backbone()),
                "labels": ["arts", "body", "cash", "dogs"],
            },
        }
        fitted = artifact.load(Path("out"))
        assert fitted.model.config.id2label == {0: "no", 1: "yes"}
        assert fitted.labels.names == ("no", "yes")

    @pytest.mark.parametrize("head", ["native", "mlp:8"])
    def test_any_head_takes_the_place_of_any(self, sets, topics, head):
        run = topics(*FULL, "--head", "native")
        check(thawline("fit", "--data", sets["feelings"], "--backbone", run / "model",
                       "--head", head, "--strategy", "last:1", "--out", "out",
                       *BY_EPOCHS))  # fmt: skip
        saved = json.loads(Path("out/model/config.json").read_text(encoding="utf-8"))
        assert saved["id2label"] == {"0": "no", "1": "yes"}
        assert "cash" not in json.dumps(saved)

    def test_what_is_frozen_is_what_the_run_learnt(self, sets, topics):
        run = topics(*FULL)
        check(thawline("fit", "--data", sets["feelings"], "--backbone", run, "--strategy", "last:1",
                       "--out", "out", *BY_EPOCHS))  # fmt: skip
        before, after = (load_file(Path(name, "model/model.safetensors")) for name in (run, "out"))
        same = {name for name in before if torch.equal(before[name], after[name])}
        assert {name for name in before if name.startswith("backbone.embeddings")} <= same
        assert not {name for name in same if ".layer.3.output.dense" in name or "head" in name}

    def test_a_frozen_head_s_run_shares_the_states_of_its_own_backbone(
        self, sets, topics, toy_backbone
    ):
        run = topics()  # strategy head
        feelings = ("fit", "--data", sets["feelings"], *QUICK)
        check(thawline(*feelings, "--backbone", toy_backbone(), "--out", "one"))
        check(thawline(*feelings, "--backbone", run, "--out", "two"))
        check(thawline(*feelings, "--backbone", topics(*FULL), "--out", "three"))
        assert [record_of(run)["prefix"]["texts"] for run in ("one", "two", "three")] == [48, 0, 48]
        evaluated = check(thawline("evaluate", "three", "--dtype", "float32", "--json")).json
        assert evaluated["accuracy"] == record_of("three")["test"]["accuracy"]

    def test_a_pretrained_backbone_has_no_origin(self, topics, toy_backbone):
        known = record_of(topics())["backbone"]
        assert (known["name"], known["origin"]) == (str(toy_backbone()), None)
        assert known["sha256"] == load_backbone(str(toy_backbone())).digest()


def test_adapters_on_adapters_on_adapters_are_proven_in_a_fresh_process(sets, topics):
    feelings = ("fit", "--data", sets["feelings"], *LORA, *BY_EPOCHS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("thawline.artifact.Prover", ProverHere)
        check(thawline(*feelings, "--backbone", topics(*LORA), "--out", "one"))
    check(thawline(*feelings, "--backbone", "one", "--out", "two"))
    assert record_of("two")["proof"]["difference"] <= artifact.TOLERANCE
    settings = json.loads(Path("two/model/thawline.json").read_text(encoding="utf-8"))
    assert settings["adapter"]["base"] == str(Path("one").absolute())


def test_adapters_are_refused_after_their_base_has_changed(sets, topics, monkeypatch):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    run = Path(shutil.copytree(topics(*FULL), "run"))
    check(thawline("fit", "--data", sets["feelings"], "--backbone", run, *LORA, *BY_EPOCHS,
                   "--out", "out"))  # fmt: skip
    change_weights(run / "model" / "model.safetensors")
    sign(run / "model")
    done = thawline("predict", "out", "a film")
    assert done.code == 2
    known = json.loads(Path("out/model/thawline.json").read_text())["adapter"]["base_sha256"]
    assert all(part in done.err for part in (f"'{run.absolute()}'", known[:12]))


def change_weights(path: Path) -> None:
    weights = load_file(path)
    name = next(name for name in weights if name.endswith("layer.0.output.dense.weight"))
    save_file(weights | {name: weights[name] + 0.01}, path, metadata={"format": "pt"})


def test_info_names_the_head_that_is_left_out(topics, toy_backbone):
    run = topics(*LORA)
    done = check(thawline("info", "--backbone", run, "--strategy", "last:1"))
    printed = "".join(done.out.split())  # long paths are wrapped
    parts = (TOPICS, str(record_of(run)["strategy"]), str(toy_backbone()))
    assert all("".join(part.split()) in printed for part in parts)
    described, plain = (
        check(thawline("info", "--backbone", name, "--strategy", "last:1", "--json")).json
        for name in (run, toy_backbone())
    )
    assert described["origin"]["folder"] == str(run / "model")
    assert plain["origin"] is None
    assert described["stages"] == plain["stages"]
    assert described["parameters"] == plain["parameters"]


def test_preflight_counts_with_the_run_s_tokenizer_up_to_the_backbone_s_own_limit(
    sets, topics, toy_backbone
):
    run = topics("--max-length", "12")
    counted = [
        check(thawline("preflight", "--data", sets["feelings"], "--backbone", name, "--json")).json
        for name in (run, toy_backbone())
    ]
    assert [report["max_length"] for report in counted] == [40, 40]
    assert counted[0]["all"] == counted[1]["all"]


@pytest.mark.parametrize("strategy", ["head", "last:1", "lora:r=2", "full"])
def test_the_estimator_takes_a_run(topics, toy_reviews, strategy, tmp_path):
    epochs = None if strategy == "head" else 1
    texts, labels = toy_reviews(32)
    classifier = TextClassifier(topics(*LORA), strategy, epochs=epochs, dtype="float32")
    shares = classifier.fit(texts, labels).predict_proba(texts[:4])
    assert classifier.classes_.tolist() == [0, 1]
    artifact.save(classifier.fitted_, tmp_path / "saved")
    loaded = TextClassifier.load(tmp_path / "saved")
    np.testing.assert_allclose(loaded.predict_proba(texts[:4]), shares, rtol=0, atol=1e-6)


# Resuming


@pytest.fixture
def stopped(sets: Sets, topics: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that copies a backbone and stops a run on it at its first step."""

    def stop_run(kind: str, backbone: Path) -> Path:
        source = topics(*FULL) if kind == "run" else backbone
        own = Path(shutil.copytree(source, "backbone"))

        def stop(*anything: object) -> None:
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("thawline.training.steps.Training.update", stop)
            done = thawline("fit", "--data", sets["feelings"], "--backbone", own, "--out", "out",
                            "--strategy", "last:1", *BY_EPOCHS)  # fmt: skip
        assert done.code == 130, done.err
        return own

    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    return stop_run


@pytest.mark.parametrize("kind", ["run", "pretrained"])
def test_a_run_is_not_resumed_with_another_backbone(stopped, toy_backbone, kind):
    own = stopped(kind, toy_backbone())
    record = record_of("out")
    weights = own / ("model/" if kind == "run" else "") / "model.safetensors"
    whole = {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}
    change_weights(weights)
    if kind == "run":
        sign(own / "model")
    done = thawline("fit", "--resume", "--out", "out")
    known, found = record["backbone"]["sha256"], load_backbone(str(own)).digest()
    assert done.code == 2
    error = done.err.splitlines()[-1]
    parts = ("'out'", known[:12], f"'{own.absolute()}'", found[:12])
    assert all(part in error for part in parts)
    assert record_of("out") == record
    for path, content in whole.items():
        path.write_bytes(content)
    check(thawline("fit", "--resume", "--out", "out"))
    assert record_of("out")["status"] == "finished"


def test_a_run_without_a_recorded_backbone_is_resumed(stopped, toy_backbone):
    stopped("pretrained", toy_backbone())
    record = record_of("out")
    del record["backbone"], record["schema_version"]
    Path("out/record.json").write_text(json.dumps(record), encoding="utf-8")
    check(thawline("fit", "--resume", "--out", "out"))


def test_a_stopped_run_is_refused_as_a_backbone(stopped, toy_backbone):
    stopped("pretrained", toy_backbone())
    with pytest.raises(ThawlineError) as caught:
        load_backbone("out")
    assert caught.value.found.startswith("'out'")
    assert "thawline fit --resume --out out" in caught.value.fix


def test_replacing_the_head_of_a_plain_transformers_classifier_is_reported(sets, toy_backbone):
    names = dict(enumerate(["arts", "body", "cash", "dogs"]))
    plain = AutoModelForSequenceClassification.from_pretrained(toy_backbone(), id2label=names)
    plain.save_pretrained("plain")
    AutoTokenizer.from_pretrained(toy_backbone()).save_pretrained("plain")
    done = check(thawline("fit", "--data", sets["feelings"], "--backbone", "plain", *QUICK,
                          "--out", "run"))  # fmt: skip
    assert_head_replaced(done, Path("plain").absolute())
    done = check(thawline("fit", "--data", sets["feelings"], "--backbone", toy_backbone(), *QUICK,
                          "--out", "other"))  # fmt: skip
    assert "(no, yes)" not in done.err
