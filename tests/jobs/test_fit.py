"""What a fit does once: processes, hashes of weights and of texts, and the texts of its proof."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

from tests.support.command_line import ProverHere, write_set
from thawline import artifact
from thawline.backbones import loading
from thawline.config import ComputeConfig, Config, DataConfig, TrainingConfig
from thawline.errors import ThawlineError
from thawline.inference.predictor import example_logits
from thawline.jobs.fit import PROOF_TEXTS, find_damage, fit_run, proof_texts
from thawline.runs.layout import LOGITS
from thawline.runs.logits import read_logits
from thawline.runtime.progress import Reporter
from thawline.store import Entry
from thawline.store import texts as keyed


def test_the_proof_classifies_the_shortest_texts_and_the_longest():
    texts = ["a" * length for length in (40, 3, 3, 90, *range(4, 30))]
    chosen = proof_texts(texts)
    assert len(chosen) == PROOF_TEXTS
    assert [len(text) for text in chosen] == [*range(3, 18), 90]


def test_few_texts_are_all_classified_once():
    assert proof_texts(["b", "aa", "b"]) == ["b", "aa"]
    pairs = [("a", "bbb"), ("aa", ""), ("a", "bbb")]
    assert proof_texts(pairs) == [("aa", ""), ("a", "bbb")]
    exactly = ["x" * length for length in range(1, PROOF_TEXTS + 1)]
    assert proof_texts(exactly) == exactly


@pytest.fixture
def config(tmp_path, toy_backbone, toy_reviews, undrawn) -> Config:
    parts = {"train": toy_reviews(80, 1), "test": toy_reviews(32, 2)}
    data = DataConfig(data=str(write_set(tmp_path / "reviews", parts)), labels=("neg", "pos"))
    compute = ComputeConfig(dtype="float32")
    return Config(data=data, backbone=str(toy_backbone()), compute=compute)


@pytest.fixture
def calls(monkeypatch) -> dict[str, int]:
    """How often a fit does its expensive steps, with a prover in this process."""
    counts = dict.fromkeys(("provers", "closed", "weights", "texts"), 0)

    class Counted(ProverHere):
        def __init__(self, device: str) -> None:
            super().__init__(device)
            counts["provers"] += 1

        def __exit__(self, *error: object) -> None:
            counts["closed"] += 1

    hash_weights, text_key = loading.hash_weights, keyed.text_key

    def count_weights(*arguments):
        counts["weights"] += 1
        return hash_weights(*arguments)

    def count_texts(text):
        counts["texts"] += 1
        return text_key(text)

    monkeypatch.setattr(artifact, "Prover", Counted)
    monkeypatch.setattr(loading, "hash_weights", count_weights)
    monkeypatch.setattr(keyed, "text_key", count_texts)
    return counts


@pytest.mark.parametrize("strategy", ["head", "last:1", "head+tfidf"])
def test_each_step_is_done_once(config, calls, strategy):
    fit_run(replace(config, strategy=strategy), Path("run"), Reporter())
    assert calls == {"provers": 1, "closed": 1, "weights": 1, "texts": 80 + 32}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ThawlineError("a", "b", "c"), OSError])
@pytest.mark.parametrize(
    "step",
    [
        "training.preparation.run_prefix",
        *("jobs.fit.adapt", "jobs.fit.score_fit", "jobs.fit.write_mistakes"),
    ],
)
def test_the_prover_is_closed_if_a_step_fails(config, calls, monkeypatch, step, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(f"thawline.{step}", fail)
    with pytest.raises((KeyboardInterrupt, ThawlineError, OSError)):
        fit_run(config, Path("run"), Reporter())
    assert (calls["provers"], calls["closed"]) == (1, 1)


def test_a_fit_whose_settings_are_wrong_starts_no_prover(config, calls):
    with pytest.raises(ThawlineError):
        fit_run(replace(config, strategy="last:99"), Path("run"), Reporter())
    assert calls["provers"] == 0


def test_a_finished_run_that_is_resumed_starts_no_prover(config, calls):
    fit_run(config, Path("run"), Reporter())
    fit_run(config, Path("run"), Reporter(), resume=True)
    assert calls["provers"] == 1


@pytest.mark.parametrize("strategy", ["tfidf", "head", "head+tfidf", "last:1"])
def test_the_logits_are_those_of_the_scores(config, calls, strategy):
    of_words = Config(strategy="tfidf", data=config.data)
    chosen = of_words if strategy == "tfidf" else replace(config, strategy=strategy)
    record = fit_run(chosen, Path("run"), Reporter())
    found = read_logits(Path("run"), record)
    for logits, labels, scores in (
        (found.validation, found.validation_labels, record.validation),
        (found.test, found.test_labels, record.test),
    ):
        predicted = logits.argmax(1)
        assert np.mean(predicted == labels) == pytest.approx(scores.accuracy.value)
    wrong = np.flatnonzero(found.test.argmax(1) != found.test_labels)
    assert len(wrong) == len(record.mistakes.rows)
    if record.choice:
        steps = [(step.accuracy, step.loss) for step in record.choice]
    else:
        steps = [(row.validation_accuracy, row.validation_loss) for row in record.history]
    assert len(found.candidates) == len(steps) > 1
    best = min(range(len(steps)), key=lambda index: steps[index][1])
    for candidate, (accuracy, loss) in zip(found.candidates, steps, strict=True):
        right = candidate.argmax(1) == found.validation_labels
        assert np.mean(right) == pytest.approx(accuracy, abs=1.5 / len(right))
        logs = log_softmax(candidate.astype(np.float64), axis=1)
        mean = -logs[np.arange(len(right)), found.validation_labels].mean()
        assert mean == pytest.approx(loss, abs=5e-3)
    if record.kept is None:
        np.testing.assert_allclose(found.candidates[best], found.validation, atol=1e-2)


def test_the_logits_of_the_kept_epoch_are_not_computed_again(config, calls, monkeypatch):
    passes = []

    def counted(module, examples, density):
        passes.append(len(examples))
        return example_logits(module, examples, density)

    for module in ("blocks", "objectives"):
        monkeypatch.setattr(f"thawline.training.{module}.example_logits", counted)
    fitted = replace(config, strategy="last:1", training=TrainingConfig(epochs=2))
    record = fit_run(fitted, Path("run"), Reporter())
    validation, test = (len(record.data.rows[name]) for name in ("validation", "test"))
    assert passes == [validation] * 3 + [test] * 2


@pytest.mark.parametrize("harm", ["missing", "changed", "a folder"])
def test_a_finished_run_without_its_logits_is_made_again(config, calls, harm):
    record = fit_run(config, Path("run"), Reporter())
    file = Path("run", LOGITS)
    content = file.read_bytes()
    file.unlink()
    if harm == "changed":
        file.write_bytes(content[:-1] + b"x")
    elif harm == "a folder":
        file.mkdir()
    assert find_damage(record, Path("run")) is not None
    if harm != "a folder":
        again = fit_run(config, Path("run"), Reporter(), resume=True)
        assert calls["provers"] == 2
        assert find_damage(again, Path("run")) is None
        assert again.logits == record.logits


@pytest.mark.parametrize("strategy", ["head", "last:1", "lp+last:1"])
def test_the_cost_does_not_depend_on_what_the_store_held(config, calls, strategy):
    chosen = replace(config, strategy=strategy)
    first, second = (fit_run(chosen, Path(name), Reporter()) for name in ("one", "two"))
    assert second.prefix.texts == 0
    assert second.seconds.prefix == 0
    passes = [record.cost.prefix - record.seconds.tokenising for record in (first, second)]
    assert 0 < passes[0] == pytest.approx(passes[1])
    assert second.cost.seconds == pytest.approx(second.seconds.total + passes[1])
    alone = first.seconds.total - first.seconds.prefix + passes[0]
    assert first.cost.seconds == pytest.approx(alone)


def test_states_of_an_older_store_count_by_their_operations(config, calls, monkeypatch):
    fit_run(config, Path("one"), Reporter())
    monkeypatch.setattr(Entry, "seconds_of", lambda entry, texts: None)
    record = fit_run(config, Path("two"), Reporter())
    assert record.cost.prefix > record.seconds.tokenising


@pytest.mark.parametrize("strategy", ["head", "last:1", "tfidf"])
def test_altered_copies_are_in_the_record_but_not_in_the_data(config, calls, strategy):
    training = TrainingConfig(
        augment="word_dropout=0.2,copies=2", epochs=1 if strategy == "last:1" else None
    )
    config = replace(config, strategy=strategy, training=training)
    if strategy == "tfidf":
        config = Config(strategy=strategy, data=config.data, training=training)
    record = fit_run(config, Path("run"), Reporter())
    copies = record.augmentation
    assert (copies.copies, copies.texts, copies.lexicon) == (2, 2 * 72, None)
    assert 100 < copies.changed <= 144
    splits = record.preflight.splits
    assert [splits[name].rows for name in ("train", "validation", "test")] == [72, 8, 32]
    assert len(record.data.rows["train"]) == 72
    assert not any("cop" in finding for finding in record.preflight.findings)
    assert record.test.rows == 32
    if strategy == "head":
        assert record.prefix.texts == copies.changed + 72 + 8 + 32
        again = fit_run(config, Path("again"), Reporter())
        assert again.prefix.texts == 0, "equal copies are read once"
    resumed = fit_run(config, Path("run"), Reporter(), resume=True)
    assert resumed.augmentation == copies
    assert fit_run(replace(config, training=TrainingConfig()), Path("b")).augmentation is None
