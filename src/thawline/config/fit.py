"""The settings of a fit: one frozen dataclass for each part of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen

from thawline.config.encoder import EncoderConfig
from thawline.config.help import Help
from thawline.config.loop import LoopConfig
from thawline.config.ranges import Bytes, Count, Device, Fraction, Penalty, Rate, Seed, Share
from thawline.config.tapt import TaptConfig

SMALL_RUN = (4_000, 2_000)
"""Numbers of training and test rows in the small run of the original tutorials (``--small``)."""

ROW_SEED = 42
"""The seed that selects rows. It differs from ``--seed``, so that all runs have the same splits."""

LEARNING_RATES = {
    **{"head": 3e-3, "last": 1e-3, "lora": 2e-3, "full": 2e-4},
    **{"bitfit": 1e-2, "gradual": 2e-3},
}
"""The best learning rate of each strategy in `benchmarks/learning_rates.json`."""

FAMILY_RATES = {"thawline-glove": {"full": 1e-3}}
"""Other learning rates by model type. This model is small and starts from random weights."""

FEW_TO_CHOOSE = 100
"""Below this number of validation rows, the last epoch is better on average than the best one."""

MLP_DROPOUT = 0.1
"""Dropout of an MLP head if none is given. A linear head then has none."""

EPOCHS = 3
"""Number of epochs if none is given and the head cannot be solved exactly."""

DEFAULT_MAX_LENGTH = 512
"""Default of the maximum number of tokens per text."""

FAMILY_MAX_LENGTHS = {"thawline-glove": 256}
"""Other defaults by model type, because an epoch over long texts is slow on a CPU."""

MEMORY_SHARE = 0.25
"""Share of the available memory that the exact fit may use for features."""

STORE_SHARE = 0.25
"""Share that the store may use of the disk space that is free or that the store already uses."""

_TOKENIZER = "the tokenizer's own setting"
_RATES = ", ".join(f"{rate:g} for {name}" for name, rate in LEARNING_RATES.items())

TextColumn = Annotated[
    str | None,
    Help(
        "Name of the text column. `title+content` joins two columns with a space, and "
        "`premise,hypothesis` names the two columns of text pairs.",
        "a column with a common name such as `text` or `review`",
        metavar="COLUMN",
    ),
]
MaxLength = Annotated[
    int | None,
    Help(
        "Maximum number of tokens per text. Longer texts are truncated.",
        f"{DEFAULT_MAX_LENGTH}, {FAMILY_MAX_LENGTHS['thawline-glove']} for `glove`, or the "
        "model's limit if that is lower",
        metavar="TOKENS",
    ),
]
LIMIT_HELP = Help(
    "Number of training rows (including validation) and of test rows to sample.",
    "all rows",
    metavar="N,M",
)


@dataclass(frozen=True)
class DataConfig:
    """Settings of the data: where the labelled texts come from and which rows are used."""

    data: Annotated[
        str | None,
        Help(
            "Labelled texts: a file, a folder, a .tar.gz of class folders, a data set's name or a "
            "hub id.",
            metavar="SET",
        ),
    ] = None
    text: TextColumn = None
    label: Annotated[
        str | None,
        Help(
            "Name of the label column.",
            "a column with a common name such as `label`",
            metavar="COLUMN",
        ),
    ] = None
    labels: Annotated[
        tuple[str, ...] | None,
        Help(
            "Names of the classes, in ascending order of the integer labels, for example "
            "`neg,pos`.",
            "the names in the data",
            metavar="NAMES",
        ),
    ] = None
    limit: Annotated[tuple[Count, Count] | None, LIMIT_HELP] = None
    validation_share: Annotated[
        Share,
        Help("Share of train that is used for validation if the data have no validation split."),
    ] = 0.1
    test_share: Annotated[
        Share, Help("Share of all rows that is used for testing if the data have no test split.")
    ] = 0.2
    max_file_bytes: Annotated[
        int, Ge(1), Help("Largest size of a data file, after decompression, in bytes.")
    ] = 4 * 2**30
    max_text_characters: Annotated[Count, Help("Largest number of characters of a text.")] = (
        1_000_000
    )
    draw: Annotated[
        int,
        Ge(0),
        Le(9_999),
        Help(
            "Number of the sample of training and validation rows that `limit` takes. Each number "
            "stands for other rows, and test stays the same."
        ),
    ] = 0


@dataclass(frozen=True)
class TokensConfig:
    """Settings of the tokenizer: how a text becomes token ids."""

    max_length: MaxLength = None
    truncation_side: Annotated[
        Literal["right", "left"],
        Help("Side at which a long text is truncated: right or left.", metavar="SIDE"),
    ] = "right"
    add_prefix_space: Annotated[
        bool | None, Help("Insert a space before the first word.", _TOKENIZER)
    ] = None
    do_lower_case: Annotated[bool | None, Help("Convert texts to lower case.", _TOKENIZER)] = None
    strip_accents: Annotated[bool | None, Help("Remove accents from letters.", _TOKENIZER)] = None
    split_special_tokens: Annotated[
        bool,
        Help(
            "Read special tokens that are written in a text, such as `[SEP]`, as ordinary text. "
            "If false, they become the tokens that the model was trained with."
        ),
    ] = True


@dataclass(frozen=True)
class ComputeConfig:
    """Settings of the device, the number format, the batches and the store."""

    device: Device = "auto"
    dtype: Annotated[
        str,
        Help(
            "Number format of matrix products in the frozen pass and in training: `float32`, "
            "`bfloat16`, or `auto` for the faster one on this machine."
        ),
    ] = "auto"
    tokens_per_batch: Annotated[
        Count, Help("Number of tokens in a batch of the frozen pass, including padding.")
    ] = 4_096
    density: Annotated[
        float, Gt(0), Le(1), Help("Minimum share of a batch's tokens that is not padding.")
    ] = 0.99
    rows_per_chunk: Annotated[Count, Help("Number of texts in one file of the store.")] = 1_024
    bytes_per_chunk: Annotated[
        Count, Help("Maximum size of one file of the store in bytes. Long texts fill it earlier.")
    ] = 64 * 2**20
    store_limit: Annotated[
        Bytes | None,
        Help(
            "Maximum size of the store of frozen states, for example `--store-limit 20GB`. 0 "
            "stores nothing.",
            "a quarter of the disk space that is free or used by the store",
            metavar="SIZE",
        ),
    ] = None


@dataclass(frozen=True)
class PredictConfig:
    """The settings of `predict`. They are checked when they are used, without pydantic."""

    data: Annotated[
        str | None,
        Help(
            "File of texts to classify: .csv, .tsv, .jsonl, .json or .parquet with a text column, "
            "or .txt with one text per line. Labels are not needed.",
            metavar="FILE",
        ),
    ] = None
    text: TextColumn = None
    explain: Annotated[
        bool,
        Help(
            "Show the words with the largest effects on each prediction. Each text is classified "
            "again without each of its words."
        ),
    ] = False
    device: Device = "auto"
    dtype: Annotated[
        str,
        Help("Number format: `float32`, `bfloat16`, or `auto` for the faster one on this machine."),
    ] = "float32"

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dict of JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class HeadConfig:
    """Settings of the head, which turns pooled states into logits."""

    head: Annotated[
        str,
        Help(
            "Classification head: `linear`, `mlp:H` with one hidden layer of H units, or `native` "
            "for the model's own head."
        ),
    ] = "linear"
    pooling: Annotated[
        str | None,
        Help(
            "How token states are combined: `first`, `last` or `mean`.",
            "mean, or the native head's own pooling",
        ),
    ] = None
    features: Annotated[
        str | None,
        Help(
            "Stages whose states the head reads: the number of one stage, `last`, or `layers` for "
            "all stages side by side.",
            "the best of these on validation for an exact fit, otherwise the last stage",
            metavar="STAGES",
        ),
    ] = None
    standardise: Annotated[
        bool, Help("Scale each feature to mean 0 and standard deviation 1 over the training rows.")
    ] = True
    dropout: Annotated[
        Fraction | None,
        Help(
            "Dropout before each layer of a head that is trained by epochs.",
            f"{MLP_DROPOUT} for an MLP head, 0 for a linear head",
        ),
    ] = None


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters: the defaults of the keys that a ``lora`` strategy may omit."""

    r: Annotated[int, Help("Rank of the adapters.")] = 4
    alpha: Annotated[float, Help("Scaling factor; updates are multiplied by alpha / r.")] = 32
    dropout: Annotated[float, Help("Dropout of the adapters' input.")] = 0.1
    targets: Annotated[
        str | None,
        Help("Names of the modules to adapt, joined by +.", "the family's query projection"),
    ] = None
    from_block: Annotated[int, Help("First block with adapters. Blocks are counted from 1.")] = 1
    dora: Annotated[
        bool, Help("Also train the magnitude of each row of an adapted matrix (DoRA).")
    ] = False
    rslora: Annotated[bool, Help("Multiply updates by alpha / √r (rsLoRA).")] = False


@dataclass(frozen=True)
class ExactConfig:
    """Settings of the exact fit of a linear head."""

    penalties: Annotated[
        tuple[Penalty, ...],
        MinLen(1),
        Help("L2 penalties, tried in this order."),
    ] = (1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4)
    patience: Annotated[
        Count,
        Help("Number of penalties in a row without a lower validation loss that end the search."),
    ] = 2
    max_iterations: Annotated[
        Count, Help("Maximum number of Newton iterations for one penalty.")
    ] = 100
    tolerance: Annotated[
        Share,
        Help(
            "Norm of the gradient of the penalised mean loss at which the optimisation of the "
            "chosen head stops."
        ),
    ] = 1e-6
    rows_per_block: Annotated[
        Count, Help("Number of rows whose features are processed at once.")
    ] = 4_096
    cache_bytes: Annotated[
        Bytes | None,
        Help(
            "Maximum size of the features that are kept in memory, in bytes.",
            "a quarter of the available memory",
        ),
    ] = None
    words_penalties: Annotated[
        Annotated[tuple[Annotated[float, Gt(0), Le(1e6)], ...], MinLen(1)] | None,
        Help(
            "L2 penalties on the weights of TF-IDF features, per text, tried in this order.",
            "eight values from the inverse of the number of training texts down to a "
            "three-thousandth of it",
        ),
    ] = None


@dataclass(frozen=True)
class TrainingConfig(LoopConfig):
    """Settings of the training by epochs on labelled texts."""

    epochs: Annotated[
        Count | None,
        Help(
            "Number of training epochs. If omitted, a linear head is solved exactly and everything "
            f"else trains for {EPOCHS} epochs.",
            metavar="N",
        ),
    ] = None
    head_first_epochs: Annotated[
        Count,
        Help(
            "Number of epochs that an MLP or native head trains alone before `lp+S` continues. "
            "A linear head is solved exactly instead."
        ),
    ] = 10
    batch_size: Annotated[Count, Help("Number of texts in a training step.", metavar="N")] = 16
    length_pool: Annotated[
        Count,
        Help(
            "Number of steps whose texts are sorted by length together, which reduces padding. "
            "1 disables sorting."
        ),
    ] = 50
    pass_overhead: Annotated[
        int,
        Ge(0),
        Le(1_000_000),
        Help(
            "Fixed cost of a forward pass, in tokens. A step is split by length if that saves more "
            "padding than this."
        ),
    ] = 256
    lr: Annotated[
        Rate | None,
        Help(
            "Maximum learning rate of training by epochs.",
            f"that of the strategy: {_RATES}",
            metavar="RATE",
        ),
    ] = None
    attention_dropout: Annotated[
        Fraction | None,
        Help("Dropout within attention. A value above 0 makes attention slower on a CPU."),
    ] = 0.0
    class_weights: Annotated[
        Literal["none", "balanced"],
        Help("Weights in the loss. `balanced` gives every class the same total weight."),
    ] = "none"
    augment: Annotated[
        str | None,
        Help(
            "Train also on altered copies of the training texts, for example "
            "`word_dropout=0.1,swap=0.05,synonyms=0.1,copies=2`. The first three are the shares of "
            "words to remove, to swap with the next word and to replace by a synonym; `copies` is "
            "the number of copies of each text.",
            "no copies",
            metavar="SHARES",
        ),
    ] = None
    label_smoothing: Annotated[
        Fraction, Help("Share of each label that is spread evenly over all classes.")
    ] = 0.0
    keep: Annotated[
        Literal["accuracy", "f1_macro", "loss", "last"],
        Help(
            "Validation score that selects the evaluation whose weights are kept, or `last` for "
            "the last weights. In a tie, the later evaluation is kept."
        ),
    ] = "accuracy"


@dataclass(frozen=True)
class ArtifactConfig:
    """Settings of the saved classifier."""

    merge: Annotated[
        bool,
        Help(
            "Merge LoRA adapters into the weights, which saves a plain model that does not need "
            "peft."
        ),
    ] = False


@dataclass(frozen=True)
class MetricsConfig:
    """Settings of the scores and their intervals."""

    confidence: Annotated[Share, Help("Confidence level of every interval.")] = 0.95
    resamples: Annotated[
        int, Ge(1), Le(1_000_000), Help("Number of bootstrap samples of the rows.")
    ] = 1_000
    bins: Annotated[
        int, Ge(1), Le(10_000), Help("Number of confidence bins in the calibration error.")
    ] = 15
    seed: Annotated[Seed, Help("Random seed of the bootstrap.")] = 0


@dataclass(frozen=True)
class PreflightConfig:
    """Settings of the inspection of labelled texts before training."""

    sample: Annotated[
        Count,
        Help("Number of rows of a split whose tokens `fit` counts. `preflight` counts all rows."),
    ] = 300
    shown_rows: Annotated[Count, Help("Number of rows of a split to show.")] = 2
    shown_copies: Annotated[Count, Help("Number of duplicates of each kind to show.")] = 5
    shown_characters: Annotated[Count, Help("Number of characters of a text to show.")] = 160
    similarity: Annotated[
        float, Gt(0), Le(1), Help("Jaccard similarity from which two texts are near duplicates.")
    ] = 0.8
    words: Annotated[Count, Help("Length of the word sequences that are compared.")] = 3
    bands: Annotated[
        tuple[Count, Count], Help("Number of MinHash bands, and of hashes in a band.")
    ] = (25, 5)
    hash_seed: Annotated[Seed, Help("Random seed of the hashes.")] = 1
    crowd: Annotated[
        Count,
        Help(
            "Number of texts of each split that are compared with all texts that share a MinHash "
            "band with them. The other texts of the band are compared with these texts only."
        ),
    ] = 20
    imbalance: Annotated[
        float,
        Ge(1),
        Help("Ratio of the largest to the smallest class from which a warning is printed."),
    ] = 9.0
    truncated: Annotated[
        Share, Help("Share of truncated texts in a split from which a warning is printed.")
    ] = 0.2


@dataclass(frozen=True)
class ReportConfig:
    """Settings of what `fit` prints and writes in addition to its scores."""

    mistakes: Annotated[
        Count, Help("Number of the most confident mistakes to write to `mistakes.csv`.")
    ] = 20
    shown_mistakes: Annotated[Count, Help("Number of these mistakes to show on the terminal.")] = 5
    samples: Annotated[
        Count, Help("Number of test texts to classify before and after training.")
    ] = 3
    characters: Annotated[
        Count, Help("Number of characters of a text to show on the terminal and in the record.")
    ] = 160
    classes: Annotated[
        Count,
        Help(
            "Maximum number of classes to show. If there are more, the classes with the lowest F1 "
            "are shown."
        ),
    ] = 12
    show: Annotated[
        tuple[str, ...],
        Help(
            "A text of your own to classify before and after training.",
            metavar="TEXT",
            repeatable=True,
        ),
    ] = ()
    show_file: Annotated[
        str | None,
        Help(
            "File of such texts: one per line in a .txt file, or a text column in a .csv, .tsv, "
            ".jsonl, .json or .parquet file.",
            metavar="FILE",
        ),
    ] = None


@dataclass(frozen=True)
class Config:
    """All settings of `fit`. They are saved with the run."""

    backbone: Annotated[
        str,
        Help(
            "Pretrained model: a folder, a run, a packaged name, a hub id, or `glove` for a small "
            "transformer on top of word vectors.",
            metavar="MODEL",
        ),
    ] = "thawline/qwen3-mini"
    strategy: Annotated[
        str,
        Help(
            "What to train: `head`, `last:k` for the last k blocks, `lora:r=4,alpha=32`, "
            "`bitfit`, `full`, `gradual`, `lp+S` for the head first and then strategy S, `tapt+S` "
            "to pretrain the backbone further on your texts and then use strategy S, `tfidf` for "
            "logistic regression on words without a backbone, or `head+tfidf` for a head on the "
            "states and the words."
        ),
    ] = "head"
    seed: Annotated[
        Seed,
        Help(
            "Random seed for weight initialisation and shuffling. The split of the data does not "
            "depend on it.",
            metavar="N",
        ),
    ] = 0
    data: DataConfig = field(default_factory=DataConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    tokens: TokensConfig = field(default_factory=TokensConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    exact: ExactConfig = field(default_factory=ExactConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    tapt: TaptConfig = field(default_factory=TaptConfig)
    artifact: ArtifactConfig = field(default_factory=ArtifactConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values (tuples become lists in JSON)."""
        return asdict(self)


@dataclass(frozen=True)
class EstimatorConfig:
    """The settings that only `TextClassifier` has."""

    predict_from_store: Annotated[
        bool,
        Help("Whether `predict` and `predict_proba` read and write the store, as `score` does."),
    ] = False

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
    "augment": "training.augment",
    "device": "compute.device",
    "dtype": "compute.dtype",
}
"""The key of each setting that `TextClassifier` takes under the same name as ``thawline fit``."""
