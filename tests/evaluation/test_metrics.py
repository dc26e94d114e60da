from __future__ import annotations

import json
import tracemalloc
import warnings

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binomtest

from thawline.config import MetricsConfig
from thawline.errors import ThawlineError
from thawline.evaluation import metrics
from thawline.evaluation.intervals import wilson
from thawline.evaluation.metrics import probabilities

SHARES = [
    "accuracy",
    *(f"{name}_{kind}" for name in ("precision", "recall", "f1") for kind in ("macro", "weighted")),
    "calibration_error",
]
SCORES = [*SHARES, "loss"]


def problem(rows: int, classes: int, seed: int = 0, skill: float = 1.0):
    """Random logits that favour the labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, rows)
    logits = generator.normal(size=(rows, classes))
    logits[np.arange(rows), labels] += skill
    return logits, labels


def logits_of(predictions: list[int], classes: int) -> np.ndarray:
    return np.eye(classes)[predictions]


@st.composite
def problems(draw):
    """Small problems, including absent classes, ties and huge logits."""
    rows, classes = draw(st.integers(1, 12)), draw(st.integers(2, 5))
    numbers = st.one_of(st.integers(-3, 3), st.floats(-1e30, 1e30))
    row = st.lists(numbers, min_size=classes, max_size=classes)
    logits = draw(st.lists(row, min_size=rows, max_size=rows))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    return np.array(logits, dtype=np.float64), np.array(labels)


def evaluate(*case, **settings) -> dict:
    """Return the scores as JSON values."""
    return metrics.evaluate(*case, **settings).to_dict()


def values(scores: dict) -> dict[str, float]:
    return {name: scores[name]["value"] for name in SCORES}


# Probabilities


@given(problems())
def test_probabilities_are_a_distribution_in_each_row(case):
    logits, _ = case
    shares = probabilities(logits)
    assert shares.shape == logits.shape
    assert shares.dtype == np.float64
    assert np.all((shares >= 0) & (shares <= 1))
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=20))
def test_one_logit_is_a_sigmoid(logits):
    shares = probabilities(logits)
    np.testing.assert_allclose(shares[:, 1], expit(logits), rtol=1e-12)
    np.testing.assert_allclose(shares[:, 0], expit(-np.array(logits)), rtol=1e-12)
    np.testing.assert_array_equal(shares, probabilities(np.array(logits)[:, None]))


def test_probabilities_stay_finite_for_huge_single_precision_logits():
    logits = np.array([[3e38, -3e38], [-3e38, -3e38]], dtype=np.float32)
    np.testing.assert_array_equal(probabilities(logits), [[1, 0], [0.5, 0.5]])


# Wilson


@given(st.integers(1, 3_000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_wilson_equals_scipy_and_contains_the_share(rows, share, confidence):
    successes = round(share * rows)
    low, high = wilson(successes, rows, confidence)
    theirs = binomtest(successes, rows).proportion_ci(confidence, method="wilson")
    np.testing.assert_allclose([low, high], [theirs.low, theirs.high], atol=1e-12)
    assert 0 <= low <= successes / rows <= high <= 1


def test_wilson_takes_its_confidence_from_the_config():
    assert wilson(8, 10) == wilson(8, 10, MetricsConfig.confidence)
    low, high = wilson(8, 10)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)


@pytest.mark.parametrize(("successes", "rows"), [(0, 0), (-1, 3), (4, 3)])
def test_wilson_refuses_invalid_proportions(successes, rows):
    with pytest.raises(ValueError, match=rf"\b{rows} .*{successes}\b"):
        wilson(successes, rows)


@pytest.mark.parametrize("confidence", [0, 1, 95, float("nan")])
def test_confidence_is_a_share(confidence):
    with pytest.raises(ValueError, match=f"^confidence .* {confidence}$"):
        wilson(1, 2, confidence)
    with pytest.raises(ValueError, match=f"^confidence .* {confidence}$"):
        evaluate([[0.0, 1.0]], [1], confidence=confidence)


# The values of evaluate


@given(problems())
def test_values_equal_scikit_learn(case):
    logits, labels = case
    scores = evaluate(logits, labels, resamples=1)
    predictions = logits.argmax(axis=1)
    assert scores["accuracy"]["value"] == pytest.approx(np.mean(labels == predictions))
    for kind in ("macro", "weighted"):
        theirs = sklearn.metrics.precision_recall_fscore_support(
            labels, predictions, average=kind, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), theirs[:3], strict=True):
            assert scores[f"{name}_{kind}"]["value"] == pytest.approx(value, abs=1e-12)
    names = range(logits.shape[1])
    confusion = sklearn.metrics.confusion_matrix(labels, predictions, labels=list(names))
    assert scores["confusion"] == confusion.tolist()
    present = sorted({*labels.tolist(), *predictions.tolist()})
    theirs = sklearn.metrics.precision_recall_fscore_support(
        labels, predictions, labels=present, zero_division=0
    )
    for index, (precision, recall, f1, support) in zip(present, np.transpose(theirs), strict=True):
        ours = {"precision": precision, "recall": recall, "f1": f1, "support": support}
        assert scores["per_class"][index] == pytest.approx(ours, abs=1e-12)


def test_loss_equals_scikit_learn():
    logits, labels = problem(500, 3)
    theirs = sklearn.metrics.log_loss(labels, probabilities(logits))
    assert evaluate(logits, labels, resamples=1)["loss"]["value"] == pytest.approx(theirs)


def test_loss_stays_finite_where_a_probability_underflows():
    scores = evaluate([[0.0, 5_000.0]], [0], resamples=5)
    assert scores["loss"] == {"value": 5_000.0, "low": 5_000.0, "high": 5_000.0}


@pytest.mark.parametrize("bins", [1, 2, 10, 15])
def test_calibration_error_is_that_of_guo_et_al(bins):
    logits, labels = problem(300, 4, skill=2)
    shares = probabilities(logits)
    confidences, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    expected = 0.0
    for number in range(1, bins + 1):
        inside = (confidences > (number - 1) / bins) & (confidences <= number / bins)
        if inside.any():
            gap = abs(right[inside].mean() - confidences[inside].mean())
            expected += inside.sum() / len(labels) * gap
    scores = evaluate(logits, labels, bins=bins, resamples=1)
    assert scores["calibration_error"]["value"] == pytest.approx(expected, abs=1e-12)


def test_calibration_error_of_known_cases():
    sure_and_wrong = evaluate([[100.0, 0.0]] * 4, [1] * 4, resamples=1)
    assert sure_and_wrong["calibration_error"]["value"] == pytest.approx(1)
    undecided = evaluate([[0.0, 0.0]] * 4, [0, 0, 1, 1], resamples=1)
    assert undecided["calibration_error"]["value"] == pytest.approx(0)


def test_absent_class_is_null_and_excluded_from_macro_averages():
    scores = evaluate(logits_of([0, 1, 1], 3), [0, 1, 0], resamples=50)
    assert scores["per_class"][2] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert scores["f1_macro"]["value"] == pytest.approx(2 / 3)
    assert scores["recall_macro"]["value"] == pytest.approx(3 / 4)


def test_division_by_zero_gives_zero_for_tested_classes():
    scores = evaluate(logits_of([0, 0, 2], 3), [0, 1, 0], resamples=50)
    never_predicted, never_occurs = scores["per_class"][1:]
    assert never_predicted == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert never_occurs == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert scores["f1_macro"]["value"] == pytest.approx(0.5 / 3)


def test_the_first_of_equal_logits_is_predicted():
    assert evaluate([[1.0, 1.0]], [0], resamples=1)["confusion"] == [[1, 0], [0, 0]]


@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=1, max_size=20))
def test_one_logit_equals_two(case):
    logits = np.array([logit for logit, _ in case])
    labels = np.array([label for _, label in case], dtype=int)
    two = evaluate(np.stack([np.zeros_like(logits), logits], axis=1), labels, resamples=20)
    assert evaluate(logits, labels, resamples=20) == two
    assert evaluate(logits[:, None], labels, resamples=20, n_classes=2) == two


@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_value(case, random):
    logits, labels = case
    order = list(range(len(labels)))
    random.shuffle(order)
    before = evaluate(logits, labels, resamples=1)
    after = evaluate(logits[order], labels[order], resamples=1)
    assert values(after) == pytest.approx(values(before), rel=1e-9, abs=1e-12)
    assert after["confusion"] == before["confusion"]
    assert after["per_class"] == before["per_class"]


# The intervals of evaluate


@given(problems())
def test_intervals_contain_the_value_and_shares_stay_within_0_and_1(case):
    scores = evaluate(*case, resamples=30)
    for name in SCORES:
        score = scores[name]
        assert score["low"] <= score["value"] <= score["high"]
    for name in SHARES:
        assert scores[name]["low"] >= 0
        assert scores[name]["high"] <= 1 + 1e-12


def test_accuracy_has_the_interval_of_wilson():
    logits, labels = problem(200, 2)
    scores = evaluate(logits, labels, confidence=0.9, resamples=1)
    right = int((logits.argmax(axis=1) == labels).sum())
    low, high = wilson(right, 200, 0.9)
    assert scores["accuracy"] == {"value": right / 200, "low": low, "high": high}
    assert scores["confidence_level"] == 0.9


def test_bootstrap_equals_resampling_of_rows():
    logits, labels = problem(400, 3, skill=1.5)
    ours = evaluate(logits, labels, resamples=4_000)
    generator = np.random.default_rng(7)
    draws = []
    for _ in range(1_000):
        rows = generator.integers(400, size=400)
        draws.append(values(evaluate(logits[rows], labels[rows], resamples=1)))
    for name in SCORES:
        low, high = np.quantile([draw[name] for draw in draws], [0.025, 0.975])
        width = high - low
        assert ours[name]["low"] == pytest.approx(low, abs=0.12 * width), name
        assert ours[name]["high"] == pytest.approx(high, abs=0.12 * width), name


def test_bootstrap_of_the_loss_has_the_standard_error_of_a_mean():
    logits, labels = problem(2_000, 2)
    losses = -np.log(probabilities(logits)[np.arange(2_000), labels])
    expected = 2 * 1.96 * losses.std() / np.sqrt(2_000)
    loss = evaluate(logits, labels, resamples=3_000)["loss"]
    assert loss["high"] - loss["low"] == pytest.approx(expected, rel=0.08)


def test_a_lower_confidence_gives_narrower_intervals():
    logits, labels = problem(300, 3)
    wide, narrow = (evaluate(logits, labels, confidence=level) for level in (0.95, 0.5))
    for name in SCORES:
        assert narrow[name]["low"] >= wide[name]["low"]
        assert narrow[name]["high"] <= wide[name]["high"]
    assert narrow["f1_macro"]["low"] > wide["f1_macro"]["low"]


def test_the_seed_decides_the_intervals():
    logits, labels = problem(300, 3)
    first = evaluate(logits, labels, seed=1)
    assert evaluate(logits, labels, seed=1) == first
    assert evaluate(logits, labels, seed=2)["f1_macro"] != first["f1_macro"]


def test_blocks_do_not_change_the_result(monkeypatch):
    logits, labels = problem(200, 20)
    whole = evaluate(logits, labels, resamples=50)
    monkeypatch.setattr("thawline.evaluation.intervals._NUMBERS_PER_BLOCK", 700)
    assert evaluate(logits, labels, resamples=50) == whole


def test_the_bootstrap_of_25_000_rows_counts_them_instead_of_drawing_them():
    logits, labels = problem(25_000, 2)
    tracemalloc.start()
    evaluate(logits, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25_000 * 1_000  # bytes; a thousand resamples of the rows take eight times as many


# The format of the result, and invalid input


def test_result_is_json_without_warnings():
    logits, labels = problem(50, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = evaluate(logits.astype(np.float32), labels.astype(np.int32))
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    assert set(scores) == {"rows", "confidence_level", *SCORES, "per_class", "confusion"}
    assert scores["rows"] == 50
    assert [row["support"] for row in scores["per_class"]] == np.bincount(labels).tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_logits_name_the_first_row(bad):
    logits = np.zeros((5, 2))
    logits[3, 1] = logits[4, 0] = bad
    for score in (probabilities, lambda given: evaluate(given, [0] * 5)):
        with pytest.raises(ThawlineError) as caught:
            score(logits)
        assert caught.value.found.startswith(f"{bad} ")
        assert "row 3 " in caught.value.found


def test_no_rows_is_an_error_of_the_user():
    with pytest.raises(ThawlineError):
        evaluate(np.zeros((0, 2)), np.zeros(0, dtype=int))
    assert probabilities(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    ("logits", "labels", "data"),
    [
        (np.zeros((2, 2, 2)), [0, 1], r"\(2, 2, 2\)$"),
        (np.zeros((2, 0)), [0, 1], r"\(2, 0\)$"),
        (np.zeros((2, 2)), [0], r"\(2,\).* \(1,\)$"),
        (np.zeros((2, 2)), [[0], [1]], r"\(2,\).* \(2, 1\)$"),
        (np.zeros((2, 2)), [0.0, 1.0], "float64$"),
        (np.zeros((2, 2)), [0, 2], " 2 .*row 1 .* 1$"),
        (np.zeros((2, 2)), [-1, 0], " -1 .*row 0 .* 1$"),
        (np.zeros(2), [0, 2], " 2 .*row 1 .* 1$"),
    ],
)
def test_invalid_arrays_are_programming_errors(logits, labels, data):
    with pytest.raises(ValueError, match=data):
        evaluate(logits, labels)


def test_invalid_settings_are_programming_errors():
    logits, labels = problem(5, 3)
    with pytest.raises(ValueError, match=r" 3 .* 2$"):
        evaluate(logits, labels, n_classes=2)
    with pytest.raises(ValueError, match=r"^resamples .* 0 .*15$"):
        evaluate(logits, labels, resamples=0)
    with pytest.raises(ValueError, match=r"^resamples .* 1000 .*0$"):
        evaluate(logits, labels, bins=0)
