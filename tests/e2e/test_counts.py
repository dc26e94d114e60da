"""Count the work of whole jobs, so that work that is done twice fails a test.

The counts do not depend on the machine. `docs/performance.md` explains them.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

from tests.support.command_line import ProverHere, write_set
from tests.support.counting import Work, counting
from tests.support.toys import DEPTH, LIMIT, WIDTH, toy_tokenizer
from thawline import TextClassifier
from thawline.backbones.pooling import POOLINGS
from thawline.compare.forecast import Forecast
from thawline.compare.ladder import run_ladder
from thawline.config import ComputeConfig, Config, DataConfig, LadderConfig, TrainingConfig
from thawline.jobs.fit import fit_run
from thawline.prefix.frozen_pass import LENGTH_BYTES
from thawline.runs.records import FitRecord, LadderRecord, read_record
from thawline.store import KEY_BYTES
from thawline.strategies import parse_strategy

TRAIN, VALIDATION, TEST = 72, 8, 32
ALL = TRAIN + VALIDATION + TEST
EPOCHS, BATCH = 2, 8


class NoProver(ProverHere):
    """A replacement of the fresh process, whose work is not counted."""

    def compare(self, fitted, folder, texts) -> float:
        return 0.0


@pytest.fixture(scope="module", autouse=True)
def _without_proof_and_plots() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("thawline.artifact.Prover", NoProver)
        patch.setattr("thawline.jobs.fit._draw", lambda *given: [])
        yield


@pytest.fixture(scope="module")
def films(tmp_path_factory, toy_reviews) -> Path:
    folder = tmp_path_factory.mktemp("counts") / "films"
    splits = {"train": toy_reviews(TRAIN + VALIDATION, 1), "test": toy_reviews(TEST, 2)}
    return write_set(folder, splits)


@pytest.fixture(scope="module")
def config(films, toy_backbone) -> Config:
    return Config(
        backbone=str(toy_backbone()),
        data=DataConfig(data=str(films), labels=("neg", "pos")),
        compute=ComputeConfig(dtype="float32", device="cpu", tokens_per_batch=400),
    )


@dataclass(frozen=True)
class Counted:
    """A fit with an empty store, and the same fit with the store that it filled.

    Attributes:
        record: The record of the first fit.
        first: The work of the first fit.
        again: The work of the second fit.
        tokens: The number of tokens of each split after truncation.
    """

    record: FitRecord
    first: Work
    again: Work
    tokens: dict[str, int]


@pytest.fixture(scope="module")
def count(config, films, tmp_path_factory):
    """Return a function that makes both fits with a strategy. Each strategy is fitted once."""
    counted: dict[str, Counted] = {}

    def fits(strategy: str) -> Counted:
        by_epochs = TrainingConfig(epochs=EPOCHS, batch_size=BATCH, keep="last")
        training = config.training if strategy == "head" else by_epochs
        folder = tmp_path_factory.mktemp("fits")
        own = replace(config, strategy=strategy, training=training)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("THAWLINE_HOME", str(folder / "home"))
            with counting(folder / "home") as first:
                record = fit_run(own, folder / "run")
            with counting(folder / "home") as again:
                fit_run(own, folder / "again")
        return Counted(record, first, again, tokens_of(record, films))

    def cached(strategy: str) -> Counted:
        if strategy not in counted:
            counted[strategy] = fits(strategy)
        return counted[strategy]

    return cached


def tokens_of(record: FitRecord, films: Path) -> dict[str, int]:
    """Return the number of tokens of each split after truncation."""
    tokenizer, lengths = toy_tokenizer(), {}
    for split, rows in record.data.rows.items():
        file = films / ("test.csv" if split == "test" else "train.csv")
        texts = pd.read_csv(file)["text"].iloc[rows]
        lengths[split] = sum(min(len(tokenizer(text)["input_ids"]), LIMIT) for text in texts)
    return lengths


STRATEGIES = ("head", "last:1", "last:2", "lora", "lora:from=3", "full", "lp+last:1", "lp+full")


def line_of(strategy: str) -> int:
    return parse_strategy(strategy).line(DEPTH)


def everywhere(texts: int, blocks: range = range(1, DEPTH + 1)) -> Counter[int]:
    """Return the counts of a phase in which each of some blocks sees the same number of texts."""
    return Counter(dict.fromkeys(blocks, texts))


def trained_blocks(strategy: str) -> range:
    return range(max(line_of(strategy), 1), DEPTH + 1)


# -- blocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_prefix_runs_once_per_text(count, strategy):
    counted = count(strategy)
    reads_pooled_states = strategy == "head" or strategy.startswith("lp+")
    # With lp+S, one pass computes both pooled states and those at the line.
    end = DEPTH + 1 if reads_pooled_states else line_of(strategy)
    assert counted.first.texts["prefix"] == everywhere(ALL, range(1, end))
    assert "prefix" not in counted.again.texts
    assert counted.again.written() == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_the_blocks_from_the_line_on_run_in_training_and_evaluation(count, strategy):
    work = count(strategy).first
    blocks = trained_blocks(strategy)
    assert work.texts["training"] == everywhere(EPOCHS * TRAIN, blocks)
    assert work.texts["validation"] == everywhere((EPOCHS + 1) * VALIDATION, blocks)
    assert work.texts["scoring"] == everywhere(2 * TEST, blocks)  # validation: kept logits
    assert not set(work.texts) - {"prefix", "training", "validation", "scoring"}


@pytest.mark.parametrize("strategy", ["head", "last:1", "full"])
def test_few_tokens_are_padding(count, strategy):
    work, real = count(strategy).first, count(strategy).tokens
    for padded in work.padded.values():
        assert len(set(padded.values())) == 1  # each block sees the same tokens
    computed = {phase: padded[DEPTH] for phase, padded in work.padded.items() if padded[DEPTH]}
    if strategy == "head":
        assert list(computed) == ["prefix"]
        assert sum(real.values()) <= computed["prefix"] <= 1.01 * sum(real.values())
        return
    least = {
        "training": EPOCHS * real["train"],
        "validation": (EPOCHS + 1) * real["validation"],
        "scoring": 2 * real["test"],
    }
    assert set(computed) == set(least)
    assert all(tokens <= computed[phase] <= 1.1 * tokens for phase, tokens in least.items())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_there_is_one_optimiser_step_for_each_batch_of_texts(count, strategy):
    work = count(strategy).first
    assert work.optimizer_steps == (0 if strategy == "head" else EPOCHS * (TRAIN // BATCH))


@pytest.fixture
def count_ladder(config, tmp_path, monkeypatch) -> Callable[..., tuple[LadderRecord, Work]]:
    """Return a function that runs a ladder and counts its work."""
    # Rungs run from the cheapest to the most expensive. Without predictions, they keep their order.
    monkeypatch.setattr(Forecast, "seconds", lambda self, rung, *stored: 1.0)

    def run(*rungs: str, **compute: int) -> tuple[LadderRecord, Work]:
        fit = replace(config, compute=replace(config.compute, **compute))
        by_epochs = f" training.epochs={EPOCHS}"
        written = tuple(rung if rung == "head" else f"{rung}{by_epochs}" for rung in rungs)
        with counting(tmp_path / "home") as work:
            ladder = LadderConfig(rungs=written, seeds=(0,), fit=fit)
            return run_ladder(ladder, Path("ladder")), work

    return run


@pytest.mark.parametrize("rungs", [("head", "last:1"), ("last:1", "head"), ("last:1", "lp+last:1")])
def test_a_ladder_reads_each_text_once(count_ladder, rungs):
    record, work = count_ladder(*rungs)
    assert work.texts["prefix"] == everywhere(ALL)
    runs = [read_record(Path("ladder", one.runs[0].run)) for one in record.rungs]
    assert [run.prefix.texts for run in runs] == [ALL, 0]
    assert [run.prefix.from_store for run in runs] == [
        0,
        ALL * (2 if rungs[1].startswith("lp") else 1),
    ]
    # The cost of each rung is that of a run alone. The pass of last:1 ends below the last block.
    costs = {rung.strategy: rung.cost for rung in record.rungs}
    assert 0 < costs.pop("last:1").prefix < next(iter(costs.values())).prefix


def test_the_line_of_one_rung_starts_from_a_lower_line(count_ladder):
    _, work = count_ladder("head", "last:2", "last:1", "lora")
    # The pass of head computes the states at the line of last:2, too.
    assert work.texts["prefix"] == everywhere(ALL) + everywhere(ALL, range(DEPTH - 1, DEPTH))


def test_states_for_later_rungs_are_left_out_if_the_store_lacks_space(count_ladder):
    """Pooled states fit into the store, token states do not."""
    pooled = ALL * ((DEPTH + 1) * len(POOLINGS) * WIDTH * 4 + KEY_BYTES + LENGTH_BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        record, work = count_ladder("head", "last:1", store_limit=int(1.5 * pooled))
    assert len(record.rungs) == 2
    assert all(work.texts["prefix"][block] >= ALL for block in range(1, DEPTH + 1))
    assert work.texts["prefix"][DEPTH] == ALL  # head has computed its states once


def test_a_grid_search_reads_each_text_once(toy_backbone, toy_reviews, tmp_path):
    classifier = TextClassifier(toy_backbone(), strategy="head", dtype="float32", device="cpu")
    grid = {"features": ["last", "layers"], "pooling": ["mean", "first"]}
    search = GridSearchCV(classifier, grid, cv=3, error_score="raise")
    with counting(tmp_path / "home") as work:
        search.fit(*toy_reviews(48))
    assert work.texts["prefix"] == everywhere(48)
    assert set(work.texts) == {"prefix"}


def test_a_prediction_runs_each_block_once(trained_toy, toy_reviews, tmp_path):
    classifier, texts = trained_toy(), toy_reviews(20, 3)[0]
    with counting(tmp_path / "home") as work:
        classifier.predict(texts)
    assert work.texts == {"prediction": everywhere(20)}
    assert set(work.tokenised.values()) == {1}
    assert not work.hashed


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_record_has_the_work_of_the_passes_and_of_the_training(count, strategy):
    record = count(strategy).record
    passes = record.prefix.texts // ALL
    assert passes == max(count(strategy).first.texts["prefix"].values(), default=0) // ALL
    assert record.prefix.tokens == passes * sum(count(strategy).tokens.values())
    assert (record.prefix.share_of_matrix_rate is not None) == (passes > 0)
    assert (record.suffix is None) == (strategy == "head")
    if record.suffix is not None:
        rate = record.suffix.operations / record.seconds.training
        assert record.suffix.flops_per_second == pytest.approx(rate)
        assert record.prefix.matrix_rate is not None
        share = rate / record.prefix.matrix_rate
        assert record.suffix.share_of_matrix_rate == pytest.approx(share)


# -- everything else -------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_text_is_hashed_once_and_tokenised_a_few_times(count, strategy):
    reads_store = line_of(strategy) > 1 or strategy.startswith("lp+")
    counted = count(strategy)
    for work, reads in ((counted.first, 1), (counted.again, strategy != "head")):
        assert set(work.hashed.values()) == ({1} if reads_store else set())
        # Preflight tokenises texts, too, and the lengths of truncated texts are counted at the end.
        assert max(work.tokenised.values()) <= reads + 2
        assert sorted(work.tokenised.values())[ALL // 2] <= reads + 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_store_holds_only_what_training_reads(count, strategy):
    work, tokens = count(strategy).first, sum(count(strategy).tokens.values())
    keys_and_lengths = ALL * (KEY_BYTES + LENGTH_BYTES)
    expected = chunks = 0
    if strategy == "head" or strategy.startswith("lp+"):
        expected += ALL * (DEPTH + 1) * len(POOLINGS) * WIDTH * 4 + keys_and_lengths
        chunks += 1
    if 1 < line_of(strategy) <= DEPTH:
        expected += tokens * WIDTH * 4 + keys_and_lengths
        chunks += 1
    assert len(work.after) == chunks
    assert expected <= work.written() <= expected + 1_000 * chunks


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_weights_are_read_once_and_hashed_a_few_times(count, strategy):
    work = count(strategy).first
    assert work.weights_read == 1
    # Once for the record, once for each entry of the store, and once for saved adapters.
    assert work.weights_hashed <= 3
    assert set(work.files_hashed.values()) == {1}
