"""Artifacts of classifiers that read words: equal after loading, and refused if damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.support.artifacts import edit_json, sign, without_checksums
from thawline import TextClassifier, ThawlineError, artifact
from thawline.backbones.loading import load_backbone
from thawline.inference.fitted import Fitted
from thawline.inference.words import FittedWords

Backbones = Callable[[str], Path]
Reviews = Callable[..., tuple[list[str], list[int]]]
Saved = Callable[[str], tuple[TextClassifier, Path]]
KINDS = ("tfidf", "head+tfidf")
TEXTS = ["a good film", "bad bad bad", "", "unheard of", "so funny but very dull " * 20]


@pytest.fixture(scope="module")
def saved(
    toy_backbone: Backbones, toy_reviews: Reviews, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Saved]:
    """Return a function that returns a classifier and its artifact, which tests must copy."""
    made: dict[str, tuple[TextClassifier, Path]] = {}

    def save(kind: str) -> tuple[TextClassifier, Path]:
        if kind not in made:
            own = {} if kind == "tfidf" else {"backbone": toy_backbone("bert"), "dtype": "float32"}
            classifier = TextClassifier(strategy=kind, labels=("neg", "pos"), **own)
            folder = tmp_path_factory.mktemp("words") / "model"
            artifact.save(classifier.fit(*toy_reviews(80)).fitted_, folder)
            made[kind] = classifier, folder
        return made[kind]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THAWLINE_HOME", str(tmp_path_factory.mktemp("store")))
        yield save


@pytest.fixture
def copy(saved: Saved, tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: Path(shutil.copytree(saved(kind)[1], tmp_path / "copy"))


@pytest.mark.parametrize("kind", KINDS)
def test_loaded_equals_saved(saved: Saved, kind: str) -> None:
    classifier, folder = saved(kind)
    loaded = TextClassifier.load(folder)
    expected = classifier.predict_proba(TEXTS)
    np.testing.assert_allclose(loaded.predict_proba(TEXTS), expected, atol=1e-6)
    assert np.ptp(expected[:, 0]) > 0.1  # the texts differ
    assert (loaded.fitted_.strategy, loaded.classes_.tolist()) == (kind, [0, 1])
    assert loaded.get_params()["strategy"] == kind
    np.testing.assert_array_equal(loaded.fitted_.words.idf, classifier.fitted_.words.idf)
    assert loaded.fitted_.words.terms == classifier.fitted_.words.terms
    assert isinstance(loaded.fitted_, FittedWords if kind == "tfidf" else Fitted)


def test_files(saved: Saved) -> None:
    words = {"thawline.json", "words.json", "words.safetensors"}
    model = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in saved("tfidf")[1].iterdir()} == words
    assert {path.name for path in saved("head+tfidf")[1].iterdir()} == words | model
    settings = json.loads((saved("tfidf")[1] / "thawline.json").read_text())
    assert settings["backbone"] is None
    assert settings["reading"] == {"pairs": False}


def test_the_states_of_head_tfidf_come_from_the_store_or_from_the_model(saved: Saved) -> None:
    classifier, _ = saved("head+tfidf")
    from_model = classifier.predict_proba(TEXTS)
    classifier.set_params(predict_from_store=True)
    np.testing.assert_allclose(classifier.predict_proba(TEXTS), from_model, atol=1e-5)
    classifier.set_params(predict_from_store=False)
    features = classifier.transform(TEXTS)
    assert features.shape == (len(TEXTS), len(classifier.get_feature_names_out()))


def test_the_model_of_head_tfidf_does_not_run_alone(saved: Saved) -> None:
    folder = saved("head+tfidf")[1]
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with pytest.raises(ThawlineError):
        model(**AutoTokenizer.from_pretrained(folder)("a good film", return_tensors="pt"))
    load_backbone(str(folder))  # its base model is complete


def test_tfidf_is_no_backbone(saved: Saved) -> None:
    with pytest.raises(ThawlineError) as caught:
        load_backbone(str(saved("tfidf")[1]))
    assert caught.value.setting == "backbone"


def refuse(folder: Path, name: str) -> None:
    with pytest.raises(ThawlineError) as caught:
        artifact.load(folder)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["words.json", "words.safetensors", "thawline.json"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_or_missing_file_is_named(copy: Any, kind: str, name: str) -> None:
    folder = copy(kind)
    content = (folder / name).read_bytes()
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    (folder / name).write_bytes(changed)
    refuse(folder, name)
    (folder / name).unlink()
    if name != "thawline.json":
        refuse(folder, name)


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    tensors = load_file(folder / "words.safetensors")
    edit(tensors)
    save_file(tensors, folder / "words.safetensors")


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "fewer terms": lambda t: t.update(idf=t["idf"][:-1].copy()),
    "other type": lambda t: t.update(weights=t["weights"].astype(np.float64)),
    "more classes": lambda t: t.update(bias=np.zeros(3, dtype=np.float32)),
    "missing": lambda t: t.pop("bias"),
    "more": lambda t: t.update(more=np.zeros(1)),
    "nan": lambda t: t["weights"].fill(np.nan),
    "infinite": lambda t: t["bias"].fill(np.inf),
    "large": lambda t: t["idf"].fill(1e300),
    "negative": lambda t: t["idf"].fill(-1.0),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_numbers_from_strangers(copy: Any, damage: str) -> None:
    folder = copy("tfidf")
    change(folder, DAMAGES[damage])
    sign(folder)
    refuse(folder, "words.safetensors")


@pytest.mark.parametrize(
    "terms", [{}, [], {"terms": []}, {"terms": "good"}, {"terms": [1]}, {"terms": ["a", "a"]}]
)
def test_terms_from_strangers(copy: Any, terms: object) -> None:
    folder = copy("head+tfidf")
    (folder / "words.json").write_text(json.dumps(terms), encoding="utf-8")
    sign(folder)
    refuse(folder, "words.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("strategy", "head"),
        ("backbone", "minilm"),
        ("head", "mlp:4"),
        ("reading", {"pairs": 1}),
        ("reading", {}),
        ("adapter", {"base": "x", "base_sha256": "0" * 64, "head_dropout": 0.1}),
    ],
)
def test_settings_that_do_not_fit_tfidf(copy: Any, key: str, value: object) -> None:
    folder = copy("tfidf")
    edit_json(folder / "thawline.json", lambda settings: settings.update({key: value}))
    sign(folder)
    refuse(folder, "thawline.json")


def test_settings_without_a_backbone_need_tfidf(copy: Any) -> None:
    folder = copy("head+tfidf")
    edit = {"backbone": None, "reading": {"pairs": False}}
    edit_json(folder / "thawline.json", lambda settings: settings.update(edit))
    sign(folder)
    refuse(folder, "backbone")


def test_artifacts_without_checksums_are_checked_too(copy: Any) -> None:
    folder = copy("tfidf")
    without_checksums(folder)
    assert isinstance(artifact.load(folder), FittedWords)
    (folder / "words.safetensors").unlink()
    refuse(folder, "words.safetensors")
