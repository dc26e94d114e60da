"""Every default of Thawline, in frozen dataclasses: one for each room that has settings.

A default is written here and nowhere else: the command line and `TextClassifier` take theirs
from the class attributes below. ``None`` means "decided from what is known later", and the
comment beside it says how. This module imports nothing heavy, so that ``--help`` is quick.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SMALL_RUN = (4_000, 2_000)
"""Rows of train and test in the small run of the original tutorials (``--small``)."""

ROW_SEED = 42
"""Which rows are drawn never depends on ``--seed``: every run sees identical splits."""


@dataclass(frozen=True)
class DataConfig:
    """Where the labelled texts come from and which rows are used."""

    data: str | None = None  # a set's name, a hub id, a file or a folder
    text: str | None = None  # the text column; None: found by the common names
    label: str | None = None  # the label column; None: found by the common names
    labels: tuple[str, ...] | None = None  # names, in ascending order of integer labels
    limit: tuple[int, int] | None = None  # rows of train (validation comes out of them) and test
    validation_share: float = 0.1  # of train, where the source has no validation split
    test_share: float = 0.2  # of everything, where the source has no test split


@dataclass(frozen=True)
class TokensConfig:
    """How a text becomes token ids."""

    max_length: int | None = None  # tokens; None: 512, or the model's limit where that is lower
    truncation_side: str = "right"  # the side that is cut off


LEARNING_RATES = {"head": 1e-3}
"""Each strategy's own learning rate; one shared rate would make some look broken."""

EPOCHS = 3
"""Epochs where a head has no exact fit and none were named."""

DEFAULT_MAX_LENGTH = 512
"""Tokens kept of each text unless told otherwise."""


@dataclass(frozen=True)
class PrefixConfig:
    """How the frozen part is run and its outputs are stored."""

    dtype: str = "auto"  # float32, bfloat16; auto: bfloat16 where this machine is faster with it
    tokens_per_batch: int = 4_096
    density: float = 0.99  # the least share of real tokens in a batch
    rows_per_chunk: int = 1_024  # texts in one file of the store


@dataclass(frozen=True)
class HeadConfig:
    """The part that turns pooled states into logits."""

    head: str | None = None  # linear, mlp:H, native; None: the strategy's own
    pooling: str | None = None  # first, last, mean; None: mean, or the native head's own
    features: str | None = None  # last, a stage's number, layers; None: chosen on validation
    standardise: bool = True  # by each feature's mean and deviation over train
    dropout: float = 0.1  # in an MLP head


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters, where the strategy's string does not say."""

    r: int = 4
    alpha: float = 32
    dropout: float = 0.1
    targets: str | None = None  # modules' names joined by +; None: the family's query projection
    from_block: int = 1  # blocks count from 1


@dataclass(frozen=True)
class ExactConfig:
    """The exact fit of a linear head."""

    penalties: tuple[float, ...] = (1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4)
    patience: int = 2  # penalties in a row that may raise the validation loss
    max_iterations: int = 500
    tolerance: float = 1e-6  # relative decrease of the loss at which a fit is done
    rows_per_block: int = 4_096
    cache_bytes: int = 512 * 2**20  # features up to this size are kept in memory between passes


@dataclass(frozen=True)
class TrainingConfig:
    """The training loop."""

    epochs: int | None = None  # None: the exact fit where the head has one, else the strategy's
    batch_size: int = 16  # texts in a step
    lr: float | None = None  # None: the strategy's own
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    warmup_share: float = 0.0  # of all steps


@dataclass(frozen=True)
class MetricsConfig:
    """How scores and their intervals are computed."""

    confidence: float = 0.95  # of every interval
    resamples: int = 1_000  # bootstrap draws of all rows
    bins: int = 15  # of confidence, for the calibration error
    seed: int = 0  # of the bootstrap


@dataclass(frozen=True)
class Config:
    """A whole `fit`, resolved; it is saved with the run."""

    backbone: str = "minilm"  # a folder, a packaged name or a hub id
    strategy: str = "head"
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    tokens: TokensConfig = field(default_factory=TokensConfig)
    prefix: PrefixConfig = field(default_factory=PrefixConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    exact: ExactConfig = field(default_factory=ExactConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values (tuples become lists there)."""
        return asdict(self)
