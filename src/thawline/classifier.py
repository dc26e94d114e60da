"""`TextClassifier`: the whole of Thawline as one scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
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
    HeadConfig,
    TokensConfig,
    TrainingConfig,
)
from thawline.config.resolve import build_config
from thawline.data import LabelledTexts, Labels, Text, carve
from thawline.data.arrays import read_labels, read_rows, read_seed, read_texts
from thawline.errors import ThawlineError, did_you_mean
from thawline.evaluation import metrics
from thawline.inference.fitted import Fitted
from thawline.inference.texts import stored_logits, text_logits
from thawline.prefix.passes import PassReport
from thawline.runs.records import Scores
from thawline.runtime.progress import Reporter
from thawline.strategies import Strategy, as_strategy
from thawline.training.adapt import Task, adapt, run_prefix
from thawline.training.plan import make_plan

_NOT_FITTED = (
    "expected a fitted %(name)s, found one that is not fitted yet; "
    "call fit(texts, labels), or %(name)s.load(folder)"
)


_SETTINGS = SHARED_NAMES | {"validation_share": "data.validation_share", "random_state": "seed"}
"""Where the value of each parameter goes in a `Config`."""


class TextClassifier(ClassifierMixin, BaseEstimator):
    """A pretrained transformer, adapted to labelled texts by a strategy.

    An estimator of scikit-learn: it can be cloned, searched over and put at the end of a pipeline.
    ``docs/scikit-learn.md`` tells what it takes and how far the conventions are kept.

    Args:
        backbone: a folder, that of a run among them, a packaged name, a hub id, or ``glove``, which
            is made by `fit`; by default the small model, of film reviews, that comes with Thawline.
        strategy: as on the command line, ``head`` …, or as an object: ``Head()`` … Its fields are
            parameters too: ``set_params(strategy__k=2)``.
        vectors: of the backbone ``glove``: a packaged name, a file, or ``random``.
        head: ``linear``, ``mlp:H`` or ``native``.
        pooling: ``first``, ``last`` or ``mean``; None: ``mean``, or what a native head does.
        features: ``last``, a stage's number or ``layers``; None: the exact fit chooses.
        standardise: whether features are scaled over train before the head.
        max_length: tokens kept of a text; None: 512, or the backbone's limit where that is lower.
        truncation_side: ``right`` or ``left``, the side that is cut off.
        epochs: None: a linear head is fitted exactly, another trains for 3.
        batch_size: texts in a step.
        lr: learning rate; None: the strategy's own.
        dtype: of the frozen pass: ``auto``, ``float32`` or ``bfloat16``.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.
        validation_share: of the texts given to `fit`, held out to choose by.
        labels: names of the classes, in ascending order of integer labels; None: the labels.
        random_state: seed of the head's first weights and of the order of texts; a RandomState or
            Generator, or None for numpy's global state, gives each `fit` another. Which texts are
            held out never depends on it.

    Attributes:
        classes_: the distinct labels given to `fit`, sorted.
        fitted_: the model, its tokenizer and how it reads texts.
        history_: one dict an epoch, epoch 0 the untrained head, or the one that ``lp+`` fitted
            first; empty after an exact fit.
        parameters_: ``trainable``, ``frozen`` and ``total``.
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

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; ``deep`` adds the strategy's own as ``strategy__…``."""
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep and isinstance(self.strategy, str):
            with suppress(ThawlineError):  # what cannot be read is refused by fit
                within = as_strategy(self.strategy).get_params()
                params |= {f"strategy__{name}": value for name, value in within.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name, those of the strategy as ``strategy__…``.

        The strategy is replaced by one with the new values; the object itself never changes.

        Raises:
            ThawlineError: there is no such parameter; none is set then.
        """
        own = super().get_params(deep=False)
        within = {name: value for name, value in params.items() if name.startswith("strategy__")}
        given = {name: value for name, value in params.items() if name not in within}
        for name in given:
            if name not in own:
                raise ThawlineError(
                    f"a parameter of {type(self).__name__}", f"'{name}'", did_you_mean(name, own)
                )
        if within:
            strategy = as_strategy(given.get("strategy", self.strategy))
            values = {name.removeprefix("strategy__"): value for name, value in within.items()}
            given["strategy"] = strategy.with_params(**values)
        for name, value in given.items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn's tools that the rows are texts."""
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
        """Adapt the backbone.

        Args:
            X: ``(rows,)`` texts, or pairs of texts as tuples: a list, an array, a Series, or an
                array or frame of one column (of two for pairs).
            y: ``(rows,)`` integers, booleans or strings.
            validation: texts and labels to choose by; None: a share of the rows is held out.

        Raises:
            ThawlineError: the texts, the labels or a setting cannot work; a ValueError as well.
        """
        config = self._config()
        labels = read_labels(y)
        known = Labels.from_raw(labels, config.data.labels)
        given = read_rows(X, labels, known)
        if validation is None:
            kept, held_out = carve(given.labels, config.data.validation_share, ROW_SEED)
            data = given.take(kept), given.take(held_out)
        else:
            data = given, read_rows(*validation, known)
        _check_rows(*data)
        backbone = open_backbone(config, lambda: data[0].texts, Reporter())
        plan = make_plan(backbone, config)
        parts = dict(zip(("train", "validation"), data, strict=True))
        frozen = run_prefix(backbone, plan, config, parts, PassReport(), Reporter())
        adapted = adapt(Task(backbone, plan, config, known, parts, frozen), Reporter())
        self.history_ = adapted.history
        self.parameters_ = adapted.parameters
        self._adopt(adapted.fitted, labels)
        return self

    def predict(self, X: Sequence[Text]) -> NDArray[Any]:
        """Return the most probable class of each text, ``(texts,)``, as `fit` was given them."""
        best = self.predict_proba(X).argmax(1)
        predicted: NDArray[Any] = self.classes_[best]
        return predicted

    def predict_proba(self, X: Sequence[Text], dtype: str = "float32") -> NDArray[np.float64]:
        """Return probabilities, ``(texts, classes)``, in the order of ``classes_``."""
        self._check_fitted()
        texts = read_texts(X)
        config = ComputeConfig(device=self.device, dtype=dtype)
        logits = text_logits(self.fitted_, texts, config, Reporter())
        return metrics.probabilities(logits)[:, self.fitted_.labels.encode(self.classes_)]

    def evaluate(self, texts: Sequence[Text], labels: Sequence[Any] | NDArray[Any]) -> Scores:
        """Score the classifier on labelled texts, with 95 % intervals; see `metrics.evaluate`.

        Where the prefix is frozen, its states come from the store or go into it.
        """
        self._check_fitted()
        part = read_rows(texts, labels, self.fitted_.labels)
        config = ComputeConfig(device=self.device, dtype=self.dtype)
        logits = stored_logits(self.fitted_, part.texts, config, PassReport(), Reporter())
        return metrics.evaluate(logits, part.labels, n_classes=len(self.fitted_.labels))

    def save(self, folder: str | Path) -> None:
        """Write the classifier and prove that a fresh process reads the same from it.

        Raises:
            ThawlineError: the folder exists, or the proof failed.
        """
        self._check_fitted()
        with artifact.Prover(self.device) as prover:
            artifact.save(self.fitted_, Path(folder))
            prover.prove(self.fitted_, Path(folder), ["A text.", "Another text, a longer one."])

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a classifier from a run's folder or from one that `save` wrote.

        Labels that were booleans come back as 0 and 1, for that is what is saved of them.

        Raises:
            ThawlineError: there is none, or parts of it are missing or damaged.
        """
        fitted = artifact.load(Path(folder))
        reading = fitted.reading
        loaded = cls(
            fitted.backbone,
            fitted.strategy,
            head=str(fitted.head),
            pooling=reading.pooling,
            max_length=reading.max_length,
            truncation_side=reading.truncation_side,
            labels=fitted.labels.names,
        )
        loaded._adopt(fitted, fitted.labels.values)
        return loaded

    def _check_fitted(self) -> None:
        check_is_fitted(self, msg=_NOT_FITTED)

    def _adopt(self, fitted: Fitted, labels: Sequence[Any] | NDArray[Any]) -> None:
        self.fitted_ = fitted
        self.classes_ = np.unique(np.asarray(labels))

    def _config(self) -> Config:
        given = self.get_params(deep=False)
        given["strategy"] = str(as_strategy(self.strategy))
        given["features"] = None if self.features is None else str(self.features)
        given["random_state"] = read_seed(self.random_state)
        tables: dict[str, Any] = {}
        for name, key in _SETTINGS.items():
            table, _, setting = key.rpartition(".")
            (tables.setdefault(table, {}) if table else tables)[setting] = given[name]
        return build_config(tables, {key: name for name, key in _SETTINGS.items()})


def _check_rows(train: LabelledTexts, validation: LabelledTexts) -> None:
    classes = len(np.unique(train.labels))
    if classes < 2:
        raise ThawlineError(
            "texts of at least two classes to train on",
            f"{classes} {'class' if classes == 1 else 'classes'} in {len(train):,} rows",
            "add rows of the other classes, or give validation=(texts, labels)"
            if classes
            else "give some texts",
        )
    if not len(validation):
        raise ThawlineError(
            "at least one text to validate on",
            "none",
            "leave validation out, and a share is held out",
        )
