from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.support.command_line import ProverHere, write_set
from tests.support.toys import DEPTH, WIDTH
from thawline import __version__
from thawline.artifact import Prover
from thawline.config import (
    ComputeConfig,
    Config,
    DataConfig,
    HeadConfig,
    MetricsConfig,
    TrainingConfig,
)
from thawline.errors import ThawlineError
from thawline.jobs.evaluate import evaluate_run
from thawline.jobs.fit import fit_run
from thawline.runs.records import (
    Density,
    EvaluationReport,
    FitRecord,
    Scores,
    StartedFit,
    read_record,
)
from thawline.runtime.progress import Reporter

EXACT = Config(compute=ComputeConfig(dtype="float32"))


class Notebook(Reporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def message(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def _prove_here(monkeypatch, request):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    if "drawn" not in request.fixturenames:
        request.getfixturevalue("undrawn")


@pytest.fixture
def drawn() -> None:
    """Draw the plots."""


@pytest.fixture(scope="module")
def data(tmp_path_factory, toy_reviews) -> DataConfig:
    folder = tmp_path_factory.mktemp("job") / "reviews"
    write_set(folder, {"train": toy_reviews(80, 1), "test": toy_reviews(32, 2)})
    return DataConfig(data=str(folder), labels=("neg", "pos"))


@pytest.fixture
def fit(data, toy_backbone):
    def run(out: str, config: Config = EXACT, family: str = "bert") -> FitRecord:
        own = config if config.data.data is not None else replace(config, data=data)
        return fit_run(replace(own, backbone=str(toy_backbone(family))), Path(out), Reporter())

    return run


def by_epochs(head: str | None = None, seed: int = 0, **training) -> Config:
    given = TrainingConfig(**{"epochs": 2, "lr": 0.01} | training)
    return replace(EXACT, head=HeadConfig(head), training=given, seed=seed)


def evaluate(out: str, split: str, data: DataConfig | None = None) -> EvaluationReport:
    return evaluate_run(Path(out), data, split, EXACT.compute, Reporter())


HEADS = {
    "exact": (EXACT, None),
    "linear": (by_epochs("linear"), WIDTH * 2 + 2),
    "mlp:8": (by_epochs("mlp:8"), WIDTH * 8 + 8 + 8 * 2 + 2),
    "native": (by_epochs("native"), WIDTH * 2 + 2),
}


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("head", HEADS)
def test_every_head_is_fitted_saved_and_scores_the_same_when_it_is_loaded(fit, head):
    config, trainable = HEADS[head]
    record = fit("run", config)
    assert read_record(Path("run")) == record
    assert record.to_dict() == json.loads(Path("run/record.json").read_text())
    assert record.status == "finished"
    assert (record.strategy, record.line) == ("head", DEPTH + 1)
    assert record.proof.difference <= 1e-5
    for split in ("validation", "test"):
        again = evaluate("run", split)
        scores = getattr(record, split)
        assert again.rows == scores.rows
        assert (again.accuracy, again.f1_macro) == (scores.accuracy, scores.f1_macro)
        assert again.loss.value == pytest.approx(scores.loss.value, abs=1e-6)
    if head == "exact":
        assert record.history == []
        assert len(record.choice) >= DEPTH + 2
        width = WIDTH * len(record.features)
        assert record.parameters.trainable == width * 2 + 2
        assert not Path("run/history.png").exists()
    else:
        assert record.choice == []
        assert record.head == head
        assert record.features == [DEPTH]
        assert record.parameters.trainable == trainable
        best = max(row.validation_accuracy for row in record.history[1:])
        assert record.validation.accuracy.value == pytest.approx(best)
        assert [Path(plot).name for plot in record.plots] == [
            f"{name}.{kind}"
            for name in ("before_after", "reliability", "confusion", "history")
            for kind in ("png", "svg")
        ]


@pytest.mark.parametrize("family", ["distilbert", "modernbert", "qwen3"])
def test_other_families_go_the_same_way(fit, family):
    record = fit("run", by_epochs("native"), family)
    assert record.status == "finished"
    assert evaluate("run", "test").accuracy == record.test.accuracy


@pytest.mark.parametrize("head", ["mlp:8", "native"])
def test_a_seed_changes_weights_and_never_rows(fit, head):
    runs = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        runs[name] = fit(name, by_epochs(head, seed))
    first, same, other = runs.values()
    assert first.data == same.data == other.data
    assert first.store == same.store == other.store
    assert first.test == same.test
    assert first.history != other.history
    assert first.baseline == same.baseline != other.baseline
    weights = [load_file(f"{name}/model/model.safetensors") for name in runs]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])
    assert any(not weights[0][name].equal(weights[2][name]) for name in weights[0])
    frozen = [name for name in weights[0] if "encoder" in name or "embeddings" in name]
    assert frozen
    assert all(weights[0][name].equal(weights[2][name]) for name in frozen)


def test_an_exact_fit_depends_on_no_seed_but_its_baseline_does(fit):
    first, other = fit("a"), fit("b", replace(EXACT, seed=5))
    assert first.test == other.test
    assert first.baseline != other.baseline


def test_the_frozen_pass_reads_each_text_once(fit, data):
    first = fit("limited", replace(EXACT, data=replace(data, limit=(40, 16))))
    assert first.prefix.texts == 56
    assert first.density.prefix >= 0.99
    assert first.seconds.prefix > 0
    assert first.prefix.tokens > 56 * 3
    assert first.prefix.texts_per_second > 0
    assert first.prefix.flops_per_second > 0

    whole = fit("whole")
    assert whole.prefix.texts == 80 + 32 - 56

    again = fit("again", by_epochs("mlp:4"))
    assert again.prefix.texts == again.prefix.tokens == 0
    assert again.density == Density(prefix=None, training=1.0)
    assert again.seconds.tokenising == again.seconds.prefix == 0.0
    for rate in ("texts_per_second", "flops_per_second", "share_of_matrix_rate"):
        assert getattr(again.prefix, rate) is None
    assert again.store == whole.store


def test_what_the_store_lost_is_computed_again_to_the_same_scores(fit, monkeypatch, tmp_path):
    first = fit("first")
    monkeypatch.setenv("THAWLINE_HOME", str(tmp_path / "elsewhere"))
    again = fit("again")
    assert again.prefix.texts == first.prefix.texts == 112
    assert again.test == first.test


def test_settings_reach_the_artifact(fit):
    head = HeadConfig("linear", pooling="last", features="layers")
    tokens = replace(EXACT.tokens, max_length=12, truncation_side="left")
    record = fit("run", replace(EXACT, head=head, tokens=tokens))
    assert (record.pooling, record.max_length) == ("last", 12)
    assert record.features == list(range(DEPTH + 1))
    settings = json.loads(Path("run/model/thawline.json").read_text())
    assert settings["reading"] == {
        "max_length": 12,
        "truncation_side": "left",
        "pooling": "last",
        "stages": list(range(DEPTH + 1)),
        "pairs": False,
    }
    assert settings["labels"] == {"names": ["neg", "pos"], "values": ["0", "1"]}


def test_evaluation_on_other_data_needs_no_record(fit, toy_reviews):
    fit("run")
    write_set(Path("other"), {"test": toy_reviews(20, 5)})
    other = DataConfig(data="other")
    scores = evaluate("run/model", "test", other)
    assert scores.rows == 20
    again = evaluate("run", "test", other)
    assert again.model_copy(update={"seconds": scores.seconds}) == scores
    with pytest.raises(ThawlineError) as caught:
        evaluate("run/model", "test")
    assert "run/model" in caught.value.expected
    assert "record.json" in caught.value.found
    assert "`data.data`" in caught.value.fix


def test_evaluation_takes_the_rows_of_the_run_alone(fit, data):
    record = fit("run", replace(EXACT, data=replace(data, limit=(40, 16))))
    assert [evaluate("run", split).rows for split in ("train", "validation", "test")] == [
        *(36, 4, 16)
    ]
    assert evaluate("run", "test").accuracy == record.test.accuracy
    with pytest.raises(ThawlineError) as caught:
        evaluate("run", "trian")
    assert "trian" in caught.value.found
    assert "'train'" in caught.value.fix


def test_evaluation_refuses_changed_rows_even_where_their_number_stays(fit, data, toy_reviews):
    folder = write_set(Path("own"), {"train": toy_reviews(40, 1), "test": toy_reviews(16, 2)})
    fit("run", replace(EXACT, data=replace(data, data=str(folder))))
    assert evaluate("run", "test").rows == 16
    texts, labels = toy_reviews(16, 2)
    (folder / "test.csv").unlink()
    texts[3] += " good"
    write_set(Path("changed"), {"test": (texts, labels)})
    (Path("changed") / "test.csv").rename(folder / "test.csv")
    with pytest.raises(ThawlineError) as caught:
        evaluate("run", "test")
    assert "'run'" in caught.value.expected
    assert f"'{folder.absolute()}'" in caught.value.found
    assert "`data.data`" in caught.value.fix


def test_a_run_that_was_killed_does_not_go_on_with_other_rows(
    toy_backbone, toy_reviews, monkeypatch
):
    folder = write_set(Path("own"), {"train": toy_reviews(40, 1), "test": toy_reviews(16, 2)})
    data = DataConfig(str(folder), labels=("neg", "pos"))
    config = replace(by_epochs("linear"), backbone=str(toy_backbone("bert")), data=data)
    left = []

    def killed(training, step):
        left.append(Path("run/record.json").read_text(encoding="utf-8"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("thawline.training.steps.Training.update", killed)
        with pytest.raises(KeyboardInterrupt):
            fit_run(config, Path("run"), Reporter())
    Path("run/record.json").write_text(left[0], encoding="utf-8")  # who is killed writes no more
    assert json.loads(left[0])["status"] == "running"
    (folder / "train.csv").unlink()
    write_set(Path("changed"), {"train": toy_reviews(40, 3)})
    Path("changed/train.csv").rename(folder / "train.csv")
    with pytest.raises(ThawlineError) as caught:
        fit_run(config, Path("run"), Reporter(), resume=True)
    assert "'run'" in caught.value.expected
    assert "own" in caught.value.found


def test_an_artifact_that_cannot_be_proven_fails_the_run(fit, monkeypatch):
    class OtherAnswers(Prover):
        def __init__(self, device: str) -> None:
            self._device = device

        def __exit__(self, *error: object) -> None:
            pass

        def ask(self, folder, texts):
            self._texts = texts

        def _answer(self, folder):
            return np.full((len(self._texts), 2), 0.5)

    monkeypatch.setattr("thawline.artifact.Prover", OtherAnswers)
    with pytest.raises(ThawlineError) as caught:
        fit("run")
    record = read_record(Path("run"))
    assert isinstance(record, StartedFit)
    assert record.status == "failed"
    assert record.error == f"ThawlineError: {caught.value}"
    assert "1e-05" in record.error


def test_everything_is_checked_before_the_run_is_made(data, toy_backbone):
    config = replace(EXACT, data=data, backbone=str(toy_backbone()))
    wrong = {
        "strategy": replace(config, strategy="gradual:stages=9"),
        "head": replace(config, head=HeadConfig("liner")),
        "dtype": replace(config, compute=ComputeConfig(dtype="half")),
        "epochs": replace(config, training=TrainingConfig(epochs=0)),
    }
    for name, settings in wrong.items():
        notebook = Notebook()
        with pytest.raises(ThawlineError):
            fit_run(settings, Path("run"), notebook)
        assert not Path("run").exists(), name
        assert notebook.notes == [], name


def test_carved_rows_and_the_proof_are_reported(data, toy_backbone):
    notebook = Notebook()
    config = replace(EXACT, data=data, backbone=str(toy_backbone()))
    record = fit_run(config, Path("run"), notebook)
    assert all(datum in notebook.notes[0] for datum in ("'text'", "'label'"))
    assert all(datum in notebook.notes[1] for datum in ("validation", "10 %", "42", "8 rows"))
    found = record.preflight.findings
    assert len(found) >= 2
    assert notebook.notes[2 : len(found) + 2] == found
    assert any(all(datum in line for datum in ("54 %", "train", "40 tokens")) for line in found)
    assert any("store" in note for note in notebook.notes)
    assert "fresh process" in notebook.notes[-1]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (EXACT, False),
        (by_epochs("linear"), True),
        (by_epochs("linear", epochs=1), False),
        (by_epochs("linear", keep="last"), False),
        (by_epochs("linear", patience=1), False),
    ],
    ids=["exact", "epochs", "one epoch", "last", "patience"],
)
def test_few_validation_rows_that_choose_an_epoch_cause_a_warning(data, toy_backbone, config, told):
    reporter = Notebook()
    backbone = str(toy_backbone("bert"))
    fit_run(replace(config, backbone=backbone, data=data), Path("run"), reporter)
    warned = [note for note in reporter.notes if "training.keep=last" in note]
    assert [note.startswith("8 ") for note in warned] == ([True] if told else [])


def test_a_run_is_evaluated_with_the_intervals_that_it_was_made_with(fit):
    wide = replace(EXACT, metrics=MetricsConfig(confidence=0.5, resamples=20))
    record = fit("run", wide)
    assert record.test.confidence_level == 0.5
    again = evaluate("run", "test")
    assert {name: getattr(again, name) for name in Scores.model_fields} == dict(record.test)


def test_a_record_of_another_version_says_which(fit):
    fit("run")
    path = Path("run/record.json")
    record = json.loads(path.read_text())
    record["versions"]["thawline"] = "0.0.9"
    record["config"]["data"]["column"] = "text"
    path.write_text(json.dumps(record))
    with pytest.raises(ThawlineError) as caught:
        evaluate("run", "test")
    assert "data.column" in caught.value.found
    assert "record.json" in caught.value.found
    assert __version__ in caught.value.fix
    assert "0.0.9" in caught.value.fix
