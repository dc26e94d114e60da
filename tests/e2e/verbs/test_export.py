"""`thawline export`: the formats, what is compared before a folder appears, and its use."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")

from fastapi.testclient import TestClient
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from tests.support.command_line import thawline
from tests.support.live_server import local_app
from tests.support.verb_runs import TEST, refusal
from thawline import TextClassifier, artifact
from thawline.errors import ThawlineError
from thawline.inference.exported import open_session

TEXTS = ["a good film", "the plot was bad , bad and dull", "", "very " * 90 + "funny"]


@pytest.fixture(scope="module")
def exports(real, tmp_path_factory):
    """The run as ONNX in float32 and in int8, and what the second export printed."""
    from thawline.artifact import exported

    folder = tmp_path_factory.mktemp("exports")
    plain = []

    def keep(place: Path) -> None:
        shutil.copytree(place, folder / "float32")
        plain.append(place)
        quantise(place)

    quantise = exported.quantise
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("thawline.jobs.export.quantise", keep)
        done = thawline("export", real.run, "--int8", "--out", folder / "int8", "--json")
    assert done.code == 0, done.err
    assert not plain[0].exists()  # the temporary folder
    return folder, done


def test_the_report_names_what_was_compared_and_measured(exports):
    folder, done = exports
    report = done.json
    assert (report["folder"], report["precision"]) == (str(folder / "int8"), "int8")
    assert 2 <= report["texts"] <= 32
    assert report["logit_difference"] <= 1e-4
    assert report["accuracy"]["rows"] == report["accuracy"]["of"] == TEST
    assert report["accuracy"]["low"] <= report["accuracy"]["difference"]
    assert report["accuracy"]["difference"] <= report["accuracy"]["high"]
    assert min(report["seconds"][name] for name in ("run", "float32", "int8")) > 0
    assert report["bytes"] == sum(file.stat().st_size for file in (folder / "int8").iterdir())


def test_the_accuracy_of_the_run_is_that_of_its_record(exports, real):
    recorded = json.loads(real.out)["test"]["accuracy"]["value"]
    assert exports[1].json["accuracy"]["run"] == pytest.approx(recorded)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("int8", 0.3)])
def test_an_export_gives_the_probabilities_of_its_run(exports, real, precision, tolerance):
    loaded = TextClassifier.load(exports[0] / precision)
    expected = TextClassifier.load(real.run).predict_proba(TEXTS)
    np.testing.assert_allclose(loaded.predict_proba(TEXTS), expected, rtol=0, atol=tolerance)
    assert expected.std(0).min() > 1e-3


def test_int8_weights_are_smaller(exports):
    sizes = {
        name: (exports[0] / name / "model.onnx").stat().st_size for name in ("float32", "int8")
    }
    assert sizes["int8"] < sizes["float32"]


def test_predict_and_score_read_exports_beside_runs(exports, real):
    both = thawline("predict", real.run, exports[0] / "float32", *TEXTS[:2], "--json").json_lines
    for row in both:
        run, export = row["runs"].values()
        assert export["pos_prob"] == pytest.approx(run["pos_prob"], abs=1e-4)
    Path("new.csv").write_text("text\na good film\nbad and dull\n", encoding="utf-8")
    done = thawline("score", exports[0] / "int8", "new.csv", "scored.csv", "--json")
    assert done.json["rows"] == 2, done.err


def test_serve_answers_with_an_export(exports):
    fitted = artifact.load(exports[0] / "float32")
    with TestClient(local_app({"export": fitted})) as client:
        answer = client.post("/predict", json={"texts": TEXTS[:2]}).json()
        assert client.get("/models").json()["models"][0]["max_length"] > 2
    expected = TextClassifier.load(exports[0] / "float32").predict_proba(TEXTS[:2])
    for found, row in zip(answer["predictions"], expected, strict=True):
        assert found["export"]["probabilities"]["pos"] == pytest.approx(row[1], abs=1e-5)


def test_the_folder_has_the_layout_of_optimum(exports, real):
    """Read a folder as optimum's ORTModelForSequenceClassification does."""
    folder = exports[0] / "float32"
    config = AutoConfig.from_pretrained(folder)
    assert (config.model_type, config.id2label) == ("bert", {0: "neg", 1: "pos"})
    assert config.architectures == ["BertForSequenceClassification"]
    session = open_session(folder / "model.onnx")
    names = {one.name for one in session.get_inputs()}
    assert names == {"input_ids", "attention_mask", "token_type_ids"}
    assert [one.name for one in session.get_outputs()] == ["logits"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="np")
    tokens["token_type_ids"] = np.zeros_like(tokens["input_ids"])  # as optimum does if missing
    (logits,) = session.run(["logits"], {name: tokens[name] for name in names})
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = TextClassifier.load(real.run).predict_proba(TEXTS)
    np.testing.assert_allclose(shares, expected, rtol=0, atol=1e-4)


def test_a_model_does_not_name_files_of_this_machine(exports):
    for precision in ("float32", "int8"):
        content = (exports[0] / precision / "model.onnx").read_bytes()
        assert str(Path(__file__).parents[3]).encode() not in content


def test_an_export_can_be_neither_trained_nor_saved_nor_read_for_features(exports):
    loaded = TextClassifier.load(exports[0] / "int8")
    for use in (
        lambda: loaded.transform(TEXTS),
        loaded.get_feature_names_out,
        lambda: loaded.save("again"),
        lambda: TextClassifier(str(exports[0] / "int8")).fit(TEXTS, [0, 1, 0, 1]),
    ):
        with pytest.raises(ThawlineError):
            use()
    assert not Path("again").exists()


def test_a_damaged_model_is_refused(exports):
    shutil.copytree(exports[0] / "int8", "damaged")
    file = Path("damaged/model.onnx")
    file.write_bytes(file.read_bytes()[:-100])
    refusal(thawline("predict", "damaged", "a film"))


def test_nothing_is_left_if_the_logits_differ(real, monkeypatch):
    def write(fitted, folder):
        fitted.head_module()[0].bias.data[0] += 1e-2
        artifact_parts(fitted, folder)

    from thawline.artifact.folder import write_parts as artifact_parts

    monkeypatch.setattr("thawline.jobs.export.write_parts", write)
    monkeypatch.setattr("thawline.jobs.export.as_native", lambda fitted: fitted)
    refusal(thawline("export", real.run, "--to", "transformers", "--out", "export"))
    assert not [*Path().glob("*export*")]


def test_a_fitted_head_becomes_a_classifier_of_transformers(fit):
    assert fit("--pooling", "first", "--features", "last").code == 0
    done = thawline("export", "run", "--to", "transformers", "--out", "export", "--json")
    assert done.code == 0, done.err
    assert (done.json["accuracy"], done.json["seconds"]) == (None, None)
    tokenizer = AutoTokenizer.from_pretrained("export")
    model = AutoModelForSequenceClassification.from_pretrained("export").eval()
    assert type(model).__name__ == "BertForSequenceClassification"
    assert model.config.id2label == {0: "0", 1: "1"}
    tokens = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    found = model(**tokens).logits.softmax(1).detach().numpy()
    expected = TextClassifier.load("run").predict_proba(TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert TextClassifier.load("export").predict_proba(TEXTS) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["lora:r=2,alpha=4", "head+tfidf"])
def test_other_strategies_give_the_same_probabilities(fit, strategy):
    assert fit("--strategy", strategy, *(("--epochs", 1) if strategy[0] == "l" else ())).code == 0
    done = thawline("export", "run", "--out", "export", "--json")
    assert done.code == 0, done.err
    expected = TextClassifier.load("run").predict_proba(TEXTS)
    found = TextClassifier.load("export").predict_proba(TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    reads_words = strategy == "head+tfidf"
    assert Path("export/words.json").exists() == reads_words
    assert json.loads(Path("export/config.json").read_text()).get("words", False) == reads_words


@pytest.mark.slow
def test_large_weights_are_in_a_file_of_their_own(real, monkeypatch):
    monkeypatch.setattr("thawline.artifact.exported.MAX_FILE_BYTES", 0)
    for options in ((), ("--int8",)):
        out = f"export{len(options)}"
        done = thawline("export", real.run, *options, "--out", out, "--json")
        assert done.code == 0, done.err
        assert Path(out, "model.onnx.data").is_file()
        assert len(TextClassifier.load(out).predict_proba(TEXTS)) == len(TEXTS)


def test_pairs_are_compared_with_reviews_if_the_data_are_gone(fit, toy_reviews):
    texts, labels = toy_reviews(48, 1)
    rows = [f"{a},{b},{label}" for a, b, label in zip(texts, texts[::-1], labels, strict=True)]
    Path("pairs.csv").write_text("\n".join(["premise,hypothesis,label", *rows]), encoding="utf-8")
    options = ("--text", "premise,hypothesis", "--pooling", "first", "--features", "last")
    done = fit("--data", "pairs.csv", *options)
    assert done.code == 0, done.err
    Path("pairs.csv").unlink()
    done = thawline("export", "run", "--to", "transformers", "--out", "export", "--json")
    assert done.code == 0, done.err
    assert done.json["texts"] > 2
    expected = TextClassifier.load("run").predict_proba([("good film", "bad")])
    found = TextClassifier.load("export").predict_proba([("good film", "bad")])
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_classifier_without_a_backbone_is_refused(data):
    done = thawline("fit", "--data", data, "--strategy", "tfidf", "--out", "run")
    assert done.code == 0, done.err
    assert "tfidf" in refusal(thawline("export", "run", "--out", "export"))
