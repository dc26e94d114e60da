"""The parameters of `TextClassifier` and the settings that they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from thawline.config import (
    SHARED_NAMES,
    ComputeConfig,
    Config,
    DataConfig,
    EncoderConfig,
    EstimatorConfig,
    ExactConfig,
    HeadConfig,
    TaptConfig,
    TokensConfig,
    TrainingConfig,
)
from thawline.config.resolve import build_config
from thawline.data.arrays import read_seed
from thawline.errors import ThawlineError, did_you_mean, parameter_naming
from thawline.strategies import Strategy, as_strategy

SETTINGS = SHARED_NAMES | {
    "validation_share": "data.validation_share",
    "random_state": "seed",
    "dropout": "head.dropout",
    "penalties": "exact.penalties",
    "penalty_patience": "exact.patience",
    "max_iterations": "exact.max_iterations",
    "tolerance": "exact.tolerance",
    "class_weight": "training.class_weights",
    "label_smoothing": "training.label_smoothing",
    "optimizer": "training.optimizer",
    "muon_lr": "training.muon_lr",
    "momentum": "training.momentum",
    "schedule": "training.schedule",
    "step_epochs": "training.step_epochs",
    "step_factor": "training.step_factor",
    "warmup_share": "training.warmup_share",
    "weight_decay": "training.weight_decay",
    "max_grad_norm": "training.max_grad_norm",
    "evaluate_every": "training.evaluate_every",
    "keep": "training.keep",
    "patience": "training.patience",
    "head_first_epochs": "training.head_first_epochs",
    "attention_dropout": "training.attention_dropout",
    "length_pool": "training.length_pool",
    "pass_overhead": "training.pass_overhead",
    "words_penalties": "exact.words_penalties",
    "unlabelled": "tapt.unlabelled",
    "tapt_epochs": "tapt.epochs",
    "tapt_lr": "tapt.lr",
    "tapt_head_first_epochs": "tapt.head_first_epochs",
    "mask_share": "tapt.mask_share",
}
"""The dotted key in `Config` of the setting that each parameter sets."""

_OWN = {setting.name: setting.name for setting in fields(EstimatorConfig)}
"""The parameters that are no setting of a fit."""

NAMING = parameter_naming({key: name for name, key in SETTINGS.items()} | _OWN)
"""The names of settings in the messages of `TextClassifier`: its parameters."""


class Parameterised(BaseEstimator):
    """The conventions of scikit-learn for parameters, with those of the strategy among them."""

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
        augment: str | None = TrainingConfig.augment,
        dropout: float | None = HeadConfig.dropout,
        penalties: Sequence[float] = ExactConfig.penalties,
        penalty_patience: int = ExactConfig.patience,
        max_iterations: int = ExactConfig.max_iterations,
        tolerance: float = ExactConfig.tolerance,
        class_weight: str | Mapping[Any, float] | None = None,
        label_smoothing: float = TrainingConfig.label_smoothing,
        optimizer: str = TrainingConfig.optimizer,
        muon_lr: float = TrainingConfig.muon_lr,
        momentum: float = TrainingConfig.momentum,
        schedule: str = TrainingConfig.schedule,
        step_epochs: int = TrainingConfig.step_epochs,
        step_factor: float = TrainingConfig.step_factor,
        warmup_share: float = TrainingConfig.warmup_share,
        weight_decay: float = TrainingConfig.weight_decay,
        max_grad_norm: float = TrainingConfig.max_grad_norm,
        evaluate_every: int | None = TrainingConfig.evaluate_every,
        keep: str = TrainingConfig.keep,
        patience: int | None = TrainingConfig.patience,
        head_first_epochs: int = TrainingConfig.head_first_epochs,
        attention_dropout: float | None = TrainingConfig.attention_dropout,
        length_pool: int = TrainingConfig.length_pool,
        pass_overhead: int = TrainingConfig.pass_overhead,
        words_penalties: Sequence[float] | None = ExactConfig.words_penalties,
        unlabelled: Sequence[str] = TaptConfig.unlabelled,
        tapt_epochs: int = TaptConfig.epochs,
        tapt_lr: float = TaptConfig.lr,
        tapt_head_first_epochs: int = TaptConfig.head_first_epochs,
        mask_share: float = TaptConfig.mask_share,
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
        self.augment = augment
        self.dropout = dropout
        self.penalties = penalties
        self.penalty_patience = penalty_patience
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.optimizer = optimizer
        self.muon_lr = muon_lr
        self.momentum = momentum
        self.schedule = schedule
        self.step_epochs = step_epochs
        self.step_factor = step_factor
        self.warmup_share = warmup_share
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.evaluate_every = evaluate_every
        self.keep = keep
        self.patience = patience
        self.head_first_epochs = head_first_epochs
        self.attention_dropout = attention_dropout
        self.length_pool = length_pool
        self.pass_overhead = pass_overhead
        self.words_penalties = words_penalties
        self.unlabelled = unlabelled
        self.tapt_epochs = tapt_epochs
        self.tapt_lr = tapt_lr
        self.tapt_head_first_epochs = tapt_head_first_epochs
        self.mask_share = mask_share
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
        strategy = params["strategy"]
        if deep and isinstance(strategy, str):
            with suppress(ThawlineError):  # `fit` rejects a strategy that cannot be parsed.
                strategy_params = as_strategy(strategy).get_params()
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
            strategy = as_strategy(given.get("strategy", known["strategy"]))
            values = {name.removeprefix("strategy__"): value for name, value in nested.items()}
            given["strategy"] = strategy.with_params(**values)
        for name, value in given.items():
            setattr(self, name, value)
        return self

    def _check_own_parameters(self) -> None:
        """Raise ThawlineError if a parameter that is no setting of a fit is invalid."""
        own = {"predict_from_store": self.predict_from_store}
        build_config(own, config_type=EstimatorConfig)

    def _config(self) -> Config:
        """Return the config that the parameters describe."""
        given = self.get_params(deep=False)
        given["strategy"] = str(as_strategy(given["strategy"]))
        given["features"] = None if given["features"] is None else str(given["features"])
        given["random_state"] = read_seed(given["random_state"])
        given["device"] = str(given["device"])  # a torch.device is accepted too
        if given["class_weight"] is None or isinstance(given["class_weight"], Mapping):
            given["class_weight"] = "none"  # `read_class_weight` reads a mapping
        elif not isinstance(given["class_weight"], str):
            raise ThawlineError(
                "None, 'balanced' or a dict with the weights of classes for class_weight",
                f"{given['class_weight']!r}",
                "write for example {'neg': 1.0, 'pos': 2.0}",
                setting="class_weight",
            )
        self._check_own_parameters()
        tables: dict[str, Any] = {}
        for name, key in SETTINGS.items():
            table, _, setting = key.rpartition(".")
            (tables.setdefault(table, {}) if table else tables)[setting] = given[name]
        return build_config(tables)
