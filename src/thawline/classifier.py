"""`TextClassifier`: the whole of Thawline as one scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from thawline import artifact, metrics
from thawline.adaptation import Task, adapt
from thawline.backbones import load_backbone
from thawline.config import (
    ROW_SEED,
    Config,
    DataConfig,
    HeadConfig,
    PrefixConfig,
    TokensConfig,
    TrainingConfig,
)
from thawline.data import LabelledTexts, Labels, carve
from thawline.errors import ThawlineError
from thawline.fitted import Fitted
from thawline.inference import stored_logits, text_logits
from thawline.plan import make_plan
from thawline.prefix import PassReport, ensure_states, open_entry
from thawline.progress import Reporter


class TextClassifier(ClassifierMixin, BaseEstimator):
    """A pretrained transformer, adapted to labelled texts by a strategy.

    Args:
        backbone: a folder, a packaged name or a hub id.
        strategy: as on the command line: ``head`` …
        head: ``linear``, ``mlp:H`` or ``native``; None: the strategy's own.
        pooling: ``first``, ``last`` or ``mean``; None: ``mean``, or what a native head does.
        features: ``last``, a stage's number or ``layers``; None: the exact fit chooses.
        standardise: whether features are scaled over train before the head.
        max_length: tokens kept of a text; None: 512, or the backbone's limit where that is lower.
        truncation_side: ``right`` or ``left``, the side that is cut off.
        epochs: None: a linear head is fitted exactly, another trains for 3.
        batch_size: texts in a step.
        lr: learning rate; None: the strategy's own.
        dtype: of the frozen pass: ``auto``, ``float32`` or ``bfloat16``.
        validation_share: of the texts given to `fit`, held out to choose by.
        labels: names of the classes, in ascending order of integer labels; None: the labels.
        random_state: seed of the head's first weights and of the order of texts. Which texts are
            held out never depends on it.

    Attributes:
        classes_: the distinct labels given to `fit`, sorted.
        fitted_: the model, its tokenizer and how it reads texts.
        history_: one dict an epoch, epoch 0 the untrained head; empty after an exact fit.
        parameters_: ``trainable``, ``frozen`` and ``total``.
    """

    def __init__(
        self,
        backbone: str | Path = Config.backbone,
        strategy: str = Config.strategy,
        *,
        head: str | None = HeadConfig.head,
        pooling: str | None = HeadConfig.pooling,
        features: str | int | None = HeadConfig.features,
        standardise: bool = HeadConfig.standardise,
        max_length: int | None = TokensConfig.max_length,
        truncation_side: str = TokensConfig.truncation_side,
        epochs: int | None = TrainingConfig.epochs,
        batch_size: int = TrainingConfig.batch_size,
        lr: float | None = TrainingConfig.lr,
        dtype: str = PrefixConfig.dtype,
        validation_share: float = DataConfig.validation_share,
        labels: Sequence[str] | None = DataConfig.labels,
        random_state: int = Config.seed,
    ) -> None:
        self.backbone = backbone
        self.strategy = strategy
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
        self.validation_share = validation_share
        self.labels = labels
        self.random_state = random_state

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[Any] | NDArray[Any],
        *,
        validation: tuple[Sequence[str], Sequence[Any] | NDArray[Any]] | None = None,
    ) -> Self:
        """Adapt the backbone.

        Args:
            texts: ``(rows,)`` texts.
            labels: ``(rows,)`` integers, booleans or strings.
            validation: texts and labels to choose by; None: a share of the rows is held out.

        Raises:
            ThawlineError: the texts, the labels or a setting cannot work.
        """
        config = self._config()
        known = Labels.from_raw(labels, None if self.labels is None else tuple(self.labels))
        given = _labelled(texts, labels, known)
        if validation is None:
            kept, held_out = carve(given.labels, float(self.validation_share), ROW_SEED)
            data = given.take(kept), given.take(held_out)
        else:
            data = given, _labelled(*validation, known)
        _check_rows(*data)
        backbone = load_backbone(config.backbone)
        plan = make_plan(backbone, config)
        entry = open_entry(backbone, plan.max_length, self.truncation_side, config.prefix)
        wanted = [text for part in data for text in part.texts]
        ensure_states(entry, backbone, wanted, config.prefix, PassReport(), Reporter())
        adapted = adapt(Task(backbone, entry, plan, config, known, *data), Reporter())
        self.history_ = adapted.history
        self.parameters_ = adapted.parameters
        self._adopt(adapted.fitted, labels)
        return self

    def predict(self, texts: Sequence[str]) -> NDArray[Any]:
        """Return the most probable class of each text, ``(texts,)``, as `fit` was given them."""
        best = self.predict_proba(texts).argmax(1)
        predicted: NDArray[Any] = self.classes_[best]
        return predicted

    def predict_proba(self, texts: Sequence[str], dtype: str = "float32") -> NDArray[np.float64]:
        """Return probabilities, ``(texts, classes)``, in the order of ``classes_``."""
        check_is_fitted(self)
        logits = text_logits(self.fitted_, _texts(texts), PrefixConfig(), Reporter(), dtype=dtype)
        return metrics.probabilities(logits)[:, self._ids]

    def evaluate(
        self, texts: Sequence[str], labels: Sequence[Any] | NDArray[Any]
    ) -> dict[str, Any]:
        """Score the classifier on labelled texts, with 95 % intervals; see `metrics.evaluate`.

        Where the prefix is frozen, its states come from the store or go into it.
        """
        check_is_fitted(self)
        part = _labelled(texts, labels, self.fitted_.labels)
        config = PrefixConfig(dtype=self.dtype)
        logits = stored_logits(self.fitted_, part.texts, config, PassReport(), Reporter())
        return metrics.evaluate(logits, part.labels, n_classes=len(self.fitted_.labels))

    def save(self, folder: str | Path) -> None:
        """Write the classifier and prove that a fresh process reads the same from it.

        Raises:
            ThawlineError: the folder exists, or the proof failed.
        """
        check_is_fitted(self)
        with artifact.Prover() as prover:
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

    def _adopt(self, fitted: Fitted, labels: Sequence[Any] | NDArray[Any]) -> None:
        self.fitted_ = fitted
        self.classes_ = np.unique(np.asarray(labels))
        self._ids = fitted.labels.encode(self.classes_)

    def _config(self) -> Config:
        features = None if self.features is None else str(self.features)
        return Config(
            backbone=str(self.backbone),
            strategy=self.strategy,
            seed=self.random_state,
            tokens=TokensConfig(self.max_length, self.truncation_side),
            prefix=PrefixConfig(dtype=self.dtype),
            head=HeadConfig(self.head, self.pooling, features, self.standardise),
            training=TrainingConfig(epochs=self.epochs, batch_size=self.batch_size, lr=self.lr),
        )


def _texts(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise ThawlineError("a sequence of texts", "one string", "put it in a list: [text]")
    listed = list(texts)
    for row, text in enumerate(listed):
        if not isinstance(text, str):
            raise ThawlineError(
                "texts as strings",
                f"{type(text).__name__} in row {row}",
                "convert or drop that row",
            )
    return listed


def _labelled(
    texts: Sequence[str], labels: Sequence[Any] | NDArray[Any], known: Labels
) -> LabelledTexts:
    listed, given = _texts(texts), list(labels)
    if len(listed) != len(given):
        raise ThawlineError(
            "as many labels as texts",
            f"{len(listed):,} texts and {len(given):,} labels",
            "give both the same rows",
        )
    return LabelledTexts(listed, known.encode(given), np.arange(len(listed)), "fit")


def _check_rows(train: LabelledTexts, validation: LabelledTexts) -> None:
    classes = len(np.unique(train.labels))
    if classes < 2:
        raise ThawlineError(
            "texts of at least two classes to train on",
            f"{classes} in {len(train):,} rows",
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
