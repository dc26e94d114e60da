"""Test that classifiers are saved, loaded, verified, and rejected if damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer

from tests.support.artifacts import sign, without_checksums
from tests.support.toys import FAMILIES, OWN
from thawline import TextClassifier, artifact
from thawline.config import ComputeConfig
from thawline.errors import ThawlineError
from thawline.evaluation.metrics import probabilities
from thawline.inference.fitted import Fitted
from thawline.inference.predictor import Predictor

Trained = Callable[..., TextClassifier]
HEADS = ("linear", "mlp:8", "native")
TEXTS = ["a good film", "bad , bad , bad", "", "very " * 90 + "dull", "this was so funny"]


def logits(fitted: Fitted) -> NDArray[np.float32]:
    return Predictor(fitted, ComputeConfig(dtype="float32"), use_store=False).logits(TEXTS)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class TestSave:
    @pytest.mark.parametrize("head", HEADS)
    @pytest.mark.parametrize("family", FAMILIES)
    def test_loaded_equals_saved(
        self, trained_toy: Trained, tmp_path: Path, family: str, head: str
    ) -> None:
        saved = trained_toy(family, head).fitted_
        artifact.save(saved, tmp_path / "saved")
        loaded = artifact.load(tmp_path / "saved")
        expected = logits(saved)
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(logits(loaded), expected, rtol=0, atol=1e-5 * scale)
        assert expected.std(0).min() > 3e-4  # the logits of the texts differ
        assert loaded.model.config.id2label == {0: "neg", 1: "pos"}
        assert loaded.model.config.label2id == {"neg": 0, "pos": 1}
        assert not loaded.model.training
        assert loaded.tokenizer.padding_side == "right"
        for name in ("labels", "reading", "head", "strategy", "backbone"):
            assert getattr(loaded, name) == getattr(saved, name)

    @pytest.mark.parametrize("head", HEADS)
    def test_only_safetensors_and_json_are_written(
        self, trained_toy: Trained, tmp_path: Path, head: str
    ) -> None:
        artifact.save(trained_toy("bert", head).fitted_, tmp_path / "saved")
        assert names(tmp_path / "saved") == {
            "config.json",
            "model.safetensors",
            "thawline.json",
            "tokenizer.json",
            "tokenizer_config.json",
        }
        assert names(tmp_path) == {"saved", "cwd"}

    def test_model_type_depends_on_the_head(self, trained_toy: Trained, tmp_path: Path) -> None:
        types = {}
        for head in HEADS:
            folder = tmp_path / head.replace(":", "-")
            artifact.save(trained_toy("distilbert", head).fitted_, folder)
            types[head] = json.loads((folder / "config.json").read_text())["model_type"]
        assert types == {"linear": "thawline", "mlp:8": "thawline", "native": "distilbert"}

    def test_settings_file(self, trained_toy: Trained, tmp_path: Path) -> None:
        fitted = trained_toy("qwen3", "native").fitted_
        reading = replace(fitted.reading, max_length=24, truncation_side="left")
        artifact.save(replace(fitted, reading=reading), tmp_path / "saved")
        settings = json.loads((tmp_path / "saved" / "thawline.json").read_text())
        checksums = settings.pop("sha256")
        assert set(checksums) == names(tmp_path / "saved")
        for name in names(tmp_path / "saved") - {"thawline.json"}:
            content = (tmp_path / "saved" / name).read_bytes()
            assert checksums[name] == hashlib.sha256(content).hexdigest()
        assert settings == {
            "format": 2,
            "labels": {"names": ["neg", "pos"], "values": [0, 1]},
            "reading": {
                "max_length": 24,
                "truncation_side": "left",
                "pooling": "last",
                "stages": [4],
                "pairs": False,
            },
            "head": "native",
            "strategy": "head",
            "backbone": fitted.backbone,
        }

    def test_plain_transformers_cuts_texts_as_thawline_does(
        self, trained_toy: Trained, tmp_path: Path
    ) -> None:
        fitted = trained_toy("bert", "native").fitted_
        text = "good " * 10 + "bad " * 10
        fitted.tokenizer(text)  # a call without truncation resets the side
        reading = replace(fitted.reading, max_length=12, truncation_side="left")
        artifact.save(replace(fitted, reading=reading), tmp_path / "saved")
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
        assert (tokenizer.model_max_length, tokenizer.truncation_side) == (12, "left")
        words = tokenizer.convert_ids_to_tokens(tokenizer(text, truncation=True)["input_ids"])
        assert words == ["[CLS]", *["bad"] * 10, "[SEP]"]

    def test_existing_folder_is_an_error(self, trained_toy: Trained, tmp_path: Path) -> None:
        there = tmp_path / "there"
        there.mkdir()
        (there / "letter.txt").write_text("mine")
        with pytest.raises(ThawlineError) as caught:
            artifact.save(trained_toy().fitted_, there)
        assert f"'{there}'" in caught.value.found
        assert names(there) == {"letter.txt"}

    def test_missing_parents_are_created(self, trained_toy: Trained, tmp_path: Path) -> None:
        artifact.save(trained_toy().fitted_, tmp_path / "a" / "b" / "saved")
        assert artifact.find(tmp_path / "a" / "b" / "saved").is_dir()

    @pytest.mark.parametrize("failure", [OSError("no space left"), KeyboardInterrupt()])
    def test_failed_save_leaves_nothing(
        self,
        trained_toy: Trained,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        failure: BaseException,
    ) -> None:
        fitted = trained_toy().fitted_

        def fail(*_: Any, **__: Any) -> None:
            raise failure

        monkeypatch.setattr(type(fitted.tokenizer), "save_pretrained", fail)
        with pytest.raises(type(failure)):
            artifact.save(fitted, tmp_path / "runs" / "saved")
        assert names(tmp_path / "runs") == set()

    def test_folder_appears_only_when_it_is_complete(
        self, trained_toy: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, seen = tmp_path / "runs" / "saved", []
        fitted = trained_toy().fitted_
        write = type(fitted.tokenizer).save_pretrained

        def record_and_save(*args: Any, **options: Any) -> Any:
            seen.append(folder.exists())
            return write(*args, **options)

        monkeypatch.setattr(type(fitted.tokenizer), "save_pretrained", record_and_save)
        artifact.save(fitted, folder)
        assert seen == [False]
        assert names(folder.parent) == {"saved"}


class TestFind:
    def test_find_takes_a_run_or_an_artifact(self, trained_toy: Trained, tmp_path: Path) -> None:
        artifact.save(trained_toy().fitted_, tmp_path / "run" / "model")
        assert artifact.find(tmp_path / "run") == tmp_path / "run" / "model"
        assert artifact.find(tmp_path / "run" / "model") == tmp_path / "run" / "model"
        assert artifact.load(tmp_path / "run").labels == trained_toy().fitted_.labels

    @pytest.mark.parametrize(
        ("name", "has_settings_in_message"),
        [("nowhere", False), ("home", True)],
    )
    def test_missing_artifact_is_an_error(
        self, tmp_path: Path, name: str, has_settings_in_message: bool
    ) -> None:
        (tmp_path / "home").mkdir()
        with pytest.raises(ThawlineError) as caught:
            artifact.load(tmp_path / name)
        assert f"'{tmp_path / name}'" in caught.value.expected
        assert ("thawline.json" in caught.value.found) == has_settings_in_message


def settings_edited(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        settings = json.loads((folder / "thawline.json").read_text())
        edit(settings)
        (folder / "thawline.json").write_text(json.dumps(settings))

    return damage


def weights_edited(edit: Callable[[dict[str, Tensor]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        edit(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return damage


def shortened(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:200])


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def renamed_classes(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "pos", "1": "neg"}
    (folder / "config.json").write_text(json.dumps(config))


def pickled(folder: Path) -> None:
    import torch

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no config": (removed("config.json"), "config.json"),
    "no weights": (removed("model.safetensors"), "model.safetensors"),
    "no tokenizer": (removed("tokenizer.json"), "tokenizer.json"),
    "a pickle": (pickled, "model.safetensors"),
    "half the config": (shortened("config.json"), "config.json"),
    "half the weights": (shortened("model.safetensors"), "header"),
    "half the tokenizer": (shortened("tokenizer.json"), "tokenizer.json"),
    "half the settings": (shortened("thawline.json"), "thawline.json"),
    "no settings": (
        lambda folder: (folder / "thawline.json").write_text("[]"),
        "'format'",
    ),
    "no labels": (
        settings_edited(lambda settings: settings.pop("labels")),
        "'labels'",
    ),
    "no head": (
        settings_edited(lambda settings: settings.pop("head")),
        "'head'",
    ),
    "no stages": (settings_edited(lambda settings: settings["reading"].pop("stages")), "stages"),
    "an unknown setting": (
        settings_edited(lambda settings: settings["reading"].update(colour="red")),
        "colour",
    ),
    "a later format": (
        settings_edited(lambda settings: settings.update(format=3)),
        "format 3 ",
    ),
    "a lost head": (
        weights_edited(lambda weights: weights.pop("head.0.weight")),
        "head.0.weight",
    ),
    "a head of another shape": (
        weights_edited(lambda weights: weights.update({"head.0.bias": weights["head.0.bias"][:1]})),
        "(1,)",
    ),
    "a weight too many": (
        weights_edited(lambda weights: weights.update(more=weights["head.0.bias"].clone())),
        "more",
    ),
    "swapped labels": (
        renamed_classes,
        "pos, neg and neg, pos",
    ),
}


@pytest.fixture(scope="module")
def saved(trained_toy: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save one classifier, which tests copy before they damage it."""
    folder = tmp_path_factory.mktemp("damaged") / "saved"
    artifact.save(trained_toy().fitted_, folder)
    return folder


class TestDamage:
    @pytest.mark.parametrize("name", DAMAGES)
    def test_damaged_folder_is_an_error(self, saved: Path, tmp_path: Path, name: str) -> None:
        damage, found = DAMAGES[name]
        folder = tmp_path / "damaged"
        shutil.copytree(saved, folder)
        without_checksums(folder)  # otherwise these would be the only finding
        damage(folder)
        with pytest.raises(ThawlineError) as caught:
            artifact.load(folder)
        words = f"{caught.value.expected} {caught.value.found}"
        assert str(folder) in words
        assert found in words
        assert "\n" not in str(caught.value)


@pytest.mark.e2e
class TestProof:
    @pytest.mark.parametrize("head", ["linear", "native"])
    def test_fresh_process_gives_the_same_probabilities(
        self, trained_toy: Trained, tmp_path: Path, head: str
    ) -> None:
        fitted = trained_toy("bert", head).fitted_
        with artifact.Prover("cpu") as prover:
            artifact.save(fitted, tmp_path / "saved")
            difference = prover.prove(fitted, tmp_path / "saved", TEXTS)
        assert 0 <= difference <= artifact.TOLERANCE == 1e-5

    def test_one_process_verifies_several_artifacts(
        self, trained_toy: Trained, tmp_path: Path
    ) -> None:
        heads = {head: trained_toy("bert", head).fitted_ for head in ("linear", "native")}
        with artifact.Prover("cpu") as prover:
            for head, fitted in heads.items():
                artifact.save(fitted, tmp_path / head)
                assert prover.prove(fitted, tmp_path / head, TEXTS) <= artifact.TOLERANCE
            for _ in range(2):  # the process ends at the first failure, and the error repeats
                with pytest.raises(ThawlineError, match="nothing"):
                    prover.prove(heads["linear"], tmp_path / "nothing", TEXTS)

    def test_changed_weight_is_an_error(self, trained_toy: Trained, tmp_path: Path) -> None:
        fitted = trained_toy("bert", "native").fitted_
        tamper = weights_edited(lambda weights: weights["classifier.bias"].add_(Tensor([1e-3, 0])))
        with artifact.Prover("cpu") as prover:
            artifact.save(fitted, tmp_path / "saved")
            tamper(tmp_path / "saved")
            sign(tmp_path / "saved")
            with pytest.raises(ThawlineError) as caught:
                prover.prove(fitted, tmp_path / "saved", TEXTS)
        error = caught.value
        assert "1e-05" in error.expected
        difference = float(error.found.split()[-1])
        assert difference > 1e-5
        tampered = probabilities(logits(artifact.load(tmp_path / "saved")))
        by_hand = np.abs(tampered - probabilities(logits(fitted))).max()
        assert difference == pytest.approx(by_hand, rel=1e-2)

    def test_folder_that_does_not_load_is_an_error(
        self, trained_toy: Trained, tmp_path: Path
    ) -> None:
        fitted = trained_toy().fitted_
        with artifact.Prover("cpu") as prover:
            artifact.save(fitted, tmp_path / "saved")
            removed("model.safetensors")(tmp_path / "saved")
            with pytest.raises(ThawlineError) as caught:
                prover.prove(fitted, tmp_path / "saved", TEXTS)
        error = caught.value
        assert f"'{tmp_path / 'saved'}'" in error.expected
        assert "model.safetensors" in error.found
        assert f'thawline predict {tmp_path / "saved"} "a text" --debug' in error.fix


PLAIN = """
import json, sys
from transformers import AutoModelForSequenceClassification, pipeline

request = json.load(sys.stdin)
answer = {"native": {}, "refused": {}}
for name, folder in request["native"].items():
    classify = pipeline("text-classification", folder, top_k=None)
    answer["native"][name] = [
        {one["label"]: one["score"] for one in scores}
        for scores in classify(request["texts"], truncation=True)
    ]
for name, folder in request["ours"].items():
    model = None
    try:
        model = AutoModelForSequenceClassification.from_pretrained(folder)
    except ValueError as error:
        answer["refused"][name] = str(error)
    assert model is None
answer["imported"] = sorted(name for name in sys.modules if name.startswith("thawline"))

import thawline
from thawline.classifier import TextClassifier

answer["ours"] = {
    name: TextClassifier.load(folder).predict_proba(request["texts"]).tolist()
    for name, folder in request["ours"].items()
}
json.dump(answer, sys.stdout)
"""

THAWLINE_FIRST = """
import json, sys
import thawline

assert "transformers" not in sys.modules
from transformers import AutoModelForSequenceClassification, AutoTokenizer

request = json.load(sys.stdin)
answer = {}
for name, folder in request["ours"].items():
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    batch = tokenizer(request["texts"], truncation=True, padding=True, return_tensors="pt")
    answer[name] = model(**batch).logits.softmax(1).tolist()
json.dump(answer, sys.stdout)
"""


def ask(script: str, request: dict[str, Any]) -> Any:
    """Run a script in a fresh process, with JSON as its input and its output."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.e2e
class TestPlainTransformers:
    @pytest.fixture
    def folders(self, trained_toy: Trained, tmp_path: Path) -> dict[str, dict[str, str]]:
        """Save classifiers with native heads and with our heads, and return their folders."""
        kinds = {
            "native": {family: (family, "native") for family in FAMILIES if family not in OWN},
            "ours": {head: ("bert", head) for head in ("linear", "mlp:8")},
        }
        for kind, made in kinds.items():
            for name, (family, head) in made.items():
                artifact.save(trained_toy(family, head).fitted_, tmp_path / kind / name)
        return {
            kind: {name: str(tmp_path / kind / name) for name in made}
            for kind, made in kinds.items()
        }

    def test_plain_transformers_loads_native_heads_only(
        self, trained_toy: Trained, folders: dict[str, dict[str, str]]
    ) -> None:
        # A causal pipeline of transformers fails on an empty text, because it has no token.
        texts = [text for text in TEXTS if text]
        answer = ask(PLAIN, folders | {"texts": texts})
        assert answer["imported"] == []
        for family in folders["native"]:
            found = [[one["neg"], one["pos"]] for one in answer["native"][family]]
            expected = trained_toy(family, "native").predict_proba(texts)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        assert set(answer["refused"]) == set(folders["ours"])
        for words in answer["refused"].values():
            assert "model type `thawline`" in words
            assert "does not recognize this architecture" in words
        for head, found in answer["ours"].items():
            expected = trained_toy("bert", head).predict_proba(texts)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)

    def test_our_heads_load_if_thawline_is_imported_first(
        self, trained_toy: Trained, folders: dict[str, dict[str, str]]
    ) -> None:
        answer = ask(THAWLINE_FIRST, folders | {"texts": TEXTS})
        assert set(answer) == {"linear", "mlp:8"}
        for head, found in answer.items():
            expected = trained_toy("bert", head).predict_proba(TEXTS)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
