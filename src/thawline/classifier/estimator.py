"""Define `TextClassifier`, a scikit-learn estimator that runs a complete fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, TransformerMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from thawline import artifact
from thawline.backbones.opening import open_backbone
from thawline.classifier.inputs import (
    check_rows,
    read_class_weight,
    read_sample_weight,
    warn_about_data,
)
from thawline.classifier.parameters import NAMING, Parameterised
from thawline.config import (
    ROW_SEED,
    ComputeConfig,
)
from thawline.data import Text, carve
from thawline.data.arrays import (
    find_classes,
    read_known,
    read_labels,
    read_rows,
    read_texts,
    read_validation,
)
from thawline.errors import ThawlineError, settings_named
from thawline.evaluation import metrics
from thawline.inference.explaining import TextPart, explain
from thawline.inference.exported import check_has_states
from thawline.inference.fitted import AnyFitted, Fitted
from thawline.inference.prediction import text_predictions
from thawline.inference.predictor import Predictor
from thawline.inference.words import FittedWords
from thawline.pretraining.tapt import adapt_backbone, plan_adaptation
from thawline.runs.records import Scores
from thawline.runtime.autograd import training_mode
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter
from thawline.training.adapt import adapt
from thawline.training.preparation import Prepared, prepare

_NOT_FITTED = (
    "expected a fitted %(name)s; found one that is not fitted yet. "
    "Call fit(texts, labels), or %(name)s.load(folder)"
)


class TextClassifier(ClassifierMixin, TransformerMixin, Parameterised):
    """A pretrained transformer that is adapted to labelled texts by a strategy.

    This is a scikit-learn estimator: it can be cloned, used in searches and put at the end of a
    pipeline. ``docs/scikit-learn.md`` describes its input and how it follows the conventions.

    Args:
        backbone: A folder, the folder of a run, a packaged name, a hub id, or ``glove``, which
            `fit` builds on word vectors. The default is the small model for film reviews that comes
            with Thawline.
        strategy: The strategy as on the command line, for example ``head``, or as an object, for
            example ``Head()``. Its fields are parameters too: ``set_params(strategy__k=2)``.
        vectors: The word vectors of the backbone ``glove``: a packaged name, a file or ``random``.
        head: ``linear``, ``mlp:H`` or ``native``.
        pooling: ``first``, ``last`` or ``mean``. If None, ``mean``, or the native head's own.
        features: ``last``, the number of a stage or ``layers``. If None, the exact fit chooses on
            validation.
        standardise: Whether each feature is scaled to mean 0 and standard deviation 1 over the
            training texts.
        max_length: Maximum number of tokens of a text. If None, 512, 256 for ``glove``, or the
            backbone's limit if that is lower.
        truncation_side: Side on which longer texts are truncated, ``right`` or ``left``.
        epochs: Number of training epochs. If None, a linear head is solved exactly and everything
            else trains for 3 epochs.
        batch_size: Number of texts in a training step.
        lr: Maximum learning rate of training by epochs. If None, the default of the strategy.
        augment: Altered copies of the training texts to train on too, as on the command line, for
            example ``word_dropout=0.1,copies=2``. The held-out texts are never altered. If None,
            there are no copies.
        dropout: Dropout before each layer of a head that is trained by epochs. If None, 0.1 for an
            MLP head and 0 for a linear head.
        penalties: L2 penalties that the exact fit tries, in this order.
        penalty_patience: Number of penalties in a row without a lower validation loss that end the
            search.
        max_iterations: Maximum number of Newton iterations of the exact fit for one penalty.
        tolerance: Norm of the gradient at which the exact fit stops.
        class_weight: Weights of the classes in the loss: ``balanced``, which gives every class the
            same total weight, or a dict from labels to weights. If None, all classes weigh 1.
        label_smoothing: Share of each label that is spread evenly over all classes.
        optimizer: ``adamw``, ``muon`` or ``sgd``, which requires ``lr``.
        muon_lr: Maximum learning rate of Muon.
        momentum: Momentum of SGD.
        schedule: How the learning rate changes after the warmup: ``linear``, ``cosine``, ``step``
            or ``constant``.
        step_epochs: Number of epochs after which ``step`` lowers the learning rate.
        step_factor: Factor by which ``step`` multiplies the learning rate.
        warmup_share: Share of all steps in which the learning rate rises.
        weight_decay: Weight decay of matrices.
        max_grad_norm: Maximum norm of the gradient. A larger gradient is scaled down to it.
        evaluate_every: Number of steps between two evaluations on validation. If None, only after
            each epoch.
        keep: Validation score that selects the weights: ``accuracy``, ``f1_macro``, ``loss``, or
            ``last`` for the last weights.
        patience: Number of evaluations in a row without an improvement after which training stops.
            If None, training does not stop early.
        head_first_epochs: Number of epochs that an MLP or native head trains alone before ``lp+S``.
        attention_dropout: Dropout within attention while blocks are trained.
        length_pool: Number of steps whose texts are sorted by length together.
        pass_overhead: Fixed cost of a forward pass in tokens, by which steps are split.
        words_penalties: L2 penalties on the weights of TF-IDF features, per text, that ``tfidf``
            and ``head+tfidf`` try in this order. If None, they depend on the number of texts.
        unlabelled: Unlabelled texts for ``tapt+S``, as files, folders, data sets or hub ids.
        tapt_epochs: Number of times that ``tapt+S`` reads each text.
        tapt_lr: Maximum learning rate of ``tapt+S``.
        tapt_head_first_epochs: Number of epochs that a new head that predicts tokens trains alone
            in ``tapt+S``.
        mask_share: Share of the tokens that an encoder predicts in ``tapt+S``.
        dtype: Dtype of matrix products in the frozen pass and in training: ``auto``, ``float32`` or
            ``bfloat16``.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.
        validation_share: Share of the texts given to `fit` that is held out for validation.
        labels: Names of the classes, in ascending order of integer labels. If None, the labels
            themselves.
        random_state: Random seed for weight initialisation and shuffling. A RandomState, a
            Generator or None (the global state of numpy) gives each `fit` a new seed. The choice
            of the texts that are held out does not depend on it.
        predict_from_store: Whether `predict` and `predict_proba` read states from the store and
            add missing ones, as `score` does. Set it for cross-validation with scorers that call
            `predict` or `predict_proba`.

    Attributes:
        classes_: The distinct labels that were given to `fit`, sorted.
        fitted_: The model, its tokenizer and the settings under which texts are read. With the
            strategy ``tfidf``, the terms and their weights.
        history_: One dict for each epoch. Epoch 0 is the untrained head, or the head that ``lp+``
            trained first. Empty after an exact fit.
        parameters_: The numbers of ``trainable``, ``frozen`` and ``total`` parameters.
    """

    def __sklearn_tags__(self) -> Tags:
        """Return the tags that tell scikit-learn's tools that the rows are texts."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        assert tags.transformer_tags is not None  # from TransformerMixin
        tags.transformer_tags.preserves_dtype = []  # features are float32, whatever the input
        return tags

    def fit(
        self,
        X: Sequence[Text],
        y: Sequence[Any] | NDArray[Any],
        sample_weight: Sequence[float] | NDArray[Any] | None = None,
        *,
        validation: tuple[Sequence[Text], Sequence[Any] | NDArray[Any]] | None = None,
    ) -> Self:
        """Adapt the backbone to labelled texts.

        The states of the frozen stages are read from the store, and missing ones are added to it.

        Args:
            X: Texts, or pairs of texts as tuples, ``(rows,)``: a list, an array, a Series, an
                array or frame with one column, an array with two columns for pairs, or a frame
                with the columns of a known pair.
            y: Labels, ``(rows,)``: integers, booleans, strings or members of an Enum.
            sample_weight: Weight of each text in the training loss, ``(rows,)``. A text with weight
                0 is not used. If None, all texts weigh the same. Scores on validation have no
                weights.
            validation: Texts and labels on which choices are made. If None, a share of the rows is
                held out.

        Raises:
            ThawlineError: If the texts, the labels or a setting are invalid. It is also a
                ValueError.
        """
        with settings_named(NAMING):
            config = self._config()
            labels = read_labels(y)
            known = find_classes(labels, config.data.labels)
            class_weights = read_class_weight(self.class_weight, known)
            given = read_rows(X, labels, known)
            weights = read_sample_weight(sample_weight, len(given))
            if weights is not None:
                used = weights.nonzero()[:, 0]
                given, weights = given.take(used.numpy()), weights[used]
            if validation is None:
                share = config.data.validation_share
                kept, held_out = carve(given.labels, share, ROW_SEED, given.copies)
                data = given.take(kept), given.take(held_out)
                weights = None if weights is None else weights[torch.from_numpy(kept)]
            else:
                data = given, read_validation(validation, known)
            check_rows(*data)
            warn_about_data(*data, known)
            with training_mode():
                prepared = prepare(
                    config, lambda: open_backbone(config, lambda: data[0].texts, Reporter())
                )
                parts = dict(zip(("train", "validation"), data, strict=True))
                if isinstance(prepared, Prepared):
                    adaptation = plan_adaptation(prepared.backbone, prepared.plan, config, parts)
                    if adaptation is not None:
                        backbone, _ = adapt_backbone(adaptation, Reporter())
                        prepared = replace(prepared, backbone=backbone)
                task, _ = prepared.task(known, parts, Reporter(), weights, class_weights)
                adapted = adapt(task, Reporter())
        self.history_ = adapted.history
        self.parameters_ = adapted.parameters
        self._adopt(adapted.fitted, labels)
        return self

    def predict(self, X: Sequence[Text]) -> NDArray[Any]:
        """Return the most probable class of each text.

        The states of the texts are computed or read from the store as in `predict_proba`.

        Args:
            X: Texts or pairs of texts, ``(rows,)``, in any form that `fit` accepts.

        Returns:
            Labels, ``(rows,)``, as they were given to `fit`.
        """
        return self._most_probable(self.predict_proba(X))

    def predict_proba(self, X: Sequence[Text], dtype: str = "float32") -> NDArray[np.float64]:
        """Return the probabilities of the classes for each text.

        By default the complete model runs on every text and nothing is stored. With
        ``predict_from_store=True`` a classifier whose backbone is frozen reads the states from
        the store instead and adds missing ones.

        Args:
            X: Texts or pairs of texts, ``(rows,)``, in any form that `fit` accepts.
            dtype: Dtype in which the complete model runs: ``auto``, ``float32`` or ``bfloat16``.
                The states in the store have the dtype of the estimator.

        Returns:
            Probabilities, ``(rows, classes)``, in the order of ``classes_``.
        """
        self._check_own_parameters()
        return self._probabilities(X, use_store=self.predict_from_store, dtype=dtype)

    def predict_records(self, X: Sequence[Text], dtype: str = "float32") -> list[dict[str, Any]]:
        """Return a dict for each text, as ``thawline predict --json`` prints it.

        If the two classes are named neg and pos, the keys are ``text``, ``neg_prob``, ``pos_prob``
        and ``label``. Otherwise they are ``text``, ``label``, ``confidence`` and ``probs``, the
        probability of each class by its name.

        Args:
            X: Texts or pairs of texts, ``(rows,)``, in any form that `fit` accepts.
            dtype: Dtype in which the complete model runs, as in `predict_proba`.
        """
        self._check_fitted()
        texts = read_texts(X)
        with settings_named(NAMING):
            predictor = self._predictor(use_store=self.predict_from_store, dtype=dtype)
            probabilities = metrics.probabilities(predictor.logits(texts))
        return [one.to_dict() for one in text_predictions(self.fitted_, texts, probabilities)]

    def explain(self, text: str, label: Any = None) -> list[TextPart]:
        """Return the words of a text with their effects on its prediction.

        The text is classified again without each word. The score of a word is the probability of
        the class for the whole text, minus the probability without the word.

        Args:
            text: The text. If it has more than 128 words, the parts have several words each.
            label: The class to explain, one of ``classes_``. If None, the predicted one.

        Returns:
            The words with their positions and scores, in the order of the text.

        Raises:
            ThawlineError: If the text has no word or is a pair, or if the class is unknown.
        """
        self._check_fitted()
        classes = list(self.classes_)
        if label is None:
            label = self.predict([text])[0]
        if label not in classes:
            found, fix = repr(label), f"choose one of {', '.join(map(repr, classes))}"
            raise ThawlineError("a class of this classifier", found, fix)
        return explain(text, self.predict_proba, classes.index(label))

    def predict_log_proba(self, X: Sequence[Text], dtype: str = "float32") -> NDArray[np.float64]:
        """Return the logarithms of the probabilities that `predict_proba` returns.

        They are computed from the logits, so that they are finite even if a probability is 0.

        Args:
            X: Texts or pairs of texts, ``(rows,)``, in any form that `fit` accepts.
            dtype: Dtype in which the complete model runs, as in `predict_proba`.

        Returns:
            Logarithms, ``(rows, classes)``, in the order of ``classes_``.
        """
        self._check_fitted()
        texts = read_texts(X)
        with settings_named(NAMING):
            predictor = self._predictor(use_store=self.predict_from_store, dtype=dtype)
            found = metrics.log_probabilities(predictor.logits(texts))
        return found[:, self.fitted_.labels.encode(self.classes_)]

    def transform(self, X: Sequence[Text]) -> Any:
        """Return the features of texts, which are the pooled states that the head reads.

        The states are computed or read from the store as in `predict_proba`. They are not
        standardised. With ``tfidf``, the features are those of TF-IDF instead, and with
        ``head+tfidf`` they follow the states.

        Args:
            X: Texts or pairs of texts, ``(rows,)``, in any form that `fit` accepts.

        Returns:
            Features, ``(rows, features)`` in fp32: an array, or a sparse array with ``tfidf`` and
            ``head+tfidf``.
        """
        self._check_fitted()
        texts = read_texts(X)
        with settings_named(NAMING):
            predictor = self._predictor(use_store=self.predict_from_store, dtype="float32")
            return predictor.features(texts)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return a name for each feature that `transform` returns.

        Args:
            input_features: Not used, present for the conventions of scikit-learn.
        """
        self._check_fitted()
        fitted, names = self.fitted_, list[str]()
        check_has_states(fitted)
        if isinstance(fitted, Fitted):
            width = fitted.as_backbone().stack.hidden_size
            stages = fitted.reading.stages
            names += [f"stage{stage}_{index}" for stage in stages for index in range(width)]
        if fitted.words is not None:
            names += fitted.words.terms
        return np.array(names, dtype=object)

    def score(
        self,
        X: Sequence[Text],
        y: Sequence[Any] | NDArray[Any],
        sample_weight: Sequence[float] | NDArray[Any] | None = None,
    ) -> float:
        """Return the accuracy on labelled texts.

        If the backbone is frozen, the states are read from the store and missing ones are added
        to it, so that a cross-validation reads each text once. Otherwise the complete model runs in
        fp32.

        Args:
            X: Texts or pairs of texts, ``(rows,)``, in any form that `fit` accepts.
            y: Labels, ``(rows,)``. A label that is not one of the classes counts as an error, with
                a warning.
            sample_weight: Weight of each text, ``(rows,)``. If None, all texts weigh the same.
        """
        probabilities = self._probabilities(X, use_store=True)
        known = self.fitted_.labels
        given = read_known(y, known, len(probabilities))
        predicted = known.encode(self._most_probable(probabilities))
        return float(accuracy_score(given, predicted, sample_weight=sample_weight))

    def evaluate(self, texts: Sequence[Text], labels: Sequence[Any] | NDArray[Any]) -> Scores:
        """Return the scores of the classifier on labelled texts, with 95 % intervals.

        The scores are those of all rows. The intervals count copies of a text as one text.

        If the backbone is frozen, the states are read from the store and missing ones are added
        to it. Otherwise the complete model runs in the dtype of the estimator.

        Args:
            texts: Texts or pairs of texts, ``(rows,)``, in any form that `fit` accepts.
            labels: Labels, ``(rows,)``.

        Returns:
            The scores, as attributes of a `Scores` object.
        """
        self._check_fitted()
        part = read_rows(texts, labels, self.fitted_.labels)
        compute = ComputeConfig(device=str(self.device), dtype=self.dtype)
        with settings_named(NAMING):
            logits = Predictor(self.fitted_, compute, use_store=True).logits(part.texts)
        classes = len(self.fitted_.labels)
        return metrics.evaluate(logits, part.labels, n_classes=classes, copies=part.copies)

    def save(self, folder: str | Path) -> None:
        """Save the classifier to a new folder, and verify it in a fresh process.

        Args:
            folder: The path of the folder.

        Raises:
            ThawlineError: If the folder exists, or the fresh process computes other probabilities.
        """
        self._check_fitted()
        path = expand(folder)
        with artifact.Prover(str(self.device)) as prover:
            artifact.save(self.fitted_, path)
            prover.prove(self.fitted_, path, _proof_texts(pairs=self.fitted_.pairs))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a classifier.

        Labels that were booleans come back as 0 and 1, because they are saved as numbers. The
        parameter ``labels`` is None, so that another `fit` names the classes after its own data.

        Args:
            folder: The folder of a run, or one that `save` or ``thawline export`` wrote.

        Raises:
            ThawlineError: If there is no classifier, or parts of it are missing or damaged.
        """
        fitted = artifact.load(expand(folder))
        if isinstance(fitted, FittedWords):
            loaded = cls(strategy=fitted.strategy)
            loaded._adopt(fitted, fitted.labels.values)
            return loaded
        reading = fitted.reading
        loaded = cls(
            fitted.backbone,
            fitted.strategy,
            head=str(fitted.head),
            pooling=reading.pooling,
            max_length=reading.max_length,
            truncation_side=reading.truncation_side,
        )
        loaded._adopt(fitted, fitted.labels.values)
        return loaded

    def _check_fitted(self) -> None:
        check_is_fitted(self, msg=_NOT_FITTED)

    def _adopt(self, fitted: AnyFitted, labels: Sequence[Any] | NDArray[Any]) -> None:
        self.fitted_ = fitted
        self.classes_ = np.unique(read_labels(labels))

    def _probabilities(
        self, X: Sequence[Text], *, use_store: bool, dtype: str = "float32"
    ) -> NDArray[np.float64]:
        """Return probabilities, ``(rows, classes)``.

        Args:
            X: Texts or pairs of texts.
            use_store: Whether states are read from the store if the backbone is frozen.
            dtype: Dtype in which the complete model runs if states are not read from the store.
        """
        self._check_fitted()
        texts = read_texts(X)
        with settings_named(NAMING):
            logits = self._predictor(use_store=use_store, dtype=dtype).logits(texts)
            return metrics.probabilities(logits)[:, self.fitted_.labels.encode(self.classes_)]

    def _predictor(self, *, use_store: bool, dtype: str) -> Predictor:
        """Return what computes logits and features; its arguments are those of `_probabilities`."""
        from_store = use_store and self.fitted_.is_frozen()
        compute = ComputeConfig(device=str(self.device), dtype=self.dtype if from_store else dtype)
        return Predictor(self.fitted_, compute, use_store=from_store)

    def _most_probable(self, probabilities: NDArray[np.float64]) -> NDArray[Any]:
        predicted: NDArray[Any] = self.classes_[probabilities.argmax(1)]
        return predicted


def _proof_texts(*, pairs: bool) -> list[Text]:
    texts = "A text.", "Another text, a longer one."
    return [texts] if pairs else list(texts)
