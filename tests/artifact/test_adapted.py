"""Test that classifiers with live adapters are saved, loaded, rejected if damaged, and merged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from peft import AutoPeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from tests.support.artifacts import without_checksums
from tests.support.command_line import Outcome, ProverHere, thawline, write_set
from tests.support.toys import DEPTH, OWN, enlarge_head
from thawline import TextClassifier, artifact
from thawline.config import ComputeConfig
from thawline.errors import ThawlineError
from thawline.inference.fitted import Fitted, head_weights
from thawline.inference.predictor import Predictor

Backbones = Callable[[str], Path]
Reviews = Callable[..., tuple[list[str], list[int]]]
Adapted = Callable[..., Fitted]
FAMILIES = {
    "bert": "lora:r=2,from=3,targets=query+value",
    "distilbert": "lora:r=2,from=3,targets=q_lin+v_lin",
    "qwen3": "lora:r=2,from=3,targets=q_proj+v_proj",
    "thawline-glove": "lora:r=2,from=3,targets=linear1+linear2",
}
HEADS = ("linear", "mlp:8", "native")
TEXTS = ["a good film", "bad , bad , bad", "", "very " * 90 + "dull", "this was so funny"]


@pytest.fixture(scope="module")
def adapted(
    toy_backbone: Backbones, toy_reviews: Reviews, tmp_path_factory: pytest.TempPathFactory
) -> Adapted:
    """Return a function that fits a classifier with adapters; tests must not change the result."""
    made: dict[tuple[str, str], Fitted] = {}

    def fit(family: str = "bert", head: str = "linear") -> Fitted:
        if (family, head) not in made:
            classifier = TextClassifier(
                toy_backbone(family),
                FAMILIES[family],
                head=head,
                epochs=2,
                lr=1e-2,
                dtype="float32",
                labels=("pos", "neg"),
            )
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("THAWLINE_HOME", str(tmp_path_factory.mktemp("adapted")))
                made[family, head] = classifier.fit(*toy_reviews(24)).fitted_
            if head == "native":
                enlarge_head(made[family, head].head_module())
        return made[family, head]

    return fit


def logits(fitted: Fitted) -> NDArray[np.float32]:
    return Predictor(fitted, ComputeConfig(dtype="float32"), use_store=False).logits(TEXTS)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


class TestSave:
    @pytest.mark.parametrize("head", HEADS)
    @pytest.mark.parametrize("family", FAMILIES)
    def test_loaded_equals_saved(
        self, adapted: Adapted, tmp_path: Path, family: str, head: str
    ) -> None:
        saved = adapted(family, head)
        artifact.save(saved, tmp_path / "saved")
        loaded = artifact.load(tmp_path / "saved")
        before, after = saved.model.state_dict(), loaded.model.state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
        expected = logits(saved)
        # The weights are the same, but adapters that were trained still require gradients. Even in
        # inference mode, torch multiplies a single token by such a weight with another kernel.
        np.testing.assert_allclose(logits(loaded), expected, rtol=1e-6, atol=1e-6)
        assert expected.std(0).min() > 1e-3  # the logits of the texts differ
        assert loaded.model.config.id2label == {0: "pos", 1: "neg"}
        assert loaded.model.config.label2id == {"pos": 0, "neg": 1}
        assert not loaded.model.training
        for name in ("labels", "reading", "head", "strategy", "backbone"):
            assert getattr(loaded, name) == getattr(saved, name)
        assert type(loaded.model) is type(saved.model)
        assert loaded.model.config.to_dict() == saved.model.config.to_dict()
        assert loaded.adapter is not None
        assert saved.adapter is not None
        assert loaded.adapter.base_digest() == saved.adapter.base_digest()

    @pytest.mark.parametrize("head", HEADS)
    def test_files_of_the_artifact(self, adapted: Adapted, tmp_path: Path, head: str) -> None:
        artifact.save(adapted("bert", head), tmp_path / "saved")
        assert files(tmp_path / "saved") == {
            "adapter/adapter_config.json",
            "adapter/adapter_model.safetensors",
            "head.safetensors",
            "thawline.json",
            "tokenizer.json",
            "tokenizer_config.json",
        }
        for auto in (AutoModel, AutoModelForSequenceClassification):
            with pytest.raises(ValueError, match="Unrecognized model"):
                auto.from_pretrained(tmp_path / "saved")

    @pytest.mark.parametrize("head", HEADS)
    @pytest.mark.parametrize("family", FAMILIES)
    def test_all_weights_of_the_head_are_saved(
        self, adapted: Adapted, tmp_path: Path, family: str, head: str
    ) -> None:
        fitted = adapted(family, head)
        weights = head_weights(fitted.model, fitted.head)
        original = {name: tensor.clone() for name, tensor in weights.items()}
        base = f"{fitted.model.base_model_prefix}."
        beyond = {name for name, _ in fitted.model.named_parameters() if not name.startswith(base)}
        assert beyond <= set(weights)
        try:
            for place, tensor in enumerate(weights.values(), 1):
                tensor.view(-1)[-1] = place / 8
            artifact.save(fitted, tmp_path / "saved")
        finally:
            for name, tensor in weights.items():
                tensor.copy_(original[name])
        loaded = artifact.load(tmp_path / "saved")
        found = head_weights(loaded.model, loaded.head)
        assert list(found) == list(original)
        for place, (name, tensor) in enumerate(found.items(), 1):
            assert tensor.view(-1)[-1] == place / 8, name
            assert torch.equal(tensor.view(-1)[:-1], original[name].view(-1)[:-1]), name

    def test_settings_contain_the_base_and_its_digest(
        self, adapted: Adapted, tmp_path: Path
    ) -> None:
        fitted = adapted("bert", "mlp:8")
        artifact.save(fitted, tmp_path / "saved")
        settings = json.loads((tmp_path / "saved" / "thawline.json").read_text(encoding="utf-8"))
        assert fitted.adapter is not None
        assert settings["adapter"] == {
            "base": fitted.backbone,
            "base_sha256": fitted.adapter.base_digest(),
            "head_dropout": 0.1,
        }

    def test_adapters_have_block_numbers_of_the_complete_model(
        self, adapted: Adapted, tmp_path: Path
    ) -> None:
        artifact.save(adapted("bert", "linear"), tmp_path / "saved")
        weights = load_file(tmp_path / "saved" / "adapter" / "adapter_model.safetensors")
        assert set(weights) == {
            f"base_model.model.encoder.layer.{block}.attention.self.{target}.lora_{factor}.weight"
            for block in (2, 3)
            for target in ("query", "value")
            for factor in "AB"
        }

    @pytest.mark.parametrize("family", FAMILIES)
    def test_plain_peft_loads_the_adapters(
        self, adapted: Adapted, tmp_path: Path, family: str
    ) -> None:
        fitted = adapted(family, "native")
        artifact.save(fitted, tmp_path / "saved")
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
        batch = tokenizer(TEXTS[:1], return_tensors="pt")
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        allowed = (
            {"import_allowlist": ["thawline.backbones.glove.modeling"]} if family in OWN else {}
        )
        plain = AutoPeftModel.from_pretrained(str(tmp_path / "saved" / "adapter"), **allowed).eval()
        with torch.inference_mode():
            theirs, ours = (model(**inputs)[0] for model in (plain, fitted.model.base_model))
        torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-6)

    def test_loading_keeps_the_random_state(self, adapted: Adapted, tmp_path: Path) -> None:
        artifact.save(adapted("bert", "native"), tmp_path / "saved")
        torch.manual_seed(5)
        before = torch.get_rng_state()
        artifact.load(tmp_path / "saved")
        assert torch.equal(torch.get_rng_state(), before)

    def test_loaded_classifier_can_be_saved_again(self, adapted: Adapted, tmp_path: Path) -> None:
        artifact.save(adapted("bert", "mlp:8"), tmp_path / "one")
        artifact.save(artifact.load(tmp_path / "one"), tmp_path / "two")
        for name in ("head.safetensors", WEIGHTS, CONFIG, "tokenizer.json"):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        one, two = (
            json.loads((tmp_path / n / "thawline.json").read_bytes()) for n in ("one", "two")
        )
        assert {**one, "sha256": None} == {**two, "sha256": None}

    @pytest.mark.e2e
    def test_fresh_process_gives_the_same_probabilities(
        self, adapted: Adapted, tmp_path: Path
    ) -> None:
        fitted = adapted("bert", "native")
        with artifact.Prover("cpu") as prover:
            artifact.save(fitted, tmp_path / "saved")
            assert prover.prove(fitted, tmp_path / "saved", TEXTS) <= artifact.TOLERANCE


class TestWithoutPooler:
    def test_random_pooler_is_saved_with_the_head(
        self, toy_backbone: Backbones, toy_reviews: Reviews, tmp_path: Path
    ) -> None:
        base = tmp_path / "base"
        shutil.copytree(toy_backbone("bert"), base)
        edit_weights(base / "model.safetensors", without("pooler."))
        classifier = TextClassifier(base, "lora:r=2", head="native", epochs=1, dtype="float32")
        with pytest.warns(UserWarning, match="pooler"):
            fitted = classifier.fit(*toy_reviews(24)).fitted_
        pooler = fitted.model.base_model.pooler.dense.weight
        with torch.no_grad():
            pooler.add_(1.0)  # as if another version of torch had initialised it
        artifact.save(fitted, tmp_path / "saved")
        loaded = artifact.load(tmp_path / "saved")
        assert torch.equal(loaded.model.base_model.pooler.dense.weight, pooler)


def edit_weights(path: Path, edit: Callable[[dict[str, Tensor]], Any]) -> None:
    weights = load_file(path)
    edit(weights)
    save_file(weights, path, metadata={"format": "pt"})


def without(prefix: str) -> Callable[[dict[str, Tensor]], None]:
    def edit(weights: dict[str, Tensor]) -> None:
        for name in [name for name in weights if name.startswith(prefix)]:
            del weights[name]

    return edit


def edited(name: str, edit: Callable[[dict[str, Tensor]], Any]) -> Callable[[Path], None]:
    return lambda folder: edit_weights(folder / name, edit)


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def shortened(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:100])


WEIGHTS, CONFIG = "adapter/adapter_model.safetensors", "adapter/adapter_config.json"
FACTOR = "base_model.model.encoder.layer.3.attention.self.query.lora_B.weight"
DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no adapter folder": (lambda folder: shutil.rmtree(folder / "adapter"), "adapter_config.json"),
    "no adapter weights": (removed(WEIGHTS), "adapter_model.safetensors"),
    "no adapter config": (removed(CONFIG), "adapter_config.json"),
    "half the adapter weights": (shortened(WEIGHTS), "header"),
    "half the adapter config": (shortened(CONFIG), "line"),
    "a lost factor": (edited(WEIGHTS, without(FACTOR)), FACTOR),
    "a factor of another rank": (
        edited(WEIGHTS, lambda weights: weights.update({FACTOR: torch.zeros(32, 3)})),
        "(32, 3)",
    ),
    "a factor too many": (
        edited(WEIGHTS, lambda weights: weights.update(more=torch.zeros(1))),
        "more",
    ),
    "no head": (removed("head.safetensors"), "head.safetensors"),
    "half the head": (shortened("head.safetensors"), "header"),
    "a lost weight of the head": (
        edited("head.safetensors", without("head.0.bias")),
        "head.0.bias",
    ),
    "a head for three labels": (
        edited("head.safetensors", lambda head: head.update({"head.0.bias": torch.zeros(3)})),
        "(3,)",
    ),
    "no tokenizer": (removed("tokenizer.json"), "tokenizer.json"),
}


@pytest.fixture(scope="module")
def saved(adapted: Adapted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save one classifier, which tests copy before they damage it."""
    folder = tmp_path_factory.mktemp("damaged") / "saved"
    artifact.save(adapted("bert", "linear"), folder)
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

    def copy_with_base(self, saved: Path, folder: Path, base: Path) -> Path:
        """Copy an artifact and change the path of its base."""
        shutil.copytree(saved, folder)
        settings = json.loads((folder / "thawline.json").read_text(encoding="utf-8"))
        settings["adapter"]["base"] = str(base)
        (folder / "thawline.json").write_text(json.dumps(settings), encoding="utf-8")
        return folder

    def test_missing_base_is_an_error(self, saved: Path, tmp_path: Path) -> None:
        folder = self.copy_with_base(saved, tmp_path / "copy", tmp_path / "gone")
        with pytest.raises(ThawlineError) as caught:
            artifact.load(folder)
        error, base = caught.value, f"'{tmp_path / 'gone'}'"
        assert base in error.expected
        assert f"'{folder}'" in error.expected
        assert base in error.found
        assert "thawline.json" in error.fix

    def test_moved_base_is_found_by_the_path_in_the_settings(
        self, saved: Path, adapted: Adapted, toy_backbone: Backbones, tmp_path: Path
    ) -> None:
        shutil.copytree(toy_backbone("bert"), tmp_path / "moved")
        folder = self.copy_with_base(saved, tmp_path / "copy", tmp_path / "moved")
        np.testing.assert_array_equal(
            logits(artifact.load(folder)), logits(adapted("bert", "linear"))
        )

    @pytest.mark.parametrize("other", ["a weight", "a family"])
    def test_changed_base_is_an_error(
        self, saved: Path, adapted: Adapted, toy_backbone: Backbones, tmp_path: Path, other: str
    ) -> None:
        base = tmp_path / "base"
        shutil.copytree(toy_backbone("bert" if other == "a weight" else "distilbert"), base)
        if other == "a weight":
            name = "embeddings.word_embeddings.weight"
            edit_weights(base / "model.safetensors", lambda weights: weights[name][5].add_(1e-4))
        folder = self.copy_with_base(saved, tmp_path / "copy", base)
        with pytest.raises(ThawlineError) as caught:
            artifact.load(folder)
        adapter = adapted("bert", "linear").adapter
        assert adapter is not None
        error = caught.value
        for datum in (f"'{base}'", f"'{folder}'", adapter.base_digest()[:12]):
            assert datum in error.expected
        assert "SHA-256" in error.found
        assert adapter.base_digest()[:12] not in error.found


class TestMerge:
    @pytest.mark.parametrize("head", HEADS)
    @pytest.mark.parametrize("family", FAMILIES)
    def test_merged_classifier_is_a_complete_model(
        self, toy_backbone: Backbones, adapted: Adapted, tmp_path: Path, family: str, head: str
    ) -> None:
        artifact.save(adapted(family, head), tmp_path / "live")
        live = artifact.load(tmp_path / "live")  # a copy, because merging changes the model
        expected, merged = logits(live), live.merge_adapters()
        np.testing.assert_allclose(logits(merged), expected, rtol=0, atol=1e-5)
        artifact.save(merged, tmp_path / "merged")
        assert files(tmp_path / "merged") == {
            "config.json",
            "model.safetensors",
            "thawline.json",
            "tokenizer.json",
            "tokenizer_config.json",
        }
        loaded = artifact.load(tmp_path / "merged")
        assert loaded.adapter is None
        np.testing.assert_allclose(logits(loaded), expected, rtol=0, atol=1e-5)
        config = json.loads((tmp_path / "merged" / "config.json").read_text(encoding="utf-8"))
        assert config["model_type"] == (family if head == "native" else "thawline")
        assert str(toy_backbone(family)) not in json.dumps(config)
        names = load_file(tmp_path / "merged" / "model.safetensors")
        assert not [name for name in names if "lora" in name or "base_layer" in name]


@pytest.mark.e2e
class TestCommandLine:
    def fit(
        self, backbone: Path, reviews: Reviews, monkeypatch: pytest.MonkeyPatch, *more: str
    ) -> Outcome:
        monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
        data = write_set(Path("set"), {"train": reviews(40), "test": reviews(24, seed=1)})
        options = ["--data", data, "--backbone", backbone, "--labels", "neg,pos", "--epochs", 1]
        return thawline("fit", *options, "--dtype", "float32", "--out", "run", "--json", *more)

    def test_adapters_stay_live_by_default(
        self, toy_backbone: Backbones, toy_reviews: Reviews, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        strategy = ("--strategy", "lora:r=2,from=3")
        done = self.fit(toy_backbone("bert"), toy_reviews, monkeypatch, *strategy)
        assert (done.code, "warning" in done.err.lower()) == (0, False), done.err
        assert "adapter/adapter_model.safetensors" in files(Path("run/model"))
        again = thawline("evaluate", "run", "--json")
        assert again.json["accuracy"] == done.json["test"]["accuracy"]
        assert thawline("predict", "run", "a good film").code == 0

    def test_merge_saves_a_plain_model(
        self, toy_backbone: Backbones, toy_reviews: Reviews, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        strategy = ("--strategy", "lora:r=2", "--merge", "--head", "native")
        done = self.fit(toy_backbone("bert"), toy_reviews, monkeypatch, *strategy)
        assert done.code == 0, done.err
        assert done.json["config"]["artifact"] == {"merge": True}
        model, info = AutoModelForSequenceClassification.from_pretrained(
            "run/model", output_loading_info=True
        )
        assert type(model).__name__ == "BertForSequenceClassification"
        assert model.config.id2label == {0: "neg", 1: "pos"}
        assert not info["missing_keys"]
        assert not info["unexpected_keys"]
        again = thawline("evaluate", "run", "--json")
        assert again.json["accuracy"] == done.json["test"]["accuracy"]
        # The record counts the adapters that were trained.
        assert done.json["parameters"]["trainable"] == 2 * 32 + 2 + DEPTH * 2 * 2 * 32

    @pytest.mark.parametrize("strategy", ["head", "last:1", "full"])
    def test_merge_without_adapters_is_an_error(
        self,
        toy_backbone: Backbones,
        toy_reviews: Reviews,
        monkeypatch: pytest.MonkeyPatch,
        strategy: str,
    ) -> None:
        options = ("--strategy", strategy, "--merge")
        done = self.fit(toy_backbone("bert"), toy_reviews, monkeypatch, *options)
        assert done.code == 2
        line = done.err.splitlines()[-1]
        assert line.startswith("error: ")
        assert "--merge" in line
        assert strategy in line.partition("; found ")[2]
        assert not Path("run").exists()


def test_reading_is_saved_with_the_adapters(adapted: Adapted, tmp_path: Path) -> None:
    fitted = adapted("bert", "linear")
    reading = replace(fitted.reading, max_length=24, truncation_side="left", pairs=True)
    artifact.save(replace(fitted, reading=reading), tmp_path / "saved")
    loaded = artifact.load(tmp_path / "saved")
    assert loaded.reading == reading
    assert loaded.tokenizer.truncation_side == "left"
