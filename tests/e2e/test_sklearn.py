"""scikit-learn's own checks of an estimator, and its tools around `TextClassifier`."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import SkipTest

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import check_is_fitted, validate_data
from transformers.models.bert.modeling_bert import BertEmbeddings

from tests.support.toys import WORDS
from thawline import Head, HeadFirst, Last, Lora, TextClassifier, ThawlineError, store

Reviews = Callable[..., tuple[list[str], list[int]]]
Make = Callable[..., TextClassifier]

PAGE = Path(__file__).parents[2] / "docs" / "scikit-learn.md"

NUMBERS = "tests the values or the memory layout of numbers in `X`"
COLUMNS = "tests the number of columns, and texts have no columns"
SPARSE = "tests sparse matrices, whose rows are not texts"
ONE_DIMENSION = "requires an error for one-dimensional `X`, but texts are one-dimensional"
NOT_APPLICABLE = {
    "check_array_api_input": "tests arrays of numbers from other libraries",
    "check_complex_data": NUMBERS,
    "check_decision_proba_consistency": "there is no `decision_function`",
    "check_estimator_sparse_array": SPARSE,
    "check_estimator_sparse_matrix": SPARSE,
    "check_estimator_sparse_tag": SPARSE,
    "check_estimators_dtypes": NUMBERS,
    "check_estimators_empty_data_messages": f"{COLUMNS}; another test covers empty input",
    "check_estimators_nan_inf": f"{NUMBERS}; another test covers missing texts",
    "check_estimators_partial_fit_n_features": "there is no `partial_fit`",
    "check_f_contiguous_array_estimator": NUMBERS,
    "check_fit1d": ONE_DIMENSION,
    "check_fit2d_predict1d": ONE_DIMENSION,
    "check_n_features_in": COLUMNS,
    "check_n_features_in_after_fitting": COLUMNS,
    "check_non_transformer_estimators_n_iter": "there is no `max_iter`",
    "check_positive_only_tag_during_fit": NUMBERS,
}
"""The checks that do not apply to a classifier of texts, each with the reason."""


FAILING = {
    "check_sample_weight_equivalence_on_dense_data": (
        "which rows `fit` holds out for validation depends on their number"
    ),
}
"""The checks that apply and fail, each with the reason. They must fail, so that none stays here."""


class NumbersAsTexts(TextClassifier):
    """Turns each number of a row into a word, so that scikit-learn's checks can fit it."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array = False, True
        return tags

    def fit(self, X, y, sample_weight=None):
        return super().fit(self._in_words(X, reset=True), y, sample_weight)

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(self._in_words(X, reset=False))

    def predict_log_proba(self, X):
        check_is_fitted(self)
        return super().predict_log_proba(self._in_words(X, reset=False))

    def predict_proba(self, X):
        check_is_fitted(self)
        return super().predict_proba(self._in_words(X, reset=False))

    def score(self, X, y, sample_weight=None):
        check_is_fitted(self)
        return super().score(self._in_words(X, reset=False), y, sample_weight)

    def _in_words(self, X, *, reset: bool) -> list[str]:
        numbers = validate_data(self, X, reset=reset)
        steps = np.clip(np.round(3 * numbers), -7, 7).astype(int)
        words = (steps + 15 * np.arange(numbers.shape[1])) % len(WORDS)
        return [" ".join(WORDS[word] for word in row) for row in words]


def name_of(check: Any) -> str:
    """Return the name of a check with its arguments."""
    given = []
    while isinstance(check, partial):
        given += [f"{name}={value}" for name, value in check.keywords.items()]
        check = check.func
    return f"{check.__name__}({', '.join(given)})" if given else check.__name__


CHECKS = {name_of(check): check for _, check in estimator_checks_generator(NumbersAsTexts())}


def result_of(name: str) -> str:
    """Return the result of a check as the page shows it."""
    stem = name.partition("(")[0]
    if stem in FAILING:
        return f"fails: {FAILING[stem]}"
    reason = why_not_applicable(name)
    return "passed" if reason is None else f"does not apply: {reason}"


def why_not_applicable(name: str) -> str | None:
    return NOT_APPLICABLE.get(name.partition("(")[0])


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(autouse=True)
def _one_store(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Share a store between the tests of this module, because many of them fit the same texts."""
    monkeypatch.setenv("THAWLINE_HOME", str(shared_home))


@pytest.fixture
def make(toy_backbone: Callable[[str], Path]) -> Make:
    def make_one(kind: type[TextClassifier] = TextClassifier, **settings: Any) -> TextClassifier:
        quick = {"dtype": "float32", "features": "last", "max_length": 24}
        return kind(toy_backbone("bert"), **(quick | settings))

    return make_one


class TestChecks:
    @pytest.mark.parametrize("name", CHECKS)
    def test_check(self, make: Make, name: str) -> None:
        if name.partition("(")[0] in FAILING:
            with pytest.raises(AssertionError):
                CHECKS[name](make(NumbersAsTexts))
            return
        try:
            CHECKS[name](make(NumbersAsTexts))
        except SkipTest as skipped:
            if why_not_applicable(name) is None:
                pytest.fail(f"the check was skipped, but the table gives no reason: {skipped}")

    def test_an_estimator_of_texts_has_one_check(self) -> None:
        with pytest.warns(UserWarning, match="Can't test estimator TextClassifier"):
            yielded = [name_of(check) for _, check in estimator_checks_generator(TextClassifier())]
        assert yielded == ["check_estimator_cloneable"]

    def test_the_page_lists_the_checks(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        if f"scikit-learn {sklearn.__version__}" not in page:
            pytest.skip(f"the page lists the checks of another version than {sklearn.__version__}")
        reasons = {name: why_not_applicable(name) for name in CHECKS}
        rows = re.findall(r"^\| `(check_.+?)` \| (.+?) \|$", page, re.MULTILINE)
        assert rows == [(name, result_of(name)) for name in CHECKS]
        excluded = sum(reason is not None for reason in reasons.values())
        (line,) = re.findall(r"^scikit-learn [\d.]+ (.*)$", page, re.MULTILINE)
        assert list(map(int, re.findall(r"\d+", line))) == [
            len(CHECKS),
            len(CHECKS) - excluded - len(FAILING),
            excluded,
            len(FAILING),
        ]
        assert set(NOT_APPLICABLE) == {name.partition("(")[0] for name in reasons if reasons[name]}


class TestTags:
    def test_the_rows_are_texts(self) -> None:
        tags = get_tags(TextClassifier())
        assert (tags.input_tags.string, tags.input_tags.one_d_array) == (True, True)
        assert (tags.input_tags.two_d_array, tags.input_tags.sparse) == (False, False)
        assert tags.target_tags.required
        assert tags.classifier_tags.multi_class
        assert is_classifier(TextClassifier())

    def test_texts_have_no_features(self, make: Make, toy_reviews: Reviews) -> None:
        assert not hasattr(make().fit(*toy_reviews(32)), "n_features_in_")

    def test_what_fit_adds_ends_in_an_underscore(self, make: Make, toy_reviews: Reviews) -> None:
        classifier = make()
        before = set(vars(classifier))
        added = set(vars(classifier.fit(*toy_reviews(32)))) - before
        assert added == {"classes_", "fitted_", "history_", "parameters_"}


class TestParametersOfTheStrategy:
    @pytest.mark.parametrize("strategy", ["last:2", Last(2)])
    def test_they_are_listed_and_set(self, strategy: Any) -> None:
        classifier = TextClassifier(strategy=strategy)
        assert classifier.get_params()["strategy__k"] == 2
        assert "strategy__k" not in classifier.get_params(deep=False)
        assert classifier.set_params(strategy__k=3) is classifier
        assert classifier.strategy == Last(3)
        assert strategy in ("last:2", Last(2))

    def test_the_strategy_is_replaced_never_changed(self) -> None:
        strategy = Lora(r=2)
        first, second = TextClassifier(strategy=strategy), TextClassifier(strategy=strategy)
        first.set_params(strategy__r=8, strategy__from_=2, pooling="first")
        assert (first.strategy, first.pooling) == (Lora(r=8, from_=2), "first")
        assert second.strategy is strategy
        assert strategy == Lora(r=2)

    def test_a_new_strategy_comes_before_its_parameters(self) -> None:
        classifier = TextClassifier().set_params(strategy__k=3, strategy="last:1")
        assert classifier.strategy == Last(3)
        inner = TextClassifier(strategy=HeadFirst(Lora())).set_params(strategy__then__r=9)
        assert inner.strategy == HeadFirst(Lora(r=9))
        assert inner.get_params()["strategy__then__r"] == 9

    @pytest.mark.parametrize(
        ("params", "found"),
        [
            ({"strategy__kk": 3, "pooling": "first"}, "'kk'"),
            ({"poling": "first", "lr": 1.0}, "'poling'"),
            ({"strategy": "head", "strategy__k": 3}, "'k'"),
            ({"strategy": "lsat:2", "strategy__k": 3}, "'lsat:2'"),
        ],
    )
    def test_an_unknown_parameter_sets_nothing(self, params: dict[str, Any], found: str) -> None:
        classifier = TextClassifier(strategy="last:2")
        before = classifier.get_params()
        with pytest.raises(ThawlineError) as caught:
            classifier.set_params(**params)
        assert found in caught.value.found
        assert classifier.get_params() == before

    def test_an_invalid_strategy_is_stored_until_fit(self) -> None:
        classifier = TextClassifier(strategy="lsat:2")
        assert clone(classifier).get_params() == classifier.get_params()
        assert classifier.get_params()["strategy"] == "lsat:2"

    @pytest.mark.parametrize("strategy", ["lora:r=2", Lora(r=2), HeadFirst(Last(2)), Head()])
    def test_a_clone_is_equal(self, strategy: Any) -> None:
        classifier = TextClassifier(strategy=strategy, pooling="first")
        assert clone(classifier).get_params() == classifier.get_params()

    def test_it_is_shown_as_it_is_written(self) -> None:
        shown = repr(TextClassifier("model", Last(2), pooling="first"))
        assert shown == "TextClassifier(backbone='model', pooling='first', strategy=Last(k=2))"
        assert "Last(k=2)" in TextClassifier(strategy=Last(2))._repr_html_()

    def test_a_pipeline_reaches_them(self) -> None:
        pipeline = make_pipeline(TextClassifier(strategy="last:2"))
        pipeline.set_params(textclassifier__strategy__k=4)
        assert pipeline.get_params()["textclassifier__strategy__k"] == 4


def without_marks(texts: Any) -> list[str]:
    return [text.replace("<br />", " ") for text in texts]


class TestTools:
    """The tools of scikit-learn around an estimator; all of them fit the same few texts."""

    @pytest.fixture
    def named(self, toy_reviews: Reviews) -> tuple[list[str], list[str]]:
        texts, ids = toy_reviews(60)
        return texts, ["glad" if label else "sad" for label in ids]

    @pytest.mark.parametrize("form", [list, np.array, pd.Series, lambda texts: pd.DataFrame(texts)])
    def test_a_pipeline_that_cleans(self, make: Make, named: Any, form: Any) -> None:
        texts, labels = named
        cleaning = FunctionTransformer(lambda rows: without_marks(np.ravel(rows)))
        pipeline = make_pipeline(cleaning, make())
        marked = form([text.replace(" ", "<br />") for text in texts])
        assert pipeline.fit(marked, labels).score(marked, labels) > 0.9
        np.testing.assert_array_equal(
            pipeline.predict_proba(marked), make().fit(texts, labels).predict_proba(texts)
        )
        assert pipeline.classes_.tolist() == ["glad", "sad"]

    @pytest.mark.parametrize("scoring", ["accuracy", "f1_macro"])
    @pytest.mark.parametrize("form", [list, pd.Series])
    def test_cross_val_score(self, make: Make, named: Any, scoring: str, form: Any) -> None:
        scores = cross_val_score(
            make(), *map(form, named), cv=2, scoring=scoring, error_score="raise"
        )
        assert scores.shape == (2,)
        assert scores.mean() > 0.75

    def test_cross_val_score_of_probabilities(self, make: Make, named: Any) -> None:
        texts, labels = named
        scores = cross_val_score(make(), texts, labels, cv=2, scoring="neg_log_loss")
        shares = cross_val_predict(make(), texts, labels, cv=2, method="predict_proba")
        assert scores.mean() == pytest.approx(-log_loss(labels, shares))  # both halves are equal

    def test_cross_val_score_in_processes_that_share_the_store(
        self, make: Make, named: Any, shared_home: Path, tmp_path: Path, monkeypatch: Any
    ) -> None:
        monkeypatch.setenv("THAWLINE_HOME", str(tmp_path / "of processes"))
        with joblib.parallel_config(backend="loky", n_jobs=2, inner_max_num_threads=1):
            apart = cross_val_score(make(), *named, cv=2, error_score="raise")
        (entry,) = store.entries()
        assert entry.texts == len(set(named[0]))
        monkeypatch.setenv("THAWLINE_HOME", str(shared_home))
        np.testing.assert_array_equal(apart, cross_val_score(make(), *named, cv=2))

    def test_a_grid_over_the_strategy_and_the_pooling(self, make: Make, named: Any) -> None:
        grid = {
            "strategy": [Head(), "head"],
            "pooling": ["mean", "first"],
        }
        search = GridSearchCV(make(), grid, cv=2, error_score="raise").fit(*named)
        results = search.cv_results_
        assert len(results["params"]) == 4
        assert set(results["param_strategy"]) == {Head(), "head"}
        scores = dict.fromkeys(["mean", "first"], ())
        for params, score in zip(results["params"], results["mean_test_score"], strict=True):
            scores[params["pooling"]] += (score,)
        assert len(set(scores["mean"])) == len(set(scores["first"])) == 1
        assert set(scores["mean"]) != set(scores["first"])
        assert search.best_estimator_.pooling == search.best_params_["pooling"]
        assert search.score(*named) > 0.9

    def test_a_grid_over_parameters_of_the_strategy(self, make: Make, named: Any) -> None:
        search = GridSearchCV(
            make(strategy=Last(1), epochs=1), {"strategy__k": [1, 2]}, cv=2, error_score="raise"
        )
        search.fit(*named)
        assert [params["strategy__k"] for params in search.cv_results_["params"]] == [1, 2]
        best = search.best_estimator_
        assert best.strategy == Last(search.best_params_["strategy__k"])
        trained = [
            p.requires_grad for p in best.fitted_.model.base_model.encoder.layer.parameters()
        ]
        assert any(trained)
        assert not all(trained)

    def test_cross_val_predict(self, make: Make, named: Any) -> None:
        texts, labels = named
        shares = cross_val_predict(make(), texts, labels, cv=2, method="predict_proba")
        np.testing.assert_allclose(shares.sum(1), 1)
        predicted = cross_val_predict(make(), texts, labels, cv=2)
        assert predicted.tolist() == np.array(["glad", "sad"])[shares.argmax(1)].tolist()
        assert (predicted == labels).mean() > 0.75

    def test_calibration(self, make: Make, named: Any) -> None:
        calibrated = CalibratedClassifierCV(make(), cv=2, method="temperature").fit(*named)
        assert calibrated.classes_.tolist() == ["glad", "sad"]
        np.testing.assert_allclose(calibrated.predict_proba(named[0]).sum(1), 1)
        assert calibrated.score(*named) > 0.9

    def test_ensembles_beside_tfidf(self, make: Make, named: Any) -> None:
        tfidf = make_pipeline(TfidfVectorizer(), LogisticRegression())
        both = [("frozen", make()), ("tfidf", tfidf)]
        for ensemble in (VotingClassifier(both, voting="soft"), StackingClassifier(both, cv=2)):
            assert ensemble.fit(*named).score(*named) > 0.9
            assert set(ensemble.predict(named[0])) == {"glad", "sad"}


class TestReadingOnce:
    """How many texts the backbone reads during a search over 2 candidates and 3 folds."""

    TEXTS = 60

    @pytest.fixture
    def named(self, toy_reviews: Reviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setenv("THAWLINE_HOME", str(tmp_path / "empty"))
        texts, ids = toy_reviews(self.TEXTS)
        assert len(set(texts)) == self.TEXTS
        return texts, ids

    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Return a list that receives the number of texts in each batch that enters a backbone."""
        sizes: list[int] = []
        original = BertEmbeddings.forward

        def counted(embeddings: BertEmbeddings, input_ids: Any, **inputs: Any) -> Any:
            sizes.append(len(input_ids))
            return original(embeddings, input_ids, **inputs)

        monkeypatch.setattr(BertEmbeddings, "forward", counted)
        # A backbone is tried on a few tokens when it is loaded, which are no text.
        monkeypatch.setattr("thawline.backbones.loading.try_model", lambda *_: None)
        return sizes

    def search(self, classifier: TextClassifier, scoring: str | None = None) -> GridSearchCV:
        grid = {"pooling": ["mean", "first"]}
        return GridSearchCV(classifier, grid, cv=3, scoring=scoring, error_score="raise")

    def test_the_default_scorer(self, make: Make, named: Any, read: list[int]) -> None:
        search = self.search(make()).fit(*named)
        assert sum(read) == self.TEXTS
        assert search.score(*named) > 0.9
        assert sum(read) == self.TEXTS

    @pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
    def test_scorers_that_call_predict(
        self, make: Make, named: Any, read: list[int], scoring: str
    ) -> None:
        stored = self.search(make(predict_from_store=True), scoring).fit(*named)
        assert sum(read) == self.TEXTS
        whole = self.search(make(), scoring).fit(*named)
        assert sum(read) == 3 * self.TEXTS  # Each of the 2 candidates reads every test fold.
        np.testing.assert_allclose(
            stored.cv_results_["mean_test_score"], whole.cv_results_["mean_test_score"], atol=1e-5
        )

    def test_a_trained_backbone_reads_each_test_fold(
        self, make: Make, named: Any, read: list[int]
    ) -> None:
        classifier = make(strategy=Last(1), epochs=1, predict_from_store=True)
        classifier.fit(*named)
        stored, before = store.entries(), sum(read)
        classifier.score(*named)
        classifier.predict(named[0])
        assert sum(read) - before == 2 * self.TEXTS
        assert store.entries() == stored


class TestCopies:
    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
    @pytest.mark.parametrize("head", ["linear", "native"])
    def test_a_copy_is_the_same_and_apart(
        self, make: Make, toy_reviews: Reviews, copied: Any, head: str
    ) -> None:
        classifier = make(strategy=Head(), head=head)
        assert copied(classifier).get_params() == classifier.get_params()
        texts, labels = toy_reviews(32)
        shares = classifier.fit(texts, labels).predict_proba(texts)
        other = copied(classifier)
        np.testing.assert_array_equal(other.predict_proba(texts), shares)
        other.fit(texts, [1 - label for label in labels])
        np.testing.assert_array_equal(classifier.predict_proba(texts), shares)
        assert not np.allclose(other.predict_proba(texts), shares)
