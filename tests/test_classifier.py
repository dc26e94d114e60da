"""`TextClassifier`: the conventions of scikit-learn around a complete fit, and its errors."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from tests.support.toys import DEPTH, LIMIT
from thawline import Head, HeadFirst, Last, Lora, TextClassifier, ThawlineError, artifact, store
from thawline.classifier.parameters import SETTINGS
from thawline.config import ExactConfig, TaptConfig, TrainingConfig
from thawline.config.annotations import settings_of

Reviews = Callable[..., tuple[list[str], list[int]]]
Make = Callable[..., TextClassifier]
NEITHER = "a scene in the film"


@pytest.fixture
def make(toy_backbone: Callable[[str], Path]) -> Make:
    """Return what makes an unfitted classifier on a toy BERT, its last stage in fp32."""

    def make_one(family: str = "bert", **settings: Any) -> TextClassifier:
        quick = {"dtype": "float32", "features": "last"}
        return TextClassifier(toy_backbone(family), **(quick | settings))

    return make_one


def stored_files() -> dict[str, tuple[int, bytes]]:
    """Return time and bytes of each file in the store."""
    files = (path for path in store.home().rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"-?\d+", text))


@pytest.mark.e2e
class TestLearning:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"features": None},
            {"dtype": "bfloat16"},
            {"family": "llama", "pooling": "last", "features": "layers"},
            {"head": "mlp:16", "epochs": 10, "lr": 1e-2},
            {"epochs": 10, "lr": 1e-2},
            {"family": "qwen3", "head": "native", "epochs": 10, "lr": 3e-2},
        ],
        ids=str,
    )
    def test_it_learns_what_the_texts_tell(
        self, make: Make, toy_reviews: Reviews, settings: dict[str, Any]
    ) -> None:
        classifier = make(**settings).fit(*toy_reviews(160))
        texts, labels = toy_reviews(100, seed=1)
        assert classifier.score(texts, labels) > 0.75  # five deviations above chance
        assert (classifier.predict(texts) == labels).mean() == classifier.score(texts, labels)

    def test_fitting_returns_the_classifier_and_its_attributes(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        classifier = make()
        assert classifier.fit(*toy_reviews(32)) is classifier
        assert classifier.classes_.tolist() == [0, 1]
        assert classifier.history_ == []
        assert set(classifier.parameters_) == {"trainable", "frozen", "total"}
        assert classifier.fitted_.strategy == "head"

    def test_epochs_leave_a_history(self, make: Make, toy_reviews: Reviews) -> None:
        classifier = make(epochs=2).fit(*toy_reviews(32))
        assert [row["epoch"] for row in classifier.history_] == [0, 1, 2]

    def test_a_given_validation_set_is_used_for_choices(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        train, validation = toy_reviews(40), toy_reviews(24, seed=1)
        classifier = make(epochs=2).fit(*train, validation=validation)
        scores = classifier.evaluate(*validation)
        best = max(
            classifier.history_[1:],
            key=lambda row: (row["validation_accuracy"], -row["validation_loss"]),
        )
        assert scores.accuracy.value == pytest.approx(best["validation_accuracy"])
        wrong = (validation[0], [1 - label for label in validation[1]])
        mirrored = make(epochs=2).fit(*train, validation=wrong)
        for row, other in zip(classifier.history_, mirrored.history_, strict=True):
            assert row["validation_accuracy"] == pytest.approx(1 - other["validation_accuracy"])

    def test_which_texts_are_held_out_does_not_depend_on_the_seed(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        losses = [
            make(random_state=seed).fit(*toy_reviews(64)).predict_proba(["a good film"])
            for seed in (0, 1)
        ]
        np.testing.assert_array_equal(*losses)  # the exact fit has no other use for a seed

    @pytest.mark.parametrize("settings", [{"epochs": 2}, {"head": "mlp:4"}, {"head": "native"}])
    def test_a_seed_gives_the_same_weights_and_another_gives_others(
        self, make: Make, toy_reviews: Reviews, settings: dict[str, Any]
    ) -> None:
        heads = []
        for seed, disturb in ((3, 0), (3, 1), (4, 0)):
            torch.manual_seed(disturb)
            np.random.seed(disturb)
            classifier = make(random_state=seed, epochs=settings.pop("epochs", 2), **settings)
            heads.append(classifier.fit(*toy_reviews(32)).fitted_.head_module().state_dict())
        first, same, other = heads
        assert all(torch.equal(first[name], same[name]) for name in first)
        assert not all(torch.equal(first[name], other[name]) for name in first)

    def test_fitting_again_starts_anew(self, make: Make, toy_reviews: Reviews) -> None:
        texts, labels = toy_reviews(64)
        classifier = make().fit(texts, labels)
        before = classifier.predict_proba(texts)
        classifier.fit(texts, [1 - label for label in labels])
        assert (classifier.predict(texts) != labels).mean() > 0.9
        classifier.fit(texts, labels)
        np.testing.assert_array_equal(classifier.predict_proba(texts), before)


class TestLabels:
    @pytest.mark.parametrize(
        ("classes", "dtype"),
        [
            (np.array([0, 1]), np.int64),
            (np.array([7, -3], dtype=np.int32), np.int32),
            (np.array([2, 10]), np.int64),
            (np.array([False, True]), np.bool_),
            (np.array(["sad", "glad"]), np.str_),
            (np.array(["10", "9"]), np.str_),
            (np.array(["sad", "glad"], dtype=object), np.object_),
            (np.array([0.0, 1.0]), np.float64),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("as_list", [True, False])
    def test_predictions_are_labels_as_they_were_given(
        self, make: Make, toy_reviews: Reviews, classes: Any, dtype: type, as_list: bool
    ) -> None:
        texts, ids = toy_reviews(64)
        given = classes[ids]
        classifier = make().fit(texts, given.tolist() if as_list else given)
        found = classifier.predict(texts)
        if as_list:  # what numpy makes of it
            dtype = {np.int32: np.int64, np.object_: np.str_}.get(dtype, dtype)
        assert np.issubdtype(found.dtype, dtype)
        assert (found == given).mean() > 0.9
        assert classifier.classes_.tolist() == sorted(classes.tolist())
        assert classifier.classes_.dtype == found.dtype

    @pytest.mark.parametrize(
        ("kind", "dtype"),
        [
            ("category", np.object_),
            ("string", np.object_),
            ("Int64", np.int64),
            ("boolean", np.bool_),
        ],
    )
    def test_predictions_for_a_series_of_pandas_own_kinds(
        self, make: Make, toy_reviews: Reviews, kind: str, dtype: type
    ) -> None:
        texts, ids = toy_reviews(64)
        written = np.array(["sad", "glad"])[ids] if kind in ("category", "string") else ids
        given = pd.Series(written).astype(kind)
        classifier = make().fit(pd.Series(texts), given)
        found = classifier.predict(texts)
        assert found.dtype == classifier.classes_.dtype == dtype
        assert (found == written).mean() > 0.9
        assert classifier.score(pd.Series(texts), given) == (found == written).mean()

    @pytest.mark.parametrize("labels", [None, ("glad", "sad"), ("sad", "glad"), ["sad", "glad"]])
    def test_columns_follow_the_sorted_classes_whatever_the_order_of_the_names(
        self, make: Make, toy_reviews: Reviews, labels: Any
    ) -> None:
        texts, ids = toy_reviews(64)
        given = np.array(["sad", "glad"])[ids]
        classifier = make(labels=labels).fit(texts, given)
        assert classifier.classes_.tolist() == ["glad", "sad"]
        shares = classifier.predict_proba(texts)
        assert shares.shape == (64, 2)
        np.testing.assert_allclose(shares.sum(1), 1)
        assert ((shares[:, 0] > 0.5) == (given == "glad")).mean() > 0.9
        assert (classifier.predict(texts) == classifier.classes_[shares.argmax(1)]).all()
        names = ("glad", "sad") if labels is None else tuple(labels)
        assert classifier.fitted_.labels.names == names

    def test_names_of_integer_labels_go_in_ascending_order(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        texts, ids = toy_reviews(64)
        classifier = make(labels=("neg", "pos")).fit(texts, [5 * i - 3 for i in ids])
        assert classifier.fitted_.model.config.id2label == {0: "neg", 1: "pos"}
        assert set(classifier.predict(texts)) == {-3, 2}
        by_name = np.array(["neg", "pos"])[ids]
        assert classifier.evaluate(texts, by_name).accuracy.value > 0.9

    def test_members_of_an_enum_are_read_as_their_values(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        class Mood(str, Enum):  # noqa: UP042 (NumPy reads the members of a StrEnum correctly)
            LOW = "feeling sad"
            HIGH = "feeling glad"

        texts, ids = toy_reviews(64)
        given = [list(Mood)[i] for i in ids]
        classifier = make().fit(texts, given)
        assert classifier.classes_.tolist() == ["feeling glad", "feeling sad"]
        assert classifier.fitted_.labels.names == ("feeling glad", "feeling sad")
        accuracy = classifier.evaluate(texts, given).accuracy.value
        assert classifier.score(texts, given) == pytest.approx(accuracy)
        assert accuracy > 0.9

    def test_similar_class_names_give_a_warning(self, make: Make, toy_reviews: Reviews) -> None:
        texts, ids = toy_reviews(32)
        given = ["neg" if label == 0 else ("Pos", "pos")[i % 4 > 1] for i, label in enumerate(ids)]
        with pytest.warns(UserWarning, match="'Pos' .*'pos'"):
            make().fit(texts, given)

    def test_three_classes(self, make: Make, toy_reviews: Reviews) -> None:
        texts, ids = toy_reviews(90)
        given = [
            "bad" if label == 0 else ("good", "fine")[i % 4 > 1] for i, label in enumerate(ids)
        ]
        classifier = make().fit(texts, given)
        assert classifier.classes_.tolist() == ["bad", "fine", "good"]
        shares = classifier.predict_proba(texts)
        assert shares.shape == (90, 3)
        assert ((shares[:, 0] > 0.5) == (np.array(given) == "bad")).mean() > 0.9

    def test_columns_of_a_frame_with_an_index_of_its_own(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        texts, labels = toy_reviews(64)
        frame = pd.DataFrame({"text": texts, "label": labels}, index=range(100, 164))
        classifier = make().fit(frame["text"], frame["label"])
        np.testing.assert_array_equal(
            classifier.predict(frame["text"]), make().fit(texts, labels).predict(texts)
        )
        with pytest.raises(ThawlineError) as caught:
            classifier.evaluate(frame["text"], frame["label"] + 7)
        assert numbers_in(caught.value.found) == {"7", "0"}  # the label and its row


class TestScores:
    def test_evaluate_scores_what_predict_says(self, make: Make, toy_reviews: Reviews) -> None:
        classifier = make().fit(*toy_reviews(80))
        texts, labels = toy_reviews(60, seed=1)
        scores = classifier.evaluate(texts, labels)
        accuracy = scores.accuracy
        assert accuracy.value == pytest.approx((classifier.predict(texts) == labels).mean())
        assert accuracy.low < accuracy.value < accuracy.high
        assert scores.f1_macro.low <= scores.f1_macro.value <= scores.f1_macro.high

    def test_intervals_count_copies_of_a_text_once(self, make: Make, toy_reviews: Reviews) -> None:
        classifier = make().fit(*toy_reviews(32))
        texts, labels = toy_reviews(30, seed=1)
        alone = classifier.evaluate(texts, labels).accuracy
        spaced = [text.replace(" ", "  ") for text in texts]
        scores = classifier.evaluate([*texts, *spaced], [*labels, *labels])
        assert scores.rows == 60
        found = (scores.accuracy.value, scores.accuracy.low, scores.accuracy.high)
        assert found == pytest.approx((alone.value, alone.low, alone.high))

    def test_probabilities_do_not_depend_on_other_texts(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        texts = toy_reviews(20, seed=1)[0]
        classifier = make().fit(*toy_reviews(64))
        together = classifier.predict_proba(texts)
        alone = np.concatenate([classifier.predict_proba([text]) for text in texts])
        np.testing.assert_allclose(together, alone, atol=1e-5)

    def test_records_are_those_of_the_command_line(self, make: Make, toy_reviews: Reviews) -> None:
        classifier = make(labels=["neg", "pos"]).fit(*toy_reviews(40))
        texts, _ = toy_reviews(6, seed=1)
        records = classifier.predict_records(texts)
        assert [list(one) for one in records] == [["text", "neg_prob", "pos_prob", "label"]] * 6
        assert [one["text"] for one in records] == texts
        given = [[one["neg_prob"], one["pos_prob"]] for one in records]
        np.testing.assert_allclose(given, classifier.predict_proba(texts))
        names = np.array(["neg", "pos"])[classifier.predict(texts)]
        assert [one["label"] for one in records] == names.tolist()
        assert classifier.predict_records([]) == []
        other = make(labels=["bad", "good"]).fit(*toy_reviews(40)).predict_records(texts[:1])
        assert list(other[0]) == ["text", "label", "confidence", "probs"]
        assert other[0]["confidence"] == max(other[0]["probs"].values())

    def test_no_text_gives_no_row(self, make: Make, toy_reviews: Reviews) -> None:
        classifier = make().fit(*toy_reviews(32))
        assert classifier.predict([]).shape == (0,)
        assert classifier.predict_proba([]).shape == (0, 2)

    def test_a_score_counts_each_text_as_its_weight_says(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        classifier = make().fit(*toy_reviews(64))
        texts, labels = toy_reviews(30, seed=1)
        right = classifier.predict(texts) == labels
        weight = np.where(right, 1.0, 3.0)
        assert 0 < right.mean() < 1
        assert classifier.score(texts, labels, sample_weight=weight) == pytest.approx(
            right.sum() / weight.sum()
        )

    @pytest.mark.parametrize("method", ["predict", "predict_proba", "score", "evaluate", "save"])
    def test_before_fit_it_says_so(self, make: Make, tmp_path: Path, method: str) -> None:
        both = ([NEITHER], [0])
        given = {"score": both, "evaluate": both, "save": (tmp_path / "saved",)}
        with pytest.raises(NotFittedError, match="TextClassifier"):
            getattr(make(), method)(*given.get(method, ([NEITHER],)))
        assert not (tmp_path / "saved").exists()

    def test_a_score_accepts_the_names_of_classes(self, make: Make, toy_reviews: Reviews) -> None:
        texts, numbers = toy_reviews(40)
        classifier = make(labels=["bad", "good"]).fit(texts, numbers)
        names = [("bad", "good")[number] for number in numbers]
        assert classifier.score(texts, names) == classifier.score(texts, numbers)
        with pytest.raises(ThawlineError):
            classifier.score(names, texts)


class TestModes:
    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
    def test_a_fit_does_not_depend_on_the_mode_of_the_caller(
        self, make: Make, toy_reviews: Reviews, mode: type
    ) -> None:
        texts, labels = toy_reviews(40)
        expected = make(strategy="last:1", epochs=1).fit(texts, labels)
        with mode():
            found = make(strategy="last:1", epochs=1).fit(texts, labels)
        assert np.array_equal(found.predict_proba(texts), expected.predict_proba(texts))


class TestPlaces:
    def test_fitting_writes_nothing_but_the_store(
        self, make: Make, toy_reviews: Reviews, tmp_path: Path
    ) -> None:
        make().fit(*toy_reviews(32))
        assert list(Path.cwd().iterdir()) == []
        assert {path.name for path in tmp_path.iterdir()} == {"cwd", "home"}
        assert {path.name for path in (tmp_path / "home").iterdir()} == {"store"}

    def test_predicting_stores_nothing(self, make: Make, toy_reviews: Reviews) -> None:
        classifier = make().fit(*toy_reviews(32))
        before = stored_files()
        classifier.predict(["a text that was never seen"])
        assert stored_files() == before

    @pytest.mark.parametrize("method", ["score", "evaluate", "predict", "predict_proba"])
    def test_states_of_new_texts_are_stored(
        self, make: Make, toy_reviews: Reviews, method: str
    ) -> None:
        classifier = make(predict_from_store=True).fit(*toy_reviews(32))
        new = ["a text that was never seen"]
        getattr(classifier, method)(new, *([[0]] if method in ("score", "evaluate") else []))
        (entry,) = store.entries()
        assert entry.texts == 33

    @pytest.mark.parametrize("head", ["linear", "mlp:4", "native"])
    def test_stored_states_give_the_predictions_of_the_whole_model(
        self, make: Make, toy_reviews: Reviews, head: str
    ) -> None:
        classifier = make(head=head).fit(*toy_reviews(40))
        texts, labels = toy_reviews(30, seed=1)
        whole = classifier.predict_proba(texts)
        score = classifier.score(texts, labels)
        stored = classifier.set_params(predict_from_store=True).predict_proba(texts)
        np.testing.assert_allclose(stored, whole, rtol=0, atol=1e-5)
        assert score == (classifier.predict(texts) == labels).mean()

    def test_states_are_read_in_the_dtype_of_the_estimator(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        classifier = make(dtype="bfloat16", predict_from_store=True).fit(*toy_reviews(32))
        classifier.predict(["a text that was never seen"])
        classifier.score(["another one"], [0])
        (entry,) = store.entries()
        assert (entry.texts, entry.dtype) == (34, "bfloat16")

    @pytest.mark.parametrize(
        "other",
        [{}, {"pooling": "first"}, {"features": "layers"}, {"head": "native"}, {"random_state": 9}],
        ids=str,
    )
    def test_a_second_fit_on_the_same_texts_computes_no_states(
        self,
        make: Make,
        toy_reviews: Reviews,
        monkeypatch: pytest.MonkeyPatch,
        other: dict[str, Any],
    ) -> None:
        texts, labels = toy_reviews(32)
        make().fit(texts, labels)
        before = stored_files()
        assert sum(entry.texts for entry in store.entries()) == 32

        def refuse(*_: Any, **__: Any) -> Iterator[Any]:
            raise AssertionError("the frozen part was run again")

        monkeypatch.setattr("thawline.prefix.frozen_pass.run_batches", refuse)
        make(**other).fit(texts[::-1], labels[::-1])
        assert stored_files() == before

    def test_new_texts_are_added_to_those_that_are_there(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        make().fit(*toy_reviews(32))
        before = stored_files()
        make().fit(*toy_reviews(40))
        after = stored_files()
        states = {name for name in before if name.endswith(".safetensors")}
        assert all(after[name] == before[name] for name in states)
        (entry,) = store.entries()
        assert entry.texts == 32 + len(set(toy_reviews(40)[0]) - set(toy_reviews(32)[0]))

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_the_dtype_of_the_frozen_pass_is_that_of_the_store(
        self, make: Make, toy_reviews: Reviews, dtype: str
    ) -> None:
        classifier = make(dtype=dtype).fit(*toy_reviews(32))
        (entry,) = store.entries()
        assert entry.dtype == dtype
        assert {p.dtype for p in classifier.fitted_.model.parameters()} == {torch.float32}


class TestSaving:
    @pytest.mark.e2e
    def test_a_loaded_classifier_gives_the_same(
        self, make: Make, toy_reviews: Reviews, tmp_path: Path
    ) -> None:
        texts, ids = toy_reviews(64)
        given = np.array(["sad", "glad"])[ids]
        saved = make(labels=("sad", "glad"), max_length=24, truncation_side="left")
        saved.fit(texts, given).save(tmp_path / "saved")  # proven in a fresh process as it saves
        loaded = TextClassifier.load(tmp_path / "saved")
        np.testing.assert_allclose(
            loaded.predict_proba(texts), saved.predict_proba(texts), rtol=0, atol=1e-5
        )
        assert loaded.classes_.tolist() == ["glad", "sad"]
        np.testing.assert_array_equal(loaded.predict(texts), saved.predict(texts))
        assert (loaded.max_length, loaded.truncation_side) == (24, "left")
        assert loaded.fitted_.labels.names == ("sad", "glad")
        assert loaded.labels is None
        loaded.set_params(dtype=saved.dtype)
        assert loaded.evaluate(texts, given).accuracy == saved.evaluate(texts, given).accuracy

    def test_an_existing_folder_is_not_overwritten(
        self, make: Make, toy_reviews: Reviews, tmp_path: Path
    ) -> None:
        classifier = make().fit(*toy_reviews(32))
        (tmp_path / "there").mkdir()
        with pytest.raises(ThawlineError) as caught:
            classifier.save(tmp_path / "there")
        assert str(tmp_path / "there") in caught.value.found
        assert list((tmp_path / "there").iterdir()) == []

    def test_a_missing_model_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ThawlineError) as caught:
            TextClassifier.load(tmp_path / "nowhere")
        assert str(tmp_path / "nowhere") in str(caught.value)

    @pytest.mark.e2e
    @pytest.mark.parametrize(
        ("old", "names", "new"),
        [
            ((3, 5), None, (0, 1)),
            ((0, 1), ("neg", "pos"), (0, 1)),
            ((0, 1), ("neg", "pos"), ("bad", "good")),
            (("neg", "pos"), None, ("bad", "good")),
            (("neg", "pos"), None, (7, 8)),
            ((False, True), None, (0, 1)),
        ],
    )
    def test_a_loaded_classifier_names_the_classes_of_its_new_data(
        self, make: Make, toy_reviews: Reviews, tmp_path: Path, old: Any, names: Any, new: Any
    ) -> None:
        texts, ids = toy_reviews(32)
        classifier = make(labels=names).fit(texts, [old[i] for i in ids])
        artifact.save(classifier.fitted_, tmp_path / "old")
        again = TextClassifier.load(tmp_path / "old")
        again.fit(texts, [new[i] for i in ids])
        assert again.classes_.tolist() == list(new)
        artifact.save(again.fitted_, tmp_path / "new")
        saved = TextClassifier.load(tmp_path / "new")
        assert saved.fitted_.labels.names == tuple(map(str, new))
        assert saved.fitted_.labels.values == new
        assert saved.fitted_.model.config.id2label == dict(enumerate(map(str, new)))


class TestPairs:
    def test_texts_and_pairs_are_not_exchanged(self, make: Make, toy_reviews: Reviews) -> None:
        texts, ids = toy_reviews(32)
        pairs = [(text, text) for text in texts]
        given = {"texts": texts, "pairs": pairs}
        for kind, other in (("texts", "pairs"), ("pairs", "texts")):
            classifier = make().fit(given[kind], ids)
            classifier.score(given[kind], ids)
            calls: list[Callable[[], object]] = [
                partial(classifier.predict, given[other]),
                partial(classifier.predict_proba, given[other]),
                partial(classifier.score, given[other], ids),
                partial(classifier.evaluate, given[other], ids),
                partial(make().fit, given[kind], ids, validation=(given[other], ids)),
                partial(make().fit, [*given[kind], given[other][0]], [*ids, 0]),
            ]
            for call in calls:
                with pytest.raises(ThawlineError) as caught:
                    call()
                assert repr(given[other][0])[:20] in caught.value.found

    def test_a_classifier_of_pairs_is_saved(
        self, make: Make, toy_reviews: Reviews, tmp_path: Path
    ) -> None:
        texts, ids = toy_reviews(32)
        pairs = [(text, text) for text in texts]
        classifier = make().fit(pairs, ids)
        artifact.save(classifier.fitted_, tmp_path / "saved")
        with pytest.raises(ThawlineError):
            TextClassifier.load(tmp_path / "saved").predict(texts)


class TestCopies:
    def test_copies_are_not_held_out(self, make: Make, toy_reviews: Reviews) -> None:
        texts = [*toy_reviews(60)[0], *(text.upper() for text in toy_reviews(60)[0])]
        labels = np.random.default_rng(0).integers(0, 2, 120)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            make().fit(texts, labels)

    def test_validation_texts_in_train_give_a_warning(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        texts, ids = toy_reviews(32)
        with pytest.warns(UserWarning, match="2 of 2 validation texts") as caught:
            make().fit(texts, ids, validation=([texts[0], f" {texts[1]} "], ids[:2]))
        assert __file__ in [one.filename for one in caught]  # the line that called `fit`


class TestConventions:
    def test_parameters_are_read_and_set(self, make: Make) -> None:
        classifier = make(pooling="first", epochs=4)
        parameters = classifier.get_params()
        assert (parameters["pooling"], parameters["epochs"], parameters["head"]) == (
            "first",
            4,
            "linear",
        )
        assert classifier.set_params(pooling="last", lr=0.5) is classifier
        assert (classifier.pooling, classifier.lr) == ("last", 0.5)
        assert classifier.set_params() is classifier

    def test_every_setting_of_a_training_is_a_parameter(self) -> None:
        tables = {"training": TrainingConfig, "exact": ExactConfig, "tapt": TaptConfig}
        keys = {f"{table}.{key}" for table, kind in tables.items() for key in settings_of(kind)}
        without = keys - set(SETTINGS.values())
        assert without == {
            *("training.checkpoint_every", "exact.rows_per_block", "exact.cache_bytes"),
        }

    def test_a_clone_has_the_parameters_and_no_fit(self, make: Make, toy_reviews: Reviews) -> None:
        fitted = make(labels=["neg", "pos"], pooling="last").fit(*toy_reviews(32))
        copied = clone(fitted)
        assert copied.get_params() == fitted.get_params()
        with pytest.raises(NotFittedError):
            copied.predict([NEITHER])

    def test_fitting_changes_no_parameter(self, make: Make, toy_reviews: Reviews) -> None:
        classifier = make(labels=["neg", "pos"], features=2)
        before = dict(classifier.get_params())
        classifier.fit(*toy_reviews(32))
        assert classifier.get_params() == before
        assert classifier.labels == ["neg", "pos"]

    def test_a_stage_may_be_a_number(self, make: Make, toy_reviews: Reviews) -> None:
        assert make(features=2).fit(*toy_reviews(32)).fitted_.reading.stages == (2,)
        with pytest.raises(ThawlineError) as caught:
            make(features=9).fit(*toy_reviews(32))
        assert "'9'" in caught.value.found
        assert {"0", str(DEPTH)} <= numbers_in(caught.value.expected)

    def test_a_generator_is_kept_and_gives_each_fit_another_seed(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        def weights(classifier: TextClassifier) -> torch.Tensor:
            (layer,) = [*classifier.fit(*toy_reviews(32)).fitted_.head_module().parameters()][:1]
            return layer.detach().clone()

        for random_state in (np.random.RandomState(0), np.random.default_rng(0), None):
            np.random.seed(0)
            classifier = make(random_state=random_state, epochs=1)
            first, second = weights(classifier), weights(classifier)
            assert classifier.random_state is random_state
            assert not torch.equal(first, second)
        np.random.seed(0)
        assert torch.equal(weights(make(random_state=None, epochs=1)), first)
        np.random.seed(0)
        seed = int(np.random.randint(2**31 - 1))
        assert torch.equal(weights(make(random_state=seed, epochs=1)), first)

    def test_settings_may_be_numpys_own(
        self, make: Make, toy_reviews: Reviews, tmp_path: Path
    ) -> None:
        own = {
            "epochs": np.int64(2),
            "lr": np.float32(0.01),
            "max_length": np.int32(16),
            "standardise": np.bool_(True),
            "pooling": np.str_("first"),
            "labels": np.array(["neg", "pos"]),
        }
        classifier = make(**own).fit(*toy_reviews(32))
        assert len(classifier.history_) == 3
        assert all(classifier.get_params()[name] is value for name, value in own.items())
        artifact.save(classifier.fitted_, tmp_path / "saved")  # what is saved is plain JSON
        assert TextClassifier.load(tmp_path / "saved").max_length == 16

    def test_pairs_of_texts(self, make: Make, toy_reviews: Reviews) -> None:
        texts, ids = toy_reviews(64)
        pairs = [("a film", text) for text in texts]
        classifier = make().fit(pairs, ids)
        assert classifier.score(pairs, ids) > 0.9
        frame = pd.DataFrame(pairs, columns=["premise", "hypothesis"])
        np.testing.assert_array_equal(
            classifier.predict_proba(frame), classifier.predict_proba(pairs)
        )
        swapped = [(second, first) for first, second in pairs]
        assert not np.allclose(classifier.predict_proba(swapped), classifier.predict_proba(pairs))

    def test_a_backbone_may_be_a_string(
        self, toy_backbone: Callable[[str], Path], toy_reviews: Reviews
    ) -> None:
        named = TextClassifier(str(toy_backbone("bert")), features="last", dtype="float32")
        assert named.fit(*toy_reviews(32)).fitted_.backbone == str(toy_backbone("bert"))


TEXTS, IDS = ["good", "bad"] * 10, [1, 0] * 10
REFUSED: dict[str, tuple[tuple[Any, Any], tuple[str, ...]]] = {
    "one string": (("good", IDS), ("string",)),
    "too few labels": ((TEXTS, IDS[:-1]), ("20", "19")),
    "a missing text": (([*TEXTS[:-1], float("nan")], IDS), ("float", "19")),
    "no text": (([None, *TEXTS[1:]], IDS), ("NoneType", "0")),
    "bytes": (([b"good", *TEXTS[1:]], IDS), ("bytes", "0")),
    "one class": ((TEXTS, [1] * 20), ("1 class ", "18")),
    "one text": ((["good"], [1]), ("1 class ", "1 rows")),
    "nothing": (([], []), ("0 classes", "0 rows")),
    "fractions": ((TEXTS, [0.5] * 20), ("0.5", "row 0")),
    "two kinds": ((TEXTS, [1, "bad"] * 10), ("(1)", "(bad)")),
}
"""Texts and labels that `fit` rejects, each with data that the error shows."""


class TestRefusals:
    @pytest.mark.parametrize("case", REFUSED)
    def test_invalid_texts_and_labels(self, make: Make, case: str) -> None:
        given, shown = REFUSED[case]
        with pytest.raises(ThawlineError) as caught:
            make().fit(*given)
        assert isinstance(caught.value, ValueError)
        for datum in shown:
            assert datum in caught.value.found

    @pytest.mark.parametrize("method", ["predict", "predict_proba", "score"])
    def test_one_string_is_no_list_of_texts(
        self, make: Make, toy_reviews: Reviews, method: str
    ) -> None:
        classifier = make().fit(*toy_reviews(32))
        with pytest.raises(ThawlineError) as caught:
            getattr(classifier, method)("a good film", *([[1]] if method == "score" else []))
        assert "string" in caught.value.found
        assert "[text]" in caught.value.fix

    def test_labels_that_fit_never_saw(self, make: Make, toy_reviews: Reviews) -> None:
        classifier = make().fit(*toy_reviews(32))
        with pytest.raises(ThawlineError) as caught:
            classifier.evaluate(["good", "bad"], [1, 2])
        assert {"2", "1"} <= numbers_in(caught.value.found)  # the label and its row
        with pytest.raises(ThawlineError) as caught:
            make().fit(*toy_reviews(32), validation=(["good"], ["x"]))
        assert "'x'" in caught.value.found

    def test_validation_without_a_text(self, make: Make, toy_reviews: Reviews) -> None:
        with pytest.raises(ThawlineError) as caught:
            make().fit(*toy_reviews(32), validation=([], []))
        assert (caught.value.found, "validation" in caught.value.expected) == ("none", True)

    @pytest.mark.parametrize("share", [0, 1, 2, -0.1, 1.0])
    def test_an_invalid_validation_share(
        self, make: Make, toy_reviews: Reviews, share: float
    ) -> None:
        with pytest.raises(ThawlineError) as caught:
            make(validation_share=share).fit(*toy_reviews(32))
        assert "validation_share" in caught.value.expected
        assert caught.value.found == str(share)

    @pytest.mark.parametrize(
        ("settings", "found"),
        [
            ({"strategy": "heda"}, "'heda'"),
            ({"strategy": "gradual:stages=9"}, "9"),
            ({"head": "lienar"}, "'lienar'"),
            ({"pooling": "maen"}, "maen"),
            ({"dtype": "float16"}, "float16"),
            ({"max_length": LIMIT + 1}, str(LIMIT + 1)),
            ({"truncation_side": "top"}, "top"),
            ({"lr": 0.1}, "0.1"),
            ({"strategy": HeadFirst(Last(9))}, "9"),
            ({"strategy": HeadFirst(Head())}, "'lp+head'"),
            ({"strategy": Last(2), "features": 1}, "1"),
            ({"strategy": Last(DEPTH + 1)}, str(DEPTH + 1)),
            ({"strategy": Lora(r=0)}, "'0'"),
            ({"strategy": Head}, "Head"),
            ({"epochs": 0}, "0"),
            ({"epochs": "3"}, "'3'"),
            ({"epochs": 1, "batch_size": 0}, "0"),
            ({"random_state": -1}, "-1"),
            ({"random_state": "0"}, "'0'"),
            ({"predict_from_store": "yes"}, "yes"),
            ({"device": "tpu"}, "tpu"),
            ({"labels": ("neg",)}, "(neg)"),
        ],
    )
    def test_an_invalid_setting(
        self, make: Make, toy_reviews: Reviews, settings: dict[str, Any], found: str
    ) -> None:
        with pytest.raises(ThawlineError) as caught:
            make(**settings).fit(*toy_reviews(32))
        assert found in caught.value.found
        name = list(settings)[-1]
        assert name == caught.value.setting or name.partition("_")[0] in str(caught.value)
        assert f"`{name}" not in str(caught.value)  # only keys of a config are in backticks

    def test_a_missing_backbone(self, toy_reviews: Reviews) -> None:
        with pytest.raises(ThawlineError) as caught:
            TextClassifier("./nowhere").fit(*toy_reviews(32))
        assert "./nowhere" in caught.value.found

    def test_an_unknown_dtype_in_prediction(self, make: Make, toy_reviews: Reviews) -> None:
        classifier = make().fit(*toy_reviews(32))
        with pytest.raises(ThawlineError) as caught:
            classifier.predict_proba([NEITHER], dtype="half")
        assert "half" in caught.value.found
