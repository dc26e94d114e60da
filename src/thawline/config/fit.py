"""The settings of a fit, of a prediction and of `TextClassifier`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Le

from thawline.config.base import AnyConfig
from thawline.config.compute import ComputeConfig
from thawline.config.data import DataConfig, TextColumn, TokensConfig
from thawline.config.encoder import EncoderConfig
from thawline.config.help import Help
from thawline.config.ranges import Count, Device, Seed, Share
from thawline.config.tapt import TaptConfig
from thawline.config.training import ExactConfig, HeadConfig, TrainingConfig


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
class Config(AnyConfig):
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


@dataclass(frozen=True)
class PredictConfig(AnyConfig):
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


@dataclass(frozen=True)
class EstimatorConfig(AnyConfig):
    """The settings that only `TextClassifier` has."""

    predict_from_store: Annotated[
        bool,
        Help("Whether `predict` and `predict_proba` read and write the store, as `score` does."),
    ] = False


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
