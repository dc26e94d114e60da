"""`fit --backbone glove`: an encoder is built, trained, saved, proven, resumed and reused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.support.command_line import Outcome, ProverHere, thawline, write_set
from tests.support.toys import GOOD, WORDS
from thawline import TextClassifier, artifact
from thawline.strategies import parse_strategy

SAME = ["--dtype", "float32", "--device", "cpu"]
SMALL = [
    *("--set", "encoder.width=16", "--set", "encoder.heads=2", "--set", "encoder.feed_forward=32"),
    *SAME,
]


@pytest.fixture(autouse=True)
def _set_and_vectors(toy_reviews, monkeypatch, undrawn):
    monkeypatch.setattr(artifact, "Prover", ProverHere)
    write_set(Path("reviews"), {"train": toy_reviews(80, 1), "test": toy_reviews(40, 2)})
    matrix = np.random.default_rng(1).normal(size=(len(WORDS), 12))
    pairs = zip(WORDS, matrix, strict=True)
    Path("own.txt").write_text("".join(f"{w} {' '.join(map(str, row))}\n" for w, row in pairs))


def fit(
    *given: str, strategy: str = "full", backbone: str = "glove", vectors: str | None = "own.txt"
):
    is_built = backbone == "glove"
    return thawline(
        *("fit", "--data", "reviews", "--backbone", backbone),
        *(() if vectors is None else ("--vectors", vectors)),
        *(
            *("--strategy", strategy, "--json"),
            *(() if "--epochs" in given else ("--epochs", "3")),
            *(() if "--labels" in given else ("--labels", "neg,pos")),
            *(SMALL if is_built else SAME),
            *given,
        ),
    )


def test_a_fit_builds_the_encoder_trains_it_and_reports_its_words():
    done = fit("--out", "run", "--epochs", "10")
    assert done.code == 0, done.err
    record = done.json
    assert record["test"]["accuracy"]["value"] > 0.8
    assert record["lr"] == 1e-3
    assert record["max_length"] == 256
    assert 0.5 < record["encoder"]["coverage"] < 1  # the numbers of the films have no vector
    reported = [line for line in done.err.splitlines() if "own.txt" in line]
    assert any(f"{record['encoder']['coverage']:.1%}" in line for line in reported)
    assert "--strategy full" not in done.err  # it trains every block already
    answer = thawline("predict", "run", "--json", " ".join(GOOD * 3)).json
    assert answer["label"] == "pos"


def untrained_blocks(done: Outcome, strategy: str) -> list[int]:
    """Return the numbers in the line that recommends to train all random blocks."""
    given = f"strategy {parse_strategy(strategy)}"
    lines = [line for line in done.err.splitlines() if given in line and "--strategy full" in line]
    assert len(lines) == 1, done.err
    return [int(number) for number in re.findall(r"\d+", lines[0].replace(given, ""))]


@pytest.mark.parametrize(("strategy", "left"), [("head", 2), ("last:1", 1)])
def test_a_strategy_that_leaves_random_blocks_untrained_warns(strategy, left):
    done = fit("--out", "run", strategy=strategy)
    assert done.code == 0, done.err
    assert untrained_blocks(done, strategy) == [left, 2]


def test_frozen_vectors_stay_unchanged_under_full_training():
    def trained(*given):
        out = f"run{len(given)}"
        assert fit("--out", out, *given).code == 0
        (name,) = (n for n in load_file(f"{out}/model/model.safetensors") if "words" in n)
        vocabulary = json.loads(Path(out, "model/tokenizer.json").read_text())["model"]["vocab"]
        return load_file(f"{out}/model/model.safetensors")[name][vocabulary["film"]].numpy()

    given = np.loadtxt("own.txt", usecols=range(1, 13), comments=None)[WORDS.index("film")]
    frozen, free = trained("--set", "encoder.freeze_vectors=true"), trained()
    np.testing.assert_array_equal(frozen, given.astype(np.float32))
    assert np.abs(free - given).max() > 1e-3


def test_a_resumed_run_ends_at_the_same_weights(monkeypatch):
    from thawline.training.steps import Training

    assert fit("--out", "whole").code == 0
    update, steps = Training.update, []

    def stopping(self, *arguments, **options):
        steps.append(1)
        if len(steps) == 8:
            raise KeyboardInterrupt
        return update(self, *arguments, **options)

    monkeypatch.setattr(Training, "update", stopping)
    fit("--out", "run", "--set", "training.checkpoint_every=2")
    monkeypatch.setattr(Training, "update", update)
    assert json.loads(Path("run/record.json").read_text())["status"] == "stopped"
    assert thawline("fit", "--resume", "--out", "run", "--json").code == 0
    whole, again = (load_file(f"{run}/model/model.safetensors") for run in ("whole", "run"))
    assert all(np.array_equal(whole[name], again[name]) for name in whole)


def test_a_run_is_not_resumed_with_other_vectors(monkeypatch):
    from thawline.training.steps import Training

    def stop(self, *arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "update", stop)
        fit("--out", "run")
    Path("own.txt").write_text(Path("own.txt").read_text().replace("film ", "film 1"))
    done = thawline("fit", "--resume", "--out", "run")
    assert done.code == 2
    known = json.loads(Path("run/record.json").read_text())["backbone"]["sha256"]
    error = done.err.splitlines()[-1]
    assert all(part in error for part in ("'run'", known[:12]))


def test_adapters_on_a_built_encoder_must_be_merged():
    refused = fit("--out", "run", strategy="lora:r=2")
    assert refused.code == 2
    error = refused.err.splitlines()[-1]
    assert all(part in error for part in ("'glove'", "--merge", "--strategy full"))
    merged = fit("--out", "run", "--merge", strategy="lora:r=2")
    assert merged.code == 0, merged.err


def test_a_run_of_it_is_a_backbone_for_another_task():
    assert fit("--out", "topics", "--labels", "news,sport").code == 0
    done = fit("--out", "run", backbone="topics", vectors=None)
    assert done.code == 0, done.err
    (line,) = (line for line in done.err.splitlines() if "(news, sport)" in line)
    assert all(part in line for part in ("topics'", "(neg, pos)"))
    refused = fit("--out", "again", backbone="topics")
    assert refused.code == 2
    assert all(part in refused.err for part in ("--vectors", "--backbone glove"))


@pytest.mark.parametrize("words", [("--out", "run"), ("--out", "run", "--vectors", "random")])
def test_files_named_glove_and_random_are_ignored(words):
    Path("glove").write_text("notes")
    Path("random").write_text("notes")
    done = fit(*words, vectors=None if "--vectors" in words else "own.txt")
    assert done.code == 0, done.err


def test_adapters_leave_every_random_block_untrained():
    done = fit("--out", "run", "--merge", strategy="lora:r=2,from=2")
    assert done.code == 0, done.err
    assert untrained_blocks(done, "lora:r=2,from=2") == [2, 2]


def test_the_estimator_builds_one_too(toy_reviews):
    classifier = TextClassifier("glove", "full", vectors="random", epochs=6, dtype="float32")
    classifier.fit(*toy_reviews(60))
    texts, labels = toy_reviews(40, 1)
    assert (classifier.predict(texts) == labels).mean() > 0.8  # 0.9 to 0.975 by five seeds


def test_info_describes_it_without_any_text():
    info = thawline("info", "--backbone", "glove", "--vectors", "own.txt", "--json").json
    assert (info["family"], len(info["stages"]), info["hidden_size"]) == ("thawline-glove", 3, 128)


def test_preflight_counts_its_tokens():
    done = thawline("preflight", "--data", "reviews", "--backbone", "glove", "--vectors", "own.txt")
    assert done.code == 0, done.err
    assert "(glove)" in done.out
