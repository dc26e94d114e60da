"""The settings of a fit: one frozen dataclass for each room that has some."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from thawline.config.encoder import EncoderConfig
from thawline.config.loop import LoopConfig
from thawline.config.ranges import Bytes, Count, Penalty, Rate, Seed, Share

SMALL_RUN = (4_000, 2_000)
"""Rows of train and test in the small run of the original tutorials (``--small``)."""

ROW_SEED = 42
"""Which rows are drawn never depends on ``--seed``: every run sees identical splits."""


@dataclass(frozen=True)
class DataConfig:
    """Where the labelled texts come from and which rows are used."""

    data: str | None = None  # a set's name, a hub id, a file or a folder
    text: str | None = None  # the text column, or two for pairs: a,b; None: by the common names
    label: str | None = None  # the label column; None: found by the common names
    labels: tuple[str, ...] | None = None  # names, in ascending order of integer labels
    limit: tuple[Count, Count] | None = None  # rows of train, validation counted, and of test
    validation_share: Share = 0.1  # of train, where the source has no validation split
    test_share: Share = 0.2  # of everything, where the source has no test split


@dataclass(frozen=True)
class TokensConfig:
    """How a text becomes token ids."""

    max_length: int | None = None  # tokens; None: 512 (glove 256), or the model's limit if lower
    truncation_side: Literal["right", "left"] = "right"  # the side that is cut off
    add_prefix_space: bool | None = None  # before the first word; None: as the tokenizer has it
    do_lower_case: bool | None = None  # None: as the tokenizer has it
    strip_accents: bool | None = None  # None: as the tokenizer has it


LEARNING_RATES = {"head": 3e-3, "last": 1e-3, "lora": 2e-3, "full": 2e-4}
"""Each strategy's own, the winner in `benchmarks/learning_rates.json`; one for all would not do."""

FAMILY_RATES = {"thawline-glove": {"full": 1e-3}}
"""By model type, where a family has others: this one is small, and trained from first weights."""

FEW_TO_CHOOSE = 100
"""Validation rows below which the last epoch is, in the mean, better than the one they choose."""

EPOCHS = 3
"""Epochs where a head has no exact fit and none were named."""

DEFAULT_MAX_LENGTH = 512
"""Tokens kept of each text unless told otherwise."""

FAMILY_MAX_LENGTHS = {"thawline-glove": 256}
"""Likewise by model type: what an epoch over long texts costs on a CPU."""

MEMORY_SHARE = 0.25
"""The part of the available memory that the exact fit may keep features in."""

STORE_SHARE = 0.25
"""The part of the disk, of what is free and what the store holds, that the store may take."""


@dataclass(frozen=True)
class ComputeConfig:
    """What models are run on, and how the frozen part's outputs are stored."""

    device: str = "auto"  # cuda, mps, cpu; auto: the first of these that this machine has
    dtype: str = "auto"  # float32, bfloat16; auto: bfloat16 where this machine is faster with it
    tokens_per_batch: Count = 4_096
    density: Annotated[float, Gt(0), Le(1)] = 0.99  # the least share of real tokens in a batch
    rows_per_chunk: Count = 1_024  # texts in one file of the store, …
    bytes_per_chunk: Count = 64 * 2**20  # … fewer where their states would pass this size
    store_limit: Bytes | None = None  # of the whole store; None: `STORE_SHARE` of its disk


@dataclass(frozen=True)
class HeadConfig:
    """The part that turns pooled states into logits."""

    head: str = "linear"  # linear, mlp:H, native
    pooling: str | None = None  # first, last, mean; None: mean, or the native head's own
    features: str | None = None  # last, a stage's number, layers; None: chosen on validation
    standardise: bool = True  # by each feature's mean and deviation over train
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.1  # in an MLP head


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

    penalties: Annotated[tuple[Penalty, ...], MinLen(1)] = (
        1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4,
    )  # fmt: skip
    patience: Count = 2  # penalties in a row that may raise the validation loss
    max_iterations: Count = 500
    tolerance: Share = 1e-6  # relative decrease of the loss at which a fit is done
    rows_per_block: Count = 4_096
    cache_bytes: Bytes | None = None  # of features kept in memory; None: `MEMORY_SHARE` of it


@dataclass(frozen=True)
class TrainingConfig(LoopConfig):
    """The training loop over labelled texts."""

    epochs: Count | None = None  # None: the exact fit where the head has one, else the strategy's
    head_first_epochs: Count = 10  # of lp+S, on pooled states, for a head without an exact fit
    batch_size: Count = 16  # texts in a step
    length_pool: Count = 50  # steps whose texts are sorted by length together; 1: none
    pass_overhead: Annotated[int, Ge(0), Le(1_000_000)] = 256  # of a forward pass, in tokens
    lr: Rate | None = None  # None: the strategy's own
    attention_dropout: Annotated[float, Ge(0), Lt(1)] | None = 0.0  # None: the model's own
    class_weights: Literal["none", "balanced"] = "none"  # balanced: rarer classes count for more
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    keep: Literal["accuracy", "f1_macro", "loss", "last"] = "accuracy"  # the best, or the last


@dataclass(frozen=True)
class ArtifactConfig:
    """The saved classifier."""

    merge: bool = False  # adapters into the backbone's weights, which gives a plain model


@dataclass(frozen=True)
class MetricsConfig:
    """How scores and their intervals are computed."""

    confidence: Share = 0.95  # of every interval
    resamples: Annotated[int, Ge(1), Le(1_000_000)] = 1_000  # bootstrap draws of all rows
    bins: Annotated[int, Ge(1), Le(10_000)] = 15  # of confidence, for the calibration error
    seed: Seed = 0  # of the bootstrap


@dataclass(frozen=True)
class PreflightConfig:
    """What is looked at in labelled texts before anything is trained on them."""

    sample: Count = 300  # rows of a split whose tokens `fit` counts; the verb counts them all
    shown_rows: Count = 2  # of a split
    shown_copies: Count = 5  # of each kind
    shown_characters: Count = 160  # of a text
    similarity: Annotated[float, Gt(0), Le(1)] = 0.8  # Jaccard's; from there on texts are near
    words: Count = 3  # in a row, what two texts are compared by
    bands: tuple[Count, Count] = (25, 5)  # of a MinHash: how many, and the hashes in each
    hash_seed: Seed = 1
    crowd: Count = 20  # texts of one split, at least, that a candidate is compared with
    imbalance: Annotated[float, Ge(1)] = 9.0  # rows of the largest class to one of the smallest
    truncated: Share = 0.2  # of a split's texts; this and the one above are worth a note


@dataclass(frozen=True)
class ReportConfig:
    """What is shown of a fit beside its scores."""

    mistakes: Count = 20  # the most confident ones; the terminal shows …
    shown_mistakes: Count = 5  # … the first of them, in one line each
    samples: Count = 3  # test texts that the classifier reads before training and after
    characters: Count = 160  # of a text, on the terminal and in the record
    classes: Count = 12  # that the terminal lists; of more, those with the lowest F1


@dataclass(frozen=True)
class Config:
    """A whole `fit`, resolved; it is saved with the run."""

    backbone: str = "thawline/qwen3-mini"  # a folder, a packaged name, a hub id, or glove
    strategy: str = "head"
    seed: Seed = 0
    data: DataConfig = field(default_factory=DataConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    tokens: TokensConfig = field(default_factory=TokensConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    exact: ExactConfig = field(default_factory=ExactConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    artifact: ArtifactConfig = field(default_factory=ArtifactConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values (tuples become lists there)."""
        return asdict(self)


@dataclass(frozen=True)
class EstimatorConfig:
    """The settings that only `TextClassifier` has."""

    predict_from_store: bool = False  # whether predict and predict_proba use the store

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dict of JSON values."""
        return asdict(self)


SHARED_NAMES = {
    "labels": "data.labels",
    "backbone": "backbone",
    "strategy": "strategy",
    "vectors": "encoder.vectors",
    "head": "head.head",
    "pooling": "head.pooling",
    "features": "head.features",
    "standardise": "head.standardise",
    "max_length": "tokens.max_length",
    "truncation_side": "tokens.truncation_side",
    "epochs": "training.epochs",
    "batch_size": "training.batch_size",
    "lr": "training.lr",
    "device": "compute.device",
    "dtype": "compute.dtype",
}
"""The setting behind each name that `fit` and `TextClassifier` have in common."""
