"""The findings of a fit in addition to its scores: mistakes, samples, kept epoch and parameters."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support.command_line import ProverHere, write_set
from tests.support.toys import DEPTH, LIMIT, WIDTH, toy_tokenizer
from thawline import artifact
from thawline.config import ComputeConfig, Config, DataConfig, ReportConfig, TrainingConfig
from thawline.data import LabelledTexts, load
from thawline.data.lengths import count_tokens
from thawline.evaluation.metrics import probabilities
from thawline.inference.predictor import Predictor
from thawline.jobs.fit import fit_run
from thawline.report.terminal import print_fit
from thawline.runs.records import FitRecord
from thawline.runtime.progress import Reporter

Reviews = Callable[..., tuple[list[str], list[int]]]
Fit = Callable[..., FitRecord]
COMPUTE = ComputeConfig(dtype="float32")
STRATEGIES = ("head", "last:2", "lora:r=2,from=3")


@pytest.fixture(autouse=True)
def _prove_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, toy_reviews: Reviews) -> DataConfig:
    folder = tmp_path_factory.mktemp("evaluation") / "reviews"
    texts, labels = toy_reviews(60, 2)
    # A third of the labels are of the other class, so every classifier makes mistakes.
    swapped = [1 - label if row % 3 == 0 else label for row, label in enumerate(labels)]
    write_set(folder, {"train": toy_reviews(80, 1), "test": (texts, swapped)})
    return DataConfig(data=str(folder), labels=("neg", "pos"), limit=(80, 40))


@pytest.fixture
def fit(data: DataConfig, toy_backbone: Callable[..., Path]) -> Fit:
    def run(strategy: str, report: ReportConfig | None = None, **training: Any) -> FitRecord:
        by_epochs = TrainingConfig(**{"epochs": 2, "lr": 0.01, **training})
        config = Config(
            backbone=str(toy_backbone("distilbert")),
            strategy=strategy,
            data=data,
            compute=COMPUTE,
            training=TrainingConfig() if strategy == "head" else by_epochs,
            report=ReportConfig() if report is None else report,
        )
        return fit_run(config, Path("run"), Reporter())

    return run


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_full_texts_are_tokenised_for_their_whole_lengths(
    fit: Fit, data: DataConfig, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []

    def counting(texts: list[str], *args: Any) -> np.ndarray:
        counted.extend(texts)
        return count_tokens(texts, *args)

    monkeypatch.setattr("thawline.training.task.count_tokens", counting)
    fit(strategy)
    tokenizer = toy_tokenizer()
    full = [text for text in load(data).test.texts if len(tokenizer(text)["input_ids"]) >= LIMIT]
    assert counted == full
    assert 0 < len(full) < 40


def read_mistakes() -> list[dict[str, str]]:
    with Path("run/mistakes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def predicted(part: LabelledTexts) -> np.ndarray:
    """The probabilities that the saved classifier gives, from texts and without the store."""
    fitted = artifact.load(Path("run/model"))
    return probabilities(Predictor(fitted, COMPUTE, use_store=False).logits(part.texts))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_mistakes_are_those_of_the_saved_classifier(
    fit: Fit, data: DataConfig, strategy: str
) -> None:
    record = fit(strategy)
    test = load(data).test
    shares = predicted(test)
    wrong = shares.argmax(1) != test.labels
    found = record.mistakes
    assert found.rows == test.rows[wrong].tolist()
    assert len(found.rows) >= 5
    assert len(found.rows) == pytest.approx(40 * (1 - record.test.accuracy.value))
    assert found.texts == 40

    listed = read_mistakes()
    assert len(listed) == min(20, wrong.sum())
    position = {int(row): place for place, row in enumerate(test.rows)}
    tokenizer = toy_tokenizer()
    for line, brief in zip(listed, found.most_confident, strict=True):
        place = position[int(line["row"])]
        whole = test.texts[place]
        length = len(tokenizer(whole)["input_ids"])
        assert line["text"] == whole
        assert brief.text == (whole if len(whole) <= 160 else whole[:159] + "…")
        assert (int(line["tokens"]), line["truncated"]) == (length, str(length > LIMIT))
        assert line["label"] == ("neg", "pos")[test.labels[place]] != line["predicted"]
        assert float(line["probability"]) == pytest.approx(shares[place].max(), abs=1e-5)
        assert {key: str(getattr(brief, key)) for key in line if key != "text"} == {
            key: value for key, value in line.items() if key != "text"
        }
    confidences = [float(line["probability"]) for line in listed]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] == pytest.approx(shares.max(1)[wrong].max(), abs=1e-5)

    rates = found.error_rates
    assert rates.whole.rows + rates.truncated.rows == 40
    assert 5 < rates.truncated.rows < 35
    lengths = [len(tokenizer(text)["input_ids"]) for text in test.texts]
    assert rates.truncated.rows == sum(length > LIMIT for length in lengths)
    assert rates.by_length[0].shortest == min(lengths)
    assert rates.by_length[-1].longest == max(lengths)
    assert sum(part.mistakes for part in rates.by_length) == wrong.sum()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_samples_show_the_same_texts_before_and_after(
    fit: Fit, data: DataConfig, strategy: str
) -> None:
    record = fit(strategy)
    test = load(data).test
    shares = predicted(test)
    lengths = np.array([len(toy_tokenizer()(text)["input_ids"]) for text in test.texts])
    position = {int(row): place for place, row in enumerate(test.rows)}
    samples = record.samples
    assert len(samples) == 3
    assert {sample.label for sample in samples[:2]} == {"neg", "pos"}
    assert samples[0].tokens == lengths.min()
    for sample in samples:
        place = position[sample.row]
        assert sample.text == test.texts[place]
        assert sample.tokens == lengths[place]
        assert sample.adapted.predicted == ("neg", "pos")[shares[place].argmax()]
        assert sample.adapted.probability == pytest.approx(shares[place].max(), abs=1e-5)
    assert [sample.untrained for sample in samples] != [sample.adapted for sample in samples]


def test_the_config_says_how_many_are_shown(fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    report = ReportConfig(mistakes=4, shown_mistakes=1, samples=1, characters=12, classes=1)
    record = fit("head", report)
    assert len(read_mistakes()) == len(record.mistakes.most_confident) == 4
    assert len(record.samples) == 1
    brief = [mistake.text for mistake in record.mistakes.most_confident]
    assert all(len(text) <= 12 for text in brief)
    print_fit(record, report)
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("mistakes ")]
    assert {"mistakes.csv", "4"} <= set(line.split())
    assert [text in out for text in brief] == [True, False, False, False]
    assert any(line.startswith("and 1 ") for line in out.splitlines())


def test_the_kept_row_is_the_best_even_within_an_epoch(fit: Fit) -> None:
    record = fit("last:1", epochs=12, lr=0.1, evaluate_every=3, patience=2, keep="loss")
    history, kept = record.history, record.kept
    assert json.loads(Path("run/record.json").read_text())["kept"] == kept.to_dict()
    (row,) = [row for row in history if row.kept]
    assert not history[0].kept
    assert row.validation_loss == min(one.validation_loss for one in history[1:])
    assert (kept.epoch, kept.step) == (row.epoch, row.step)
    assert (kept.by, kept.epochs, kept.last) == ("loss", 12, history[-1].epoch)
    assert any(one.epoch % 1 for one in history)
    assert history.index(row) == len(history) - 3  # two without a better one, then it stopped
    assert kept.last < 12
    assert record.validation.accuracy.value == pytest.approx(row.validation_accuracy)
    assert record.validation.loss.value == pytest.approx(row.validation_loss, abs=1e-5)


def test_an_exact_fit_kept_no_row(fit: Fit) -> None:
    record = fit("head")
    assert record.kept is None
    assert record.history == []
    assert (record.epochs, record.lr) == (None, None)


LINEAR = WIDTH * 2 + 2
BLOCK = 4 * (WIDTH * WIDTH + WIDTH) + 2 * WIDTH * 64 + 64 + WIDTH + 4 * WIDTH
"""A linear head, and one of the toy DistilBERT's blocks: attention, two layers, two norms."""


@pytest.mark.parametrize(
    ("strategy", "trained"),
    [
        ("last:2", {"backbone": 2 * BLOCK, "head": LINEAR}),
        ("lora:r=2,from=3", {"adapters": (DEPTH - 2) * 2 * 2 * WIDTH, "head": LINEAR}),
    ],
)
def test_what_was_trained_is_counted_by_part(
    fit: Fit, strategy: str, trained: dict[str, int]
) -> None:
    parameters = fit(strategy).parameters
    assert parameters.trained == trained
    assert parameters.trainable == sum(trained.values())


def test_a_head_alone_is_all_that_was_trained(fit: Fit) -> None:
    parameters = fit("head").parameters
    assert parameters.trained == {"head": parameters.trainable}


def test_the_two_texts_of_a_pair_have_columns_of_their_own(
    toy_backbone: Callable[..., Path], toy_reviews: Reviews
) -> None:
    texts, labels = toy_reviews(60, 3)
    labels = [1 - label if row % 3 == 0 else label for row, label in enumerate(labels)]
    frame = pd.DataFrame({"one": texts, "two": texts[::-1], "label": labels})
    frame.to_csv("pairs.csv", index=False)
    data = DataConfig(data="pairs.csv", text="one,two", labels=("neg", "pos"))
    config = Config(backbone=str(toy_backbone()), data=data, compute=COMPUTE)
    record = fit_run(config, Path("run"), Reporter())
    pairs = set(zip(texts, texts[::-1], strict=True))
    listed = read_mistakes()
    assert listed
    assert all((line["text"], line["text_pair"]) in pairs for line in listed)
    assert "\n" not in record.mistakes.most_confident[0].text
