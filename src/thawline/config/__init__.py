"""All settings of Thawline and their defaults, as frozen dataclasses.

A setting is written once, as a field with its type, range, default and meaning (`Help`). The
command line builds its options from these fields, `TextClassifier` takes its defaults from them,
and `resolve.py` checks values against them. ``None`` stands for a default that depends on something
known only later; the field's `Help` describes it. No large library is imported here, so that
``--help`` is fast.
"""

from thawline.config.base import AnyConfig
from thawline.config.compute import STORE_SHARE, ComputeConfig
from thawline.config.data import (
    DEFAULT_MAX_LENGTH,
    FAMILY_MAX_LENGTHS,
    ROW_SEED,
    SMALL_RUN,
    DataConfig,
    PreflightConfig,
    TokensConfig,
)
from thawline.config.encoder import MADE_BACKBONE, RANDOM_VECTORS, EncoderConfig
from thawline.config.export import ExportConfig
from thawline.config.fit import (
    SHARED_NAMES,
    ArtifactConfig,
    Config,
    EstimatorConfig,
    MetricsConfig,
    PredictConfig,
    ReportConfig,
)
from thawline.config.generation import WritingConfig
from thawline.config.help import Help
from thawline.config.ladder import DemoConfig, LadderConfig
from thawline.config.loop import LoopConfig
from thawline.config.pretraining import (
    CPU_WINDOWS,
    WORTH_COMPILING,
    ArchitectureConfig,
    CorpusConfig,
    PretrainConfig,
    PretrainingConfig,
    VocabularyConfig,
)
from thawline.config.score import ScoreConfig
from thawline.config.serve import ServeConfig
from thawline.config.tapt import TaptConfig
from thawline.config.training import (
    EPOCHS,
    FAMILY_RATES,
    FEW_TO_CHOOSE,
    LEARNING_RATES,
    MEMORY_SHARE,
    ExactConfig,
    HeadConfig,
    LoraConfig,
    TrainingConfig,
)
from thawline.config.tuning import TuneConfig
from thawline.config.vectors import TextsConfig, VectorsConfig

__all__ = [
    "CPU_WINDOWS",
    "DEFAULT_MAX_LENGTH",
    "EPOCHS",
    "FAMILY_MAX_LENGTHS",
    "FAMILY_RATES",
    "FEW_TO_CHOOSE",
    "LEARNING_RATES",
    "MADE_BACKBONE",
    "MEMORY_SHARE",
    "RANDOM_VECTORS",
    "ROW_SEED",
    "SHARED_NAMES",
    "SMALL_RUN",
    "STORE_SHARE",
    "WORTH_COMPILING",
    "AnyConfig",
    "ArchitectureConfig",
    "ArtifactConfig",
    "ComputeConfig",
    "Config",
    "CorpusConfig",
    "DataConfig",
    "DemoConfig",
    "EncoderConfig",
    "EstimatorConfig",
    "ExactConfig",
    "ExportConfig",
    "HeadConfig",
    "Help",
    "LadderConfig",
    "LoopConfig",
    "LoraConfig",
    "MetricsConfig",
    "PredictConfig",
    "PreflightConfig",
    "PretrainConfig",
    "PretrainingConfig",
    "ReportConfig",
    "ScoreConfig",
    "ServeConfig",
    "TaptConfig",
    "TextsConfig",
    "TokensConfig",
    "TrainingConfig",
    "TuneConfig",
    "VectorsConfig",
    "VocabularyConfig",
    "WritingConfig",
]
