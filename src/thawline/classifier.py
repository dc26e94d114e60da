"""Define `TextClassifier`, a scikit-learn estimator that runs a complete fit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from thawline import artifact
from thawline.backbones.opening import open_backbone
from thawline.config import (
    ROW_SEED,
    SHARED_NAMES,
    ComputeConfig,
    Config,
    DataConfig,
    EncoderConfig,
    EstimatorConfig,
    HeadConfig,
    TokensConfig,
    TrainingConfig,
)
from thawline.config.resolve import build_config
from thawline.data import LabelledTexts, Labels, Text, carve
from thawline.data.arrays import read_labels, read_rows, read_seed, read_texts
from thawline.data.copies import count_shared, number_copies
from thawline.data.labels import spelling_warnings
from thawline.data.texts import check_pairing
from thawline.errors import ThawlineError, did_you_mean
from thawline.evaluation import metrics
from thawline.inference.fitted import Fitted
from thawline.inference.predictor import Predictor
from thawline.runs.records import Scores
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter
from thawline.strategies import Strategy, as_strategy
from thawline.training.adapt import Task, adapt, run_prefix
from thawline.training.plan import make_plan

_NOT_FITTED = (
    "expected a fitted %(name)s; found one that is not fitted yet. "
    "Call fit(texts, labels), or %(name)s.load(folder)"
)


_SETTINGS = SHARED_NAMES | {"validation_share": "data.validation_share", "random_state": "seed"}
"""The dotted key in `Config` of the setting that each parameter sets."""


class TextClassifier(ClassifierMixin, BaseEstimator):
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
        dtype: Dtype of the frozen pass: ``auto``, ``float32`` or ``bfloat16``.
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
        fitted_: The model, its tokenizer and the settings under which texts are read.
        history_: One dict for each epoch. Epoch 0 is the untrained head, or the head that ``lp+``
            trained first. Empty after an exact fit.
        parameters_: The numbers of ``trainable``, ``frozen`` and ``total`` parameters.
    """

    def __init__(
        self,
        backbone: str | Path = Config.backbone,
        strategy: str | Strategy = Config.strategy,
        *,
        vectors: str = EncoderConfig.vectors,
        head: str = HeadConfig.head,
        pooling: str | None = HeadConfig.pooling,
        features: str | int | None = HeadConfig.features,
        standardise: bool = HeadConfig.standardise,
        max_length: int | None = TokensConfig.max_length,
        truncation_side: str = TokensConfig.truncation_side,
        epochs: int | None = TrainingConfig.epochs,
        batch_size: int = TrainingConfig.batch_size,
        lr: float | None = TrainingConfig.lr,
        dtype: str = ComputeConfig.dtype,
        device: str = ComputeConfig.device,
        validation_share: float = DataConfig.validation_share,
        labels: Sequence[str] | None = DataConfig.labels,
        random_state: int | np.random.RandomState | np.random.Generator | None = Config.seed,
        predict_from_store: bool = EstimatorConfig.predict_from_store,
    ) -> None:
        self.backbone = backbone
        self.strategy = strategy
        self.vectors = vectors
        self.head = head
        self.pooling = pooling
        self.features = features
        self.standardise = standardise
        self.max_length = max_length
        self.truncation_side = truncation_side
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.dtype = dtype
        self.device = device
        self.validation_share = validation_share
        self.labels = labels
        self.random_state = random_state
        self.predict_from_store = predict_from_store

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters.

        Args:
            deep: Whether to include the parameters of the strategy as ``strategy__…``.
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep and isinstance(self.strategy, str):
            with suppress(ThawlineError):  # `fit` rejects a strategy that cannot be parsed.
                strategy_params = as_strategy(self.strategy).get_params()
                params |= {f"strategy__{name}": value for name, value in strategy_params.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        The strategy is replaced by a new one; the object that was given is never changed.

        Args:
            **params: The new values. Parameters of the strategy are named ``strategy__…``.

        Raises:
            ThawlineError: If there is no such parameter. No parameter is set in that case.
        """
        known = super().get_params(deep=False)
        nested = {name: value for name, value in params.items() if name.startswith("strategy__")}
        given = {name: value for name, value in params.items() if name not in nested}
        for name in given:
            if name not in known:
                raise ThawlineError(
                    f"a parameter of {type(self).__name__}",
                    f"'{name}'",
                    did_you_mean(name, known),
                )
        if nested:
            strategy = as_strategy(given.get("strategy", self.strategy))
            values = {name.removeprefix("strategy__"): value for name, value in nested.items()}
            given["strategy"] = strategy.with_params(**values)
        for name, value in given.items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Tags:
        """Return the tags that tell scikit-learn's tools that the rows are texts."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags

    def fit(
        self,
        X: Sequence[Text],
        y: Sequence[Any] | NDArray[Any],
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
            validation: Texts and labels on which choices are made. If None, a share of the rows is
                held out.

        Raises:
            ThawlineError: If the texts, the labels or a setting are invalid. It is also a
                ValueError.
        """
        config = self._config()
        labels = read_labels(y)
        known = Labels.from_raw(labels, config.data.labels)
        given = read_rows(X, labels, known)
        if validation is None:
            copies = number_copies(given.texts)
            kept, held_out = carve(given.labels, config.data.validation_share, ROW_SEED, copies)
            data = given.take(kept), given.take(held_out)
        else:
            data = given, read_rows(*validation, known)
        _check_rows(*data)
        _warn_about_data(*data, known)
        backbone = open_backbone(config, lambda: data[0].texts, Reporter())
        plan = make_plan(backbone, config)
        parts = dict(zip(("train", "validation"), data, strict=True))
        frozen = run_prefix(backbone, plan, config, parts, Reporter())
        adapted = adapt(Task(backbone, plan, config, known, parts, frozen), Reporter())
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
        self._check_predict_from_store()
        return self._probabilities(X, use_store=self.predict_from_store, dtype=dtype)

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
            y: Labels, ``(rows,)``.
            sample_weight: Weight of each text, ``(rows,)``. If None, all texts weigh the same.
        """
        predicted = self._most_probable(self._probabilities(X, use_store=True))
        return float(accuracy_score(read_labels(y), predicted, sample_weight=sample_weight))

    def evaluate(self, texts: Sequence[Text], labels: Sequence[Any] | NDArray[Any]) -> Scores:
        """Return the scores of the classifier on labelled texts, with 95 % intervals.

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
        logits = Predictor(self.fitted_, compute, use_store=True).logits(part.texts)
        return metrics.evaluate(logits, part.labels, n_classes=len(self.fitted_.labels))

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
            prover.prove(self.fitted_, path, _proof_texts(pairs=self.fitted_.reading.pairs))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a classifier.

        Labels that were booleans come back as 0 and 1, because they are saved as numbers. The
        parameter ``labels`` is None, so that another `fit` names the classes after its own data.

        Args:
            folder: The folder of a run, or one that `save` wrote.

        Raises:
            ThawlineError: If there is no classifier, or parts of it are missing or damaged.
        """
        fitted = artifact.load(expand(folder))
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

    def _adopt(self, fitted: Fitted, labels: Sequence[Any] | NDArray[Any]) -> None:
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
        from_store = use_store and self.fitted_.is_frozen()
        compute = ComputeConfig(device=str(self.device), dtype=self.dtype if from_store else dtype)
        logits = Predictor(self.fitted_, compute, use_store=from_store).logits(texts)
        return metrics.probabilities(logits)[:, self.fitted_.labels.encode(self.classes_)]

    def _check_predict_from_store(self) -> None:
        """Raise ThawlineError if the parameter ``predict_from_store`` is invalid."""
        build_config({"predict_from_store": self.predict_from_store}, config_type=EstimatorConfig)

    def _most_probable(self, probabilities: NDArray[np.float64]) -> NDArray[Any]:
        predicted: NDArray[Any] = self.classes_[probabilities.argmax(1)]
        return predicted

    def _config(self) -> Config:
        given = self.get_params(deep=False)
        given["strategy"] = str(as_strategy(self.strategy))
        given["features"] = None if self.features is None else str(self.features)
        given["random_state"] = read_seed(self.random_state)
        self._check_predict_from_store()
        tables: dict[str, Any] = {}
        for name, key in _SETTINGS.items():
            table, _, setting = key.rpartition(".")
            (tables.setdefault(table, {}) if table else tables)[setting] = given[name]
        return build_config(tables, {key: name for name, key in _SETTINGS.items()})


def _warn_about_data(train: LabelledTexts, validation: LabelledTexts, labels: Labels) -> None:
    """Warn about copies of training texts in validation, and about similar class names."""
    shared = count_shared(train.texts, validation.texts)
    if shared:
        warnings.warn(
            f"{shared:,} of {len(validation):,} validation texts also occur in the training texts, "
            "so the scores on validation may be too high: remove these texts from one of the two",
            stacklevel=3,
        )
    every_label = np.concatenate([train.labels, validation.labels])
    rows = np.bincount(every_label, minlength=len(labels)).tolist()
    for line in spelling_warnings(labels, dict(zip(labels.names, rows, strict=True))):
        warnings.warn(line, stacklevel=3)


def _proof_texts(*, pairs: bool) -> list[Text]:
    texts = "A text.", "Another text, a longer one."
    return [texts] if pairs else list(texts)


def _check_rows(train: LabelledTexts, validation: LabelledTexts) -> None:
    """Check that there are two classes to train on and texts of the same kind to validate on.

    Raises:
        ThawlineError: If there is only one class, no validation text, or pairs in only one of the
            two parts.
    """
    classes = len(np.unique(train.labels))
    if classes < 2:
        raise ThawlineError(
            "training texts of at least two classes",
            f"{classes} {'class' if classes == 1 else 'classes'} in {len(train):,} rows",
            "add rows of the other classes, or pass validation=(texts, labels)"
            if classes
            else "pass some texts",
        )
    if not len(validation):
        raise ThawlineError(
            "at least one validation text",
            "none",
            "omit validation to hold out a share of the rows",
        )
    pairs = isinstance(train.texts[0], tuple)
    check_pairing(validation.texts, pairs=pairs, expected="as in the training texts")
