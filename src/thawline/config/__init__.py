"""Every default of Thawline, in frozen dataclasses: one for each room that has settings.

A default is written here and nowhere else, and so is its range: the command line and
`TextClassifier` take their defaults from the class attributes, and `settings.py` checks
values against the annotations. ``None`` means "decided from what is known later", and the comment
beside it says how. A module for each kind of job; nothing heavy is imported, so that ``--help`` is
quick.
"""

from thawline.config.encoder import MADE_BACKBONE, RANDOM_VECTORS, EncoderConfig
from thawline.config.fit import (
    DEFAULT_MAX_LENGTH,
    EPOCHS,
    FAMILY_MAX_LENGTHS,
    FAMILY_RATES,
    FEW_TO_CHOOSE,
    LEARNING_RATES,
    MEMORY_SHARE,
    ROW_SEED,
    SHARED_NAMES,
    SMALL_RUN,
    STORE_SHARE,
    ArtifactConfig,
    ComputeConfig,
    Config,
    DataConfig,
    EstimatorConfig,
    ExactConfig,
    HeadConfig,
    LoraConfig,
    MetricsConfig,
    PreflightConfig,
    ReportConfig,
    TokensConfig,
    TrainingConfig,
)
from thawline.config.generation import WritingConfig
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
    "HeadConfig",
    "LadderConfig",
    "LoopConfig",
    "LoraConfig",
    "MetricsConfig",
    "PreflightConfig",
    "PretrainConfig",
    "PretrainingConfig",
    "ReportConfig",
    "TextsConfig",
    "TokensConfig",
    "TrainingConfig",
    "VectorsConfig",
    "VocabularyConfig",
    "WritingConfig",
]
