"""Comparing finished runs: pairs, standings, costs, the verdict and the run to use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.records import FIT, fit_record, score, scores
from thawline.compare.choice import score_nested
from thawline.compare.copies import Copies, check_texts, note_copies
from thawline.compare.plan import LadderRun
from thawline.compare.results import FinishedRun, MeasuredCosts
from thawline.compare.verdict import compare_runs
from thawline.config import Config, LadderConfig
from thawline.data import load_data
from thawline.errors import ThawlineError
from thawline.runs.logits import RunLogits
from thawline.runs.records import Comparison, FitCost, KeptEpoch

TEXTS = 400
COPIES = Copies(np.arange(TEXTS), np.arange(TEXTS))


def logits_of(correct: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return logits whose predictions are correct in the given places."""
    predicted = np.where(correct, labels, 1 - labels)
    return 4.0 * np.eye(2, dtype=np.float32)[predicted] - 2


def run(
    rung: str,
    test: np.ndarray,
    *,
    seed: int = 0,
    validation: np.ndarray | None = None,
    candidates: list[np.ndarray] | None = None,
    seconds: float = 10.0,
    trainable: int = 100,
) -> FinishedRun:
    """Return a finished run.

    Args:
        rung: The name of the rung.
        test: Whether each test text is predicted correctly.
        seed: The seed.
        validation: The same for validation. If None, as on test.
        candidates: The same for the candidates on validation. If None, only the final classifier.
        seconds: The cost.
        trainable: The number of trained parameters.
    """
    labels = np.arange(TEXTS) % 2
    validation = test if validation is None else validation
    kept = [validation] if candidates is None else candidates
    record = fit_record(
        strategy=rung,
        test=scores(rows=TEXTS, accuracy=score(float(test.mean()))),
        validation=scores(rows=TEXTS, accuracy=score(float(validation.mean()))),
        mistakes=FIT["mistakes"] | {"rows": (1_000 + 3 * np.flatnonzero(~test)).tolist()},
        cost=FitCost(seconds=seconds, prefix=seconds / 2, training=seconds / 4),
    )
    parameters = record.parameters.model_copy(update={"trainable": trainable})
    logits = RunLogits(
        validation=logits_of(validation, labels),
        validation_labels=labels,
        test=logits_of(test, labels),
        test_labels=labels,
        candidates=np.stack([logits_of(one, labels) for one in kept]).astype(np.float16),
    )
    made = LadderRun(rung, seed, Config(strategy=rung, seed=seed), Path(f"{rung}-{seed}"))
    return FinishedRun(made, record.model_copy(update={"parameters": parameters}), logits)


def with_accuracy(share: float, seed: int = 0) -> np.ndarray:
    """Return which texts are predicted correctly; a share of them, at random."""
    correct = np.arange(TEXTS) < share * TEXTS
    return np.random.default_rng(seed).permutation(correct)


def flip(correct: np.ndarray, texts: int) -> np.ndarray:
    """Return the same predictions with some more mistakes."""
    worse = correct.copy()
    worse[np.flatnonzero(correct)[:texts]] = False
    return worse


def compare(*made: FinishedRun, **settings: Any) -> Comparison:
    rungs = tuple(dict.fromkeys(one.run.rung for one in made))
    return compare_runs(LadderConfig(rungs=rungs, **settings), made, COPIES)


GOOD = with_accuracy(0.9)


def test_the_verdict_is_the_cheapest_rung_within_the_margin():
    same, worse = flip(GOOD, 1), flip(GOOD, 80)
    found = compare(
        run("head", worse, seconds=1), run("last:1", same, seconds=5), run("full", GOOD), margin=2.0
    )
    assert [rung.standing.decision for rung in found.rungs] == ["worse", "within", "within"]
    assert found.verdict.rung == "last:1"
    assert found.verdict.about == "models"
    by_size = compare(
        run("head", worse, trainable=1),
        run("last:1", same, trainable=50),
        run("full", GOOD, trainable=20),
        cost="parameters",
        margin=2.0,
    )
    assert (by_size.verdict.rung, by_size.verdict.cost) == ("full", "parameters")


def test_no_rung_is_named_if_none_is_decided():
    found = compare(
        run("head", with_accuracy(0.9, 1), seconds=1), run("full", with_accuracy(0.9, 2))
    )
    assert {rung.standing.decision for rung in found.rungs} == {"undecided"}
    assert found.verdict.rung is None
    assert all(rung.standing.texts_to_decide > TEXTS for rung in found.rungs)


def test_a_larger_margin_decides():
    found = compare(run("head", flip(GOOD, 12), seconds=1), run("full", GOOD), margin=10.0)
    assert found.verdict.rung == "head"
    assert found.verdict.margin == pytest.approx(0.1)


def test_a_pair_is_the_first_minus_the_second():
    found = compare(run("head", flip(GOOD, 40)), run("full", GOOD))
    (pair,) = found.pairs
    assert (pair.first, pair.second) == ("head", "full")
    assert pair.accuracy.value == pytest.approx(-0.1)
    assert pair.accuracy.low < -0.1 < pair.accuracy.high < 0
    assert pair.f1_macro.high < 0 < pair.loss.low
    assert pair.test is not None
    assert pair.test.only_second_right == 40
    head, full = found.rungs
    assert head.standing.below_best is not None
    assert head.standing.below_best.value == pytest.approx(0.1)
    assert full.standing.below_best is not None
    assert full.standing.below_best.value == pytest.approx(-0.1)
    assert head.standing.best_other == "full"


def test_several_seeds_are_about_strategies_and_may_differ_in_number():
    seeds = [run("head", with_accuracy(0.8, seed), seed=seed, seconds=1) for seed in range(3)]
    others = [run("full", flip(GOOD, seed), seed=seed) for seed in range(2)]
    found = compare(*seeds, *others)
    assert found.verdict.about == "strategies"
    assert [len(rung.runs) for rung in found.rungs] == [3, 2]
    assert found.pairs[0].test is None  # it needs the same number of seeds
    assert found.pairs[0].accuracy.degrees_of_freedom is not None
    assert found.rungs[0].cost.seconds == pytest.approx(1)
    assert compare(*seeds, others[0]).verdict.about == "models"


def test_a_single_rung_stands_alone():
    found = compare(run("head", GOOD))
    assert found.verdict.rung == "head"
    assert found.pairs == []
    assert found.rungs[0].standing.below_best is None


def test_measured_costs_are_in_the_record():
    costs = MeasuredCosts(latency={"head": 0.5, "full": 0.1}, predicted={"head": 9.0})
    made = run("head", GOOD), run("full", GOOD)
    config = LadderConfig(rungs=("head", "full"), cost="latency")
    found = compare_runs(config, made, COPIES, costs)
    assert [rung.cost.latency for rung in found.rungs] == [0.5, 0.1]
    assert [rung.cost.predicted for rung in found.rungs] == [9.0, None]
    assert found.verdict.rung == "full"
    unknown = compare_runs(config, made, COPIES, MeasuredCosts(latency={"head": 0.5}))
    assert unknown.verdict.rung == "head"


def test_the_run_to_use_is_chosen_on_validation_alone():
    found = compare(
        run("head", flip(GOOD, 80), validation=GOOD, seconds=1),
        run("full", GOOD, validation=flip(GOOD, 80)),
    )
    assert (found.chosen.rung, found.verdict.rung) == ("head", "full")
    assert found.chosen.score == pytest.approx(0.9)


def test_the_run_to_use_is_the_cheapest_within_one_standard_error():
    near, far = flip(GOOD, 3), flip(GOOD, 40)  # one standard error is 1.5 points
    for validation, wanted in ((near, "head"), (far, "full")):
        found = compare(run("head", GOOD, validation=validation, seconds=1), run("full", GOOD))
        assert found.chosen.rung == wanted
        assert found.chosen.standard_error == pytest.approx(0.015, abs=1e-3)


def test_of_a_rung_the_seed_with_the_highest_score_is_used():
    made = [run("head", GOOD, seed=seed, validation=flip(GOOD, 40 - seed)) for seed in (3, 9, 5)]
    assert compare(*made).chosen.seed == 9


def untrained(one: FinishedRun) -> FinishedRun:
    """Return the run as one that kept its weights before training."""
    kept = KeptEpoch(epoch=0, step=0, by="accuracy", last=3, epochs=3)
    return replace(one, record=one.record.model_copy(update={"kept": kept, "head_first": None}))


def test_an_untrained_run_is_used_only_if_there_is_no_other():
    cheap, dear = run("head", GOOD, seconds=1), run("full", flip(GOOD, 80))
    assert compare(cheap, dear).chosen.rung == "head"
    assert compare(untrained(cheap), dear).chosen.rung == "full"
    assert compare(untrained(cheap), untrained(dear)).chosen.rung == "head"
    worse = run("head", GOOD, seed=1, validation=flip(GOOD, 40))
    assert compare(untrained(cheap), worse, dear).chosen.seed == 1


def test_the_nested_score_is_below_that_of_the_best_of_many_candidates():
    guesses = np.random.default_rng(0).random((30, TEXTS)) < 0.5
    lucky = max(guesses, key=np.mean)
    made = run("head", GOOD, validation=lucky, candidates=list(guesses))
    nested = score_nested([[made]], COPIES.validation)
    assert lucky.mean() > 0.54
    assert nested.score(0).value < 0.53
    assert nested.score(0).standard_error > 0
    none_kept = replace(made.logits, candidates=made.logits.candidates[:0])
    alone = score_nested([[replace(made, logits=none_kept)]], COPIES.validation)
    assert alone.score(0).value == lucky.mean()


def test_many_copies_among_the_test_rows_are_noted():
    labels = [number % 2 for number in range(100)]
    different = load_data(([f"text {number}" for number in range(100)], labels))
    assert note_copies(different, Copies.of(different)) is different
    copied = load_data(([f"text {number % 20}" for number in range(100)], labels))
    noted = note_copies(copied, Copies.of(copied))
    (warning,) = set(noted.warnings) - set(copied.warnings)
    assert f"{len(copied.test)}" in warning
    assert f"{len(set(copied.test.texts))}" in warning
    assert note_copies(noted, Copies.of(noted)) is noted


def test_copies_of_a_test_text_count_as_one():
    numbers = np.arange(TEXTS) // 4 * 2 + np.arange(TEXTS) % 2  # two rows with the same label
    in_pairs = [one[numbers] for one in (with_accuracy(0.8, 1), GOOD)]
    made = [run("head", in_pairs[0]), run("full", in_pairs[1])]
    config = LadderConfig(rungs=("head", "full"))
    copies = [COPIES, COPIES._replace(test=numbers)]
    rows, texts = (compare_runs(config, made, one) for one in copies)
    for name in ("accuracy", "f1_macro", "loss"):
        apart, together = (getattr(one.pairs[0], name) for one in (rows, texts))
        assert together.value == apart.value
        assert together.high - together.low > 1.3 * (apart.high - apart.low)
    bounds = [one.rungs[0].standing.upper_bound for one in (rows, texts)]
    assert bounds[1] > bounds[0]
    for one, expected in ((rows, TEXTS), (texts, len(set(numbers)))):
        assert f"{expected:,}" in one.verdict.words


def test_one_text_is_too_few():
    one, several = np.zeros(30, dtype=int), np.arange(30)
    check_texts(Copies(several[:2], several[:2]))
    for copies in (Copies(one, several), Copies(several, one)):
        with pytest.raises(ThawlineError) as caught:
            check_texts(copies)
        assert "30" in caught.value.found
