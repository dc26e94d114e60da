"""Turn a pretrained transformer into a text classifier, by a strategy of your choice.

``__all__`` lists the public names. Importing the package is quick, because each name is loaded from
its module on first use. When transformers is imported, Thawline registers its own model types with
the Auto classes of transformers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import wrapt

from thawline._version import __version__

if TYPE_CHECKING:
    from thawline.backbones.families import Family, register_family
    from thawline.backbones.finding import find_backbone
    from thawline.backbones.language import load_language_model
    from thawline.classifier import TextClassifier
    from thawline.compare.ladder import run_ladder
    from thawline.config import (
        ArchitectureConfig,
        ArtifactConfig,
        ComputeConfig,
        Config,
        CorpusConfig,
        DataConfig,
        EncoderConfig,
        ExactConfig,
        HeadConfig,
        LadderConfig,
        MetricsConfig,
        PretrainConfig,
        PretrainingConfig,
        ReportConfig,
        TaptConfig,
        TokensConfig,
        TrainingConfig,
        TuneConfig,
        VocabularyConfig,
        WritingConfig,
    )
    from thawline.data import Dataset, LabelledTexts, Labels, load_data
    from thawline.errors import ThawlineError
    from thawline.jobs.evaluate import evaluate_run
    from thawline.jobs.fit import fit_run
    from thawline.pretraining.generation import write_texts
    from thawline.pretraining.job import pretrain_run
    from thawline.report.summary import summary
    from thawline.runs.records import (
        EvaluationReport,
        FitRecord,
        LadderRecord,
        PretrainRecord,
        Score,
        Scores,
        StartedFit,
        StartedLadder,
        StartedPretraining,
        StartedRun,
        TuneRecord,
        read_record,
    )
    from thawline.runtime.progress import Reporter, TerminalReporter
    from thawline.serving.asgi import serve
    from thawline.strategies import (
        BitFit,
        Full,
        Gradual,
        Head,
        HeadFirst,
        HeadTfidf,
        Last,
        Lora,
        Tapt,
        Tfidf,
    )
    from thawline.tuning.job import tune

__all__ = [
    "ArchitectureConfig",
    "ArtifactConfig",
    "BitFit",
    "ComputeConfig",
    "Config",
    "CorpusConfig",
    "DataConfig",
    "Dataset",
    "EncoderConfig",
    "EvaluationReport",
    "ExactConfig",
    "Family",
    "FitRecord",
    "Full",
    "Gradual",
    "Head",
    "HeadConfig",
    "HeadFirst",
    "HeadTfidf",
    "LabelledTexts",
    "Labels",
    "LadderConfig",
    "LadderRecord",
    "Last",
    "Lora",
    "MetricsConfig",
    "PretrainConfig",
    "PretrainRecord",
    "PretrainingConfig",
    "ReportConfig",
    "Reporter",
    "Score",
    "Scores",
    "StartedFit",
    "StartedLadder",
    "StartedPretraining",
    "StartedRun",
    "Tapt",
    "TaptConfig",
    "TerminalReporter",
    "TextClassifier",
    "Tfidf",
    "ThawlineError",
    "TokensConfig",
    "TrainingConfig",
    "TuneConfig",
    "TuneRecord",
    "VocabularyConfig",
    "WritingConfig",
    "__version__",
    "evaluate_run",
    "find_backbone",
    "fit_run",
    "load_data",
    "load_language_model",
    "pretrain_run",
    "read_record",
    "register_family",
    "run_ladder",
    "serve",
    "summary",
    "tune",
    "write_texts",
]

# fmt: off
_NAMES_BY_MODULE = {
    "thawline.backbones.families": (
        "Family",
        "register_family",
    ),
    "thawline.backbones.finding": ("find_backbone",),
    "thawline.backbones.language": ("load_language_model",),
    "thawline.classifier": ("TextClassifier",),
    "thawline.compare.ladder": ("run_ladder",),
    "thawline.config": (
        "ArchitectureConfig",
        "ArtifactConfig",
        "ComputeConfig",
        "Config",
        "CorpusConfig",
        "DataConfig",
        "EncoderConfig",
        "ExactConfig",
        "HeadConfig",
        "LadderConfig",
        "MetricsConfig",
        "PretrainConfig",
        "PretrainingConfig",
        "ReportConfig",
        "TaptConfig",
        "TokensConfig",
        "TrainingConfig",
        "TuneConfig",
        "VocabularyConfig",
        "WritingConfig",
    ),
    "thawline.data": (
        "Dataset",
        "LabelledTexts",
        "Labels",
        "load_data",
    ),
    "thawline.errors": ("ThawlineError",),
    "thawline.jobs.evaluate": ("evaluate_run",),
    "thawline.jobs.fit": ("fit_run",),
    "thawline.pretraining.generation": ("write_texts",),
    "thawline.pretraining.job": ("pretrain_run",),
    "thawline.report.summary": ("summary",),
    "thawline.runs.records": (
        "EvaluationReport",
        "FitRecord",
        "LadderRecord",
        "PretrainRecord",
        "Score",
        "Scores",
        "read_record",
        "StartedFit", "StartedLadder", "StartedPretraining", "StartedRun",
        "TuneRecord",
    ),
    "thawline.runtime.progress": (
        "Reporter",
        "TerminalReporter",
    ),
    "thawline.serving.asgi": ("serve",),
    "thawline.strategies": (
        "BitFit",
        "Full",
        "Gradual",
        "Head",
        "HeadFirst",
        "HeadTfidf",
        "Last",
        "Lora",
        "Tapt",
        "Tfidf",
    ),
    "thawline.tuning.job": ("tune",),
}
# fmt: on
_MODULES = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'thawline' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)


@wrapt.when_imported("transformers.models.auto.configuration_auto")
def _register_config(module: Any) -> None:
    from thawline.backbones.glove.configuration import GloveConfig
    from thawline.models.configuration import ThawlineConfig

    for config in (ThawlineConfig, GloveConfig):
        module.AutoConfig.register(config.model_type, config, exist_ok=True)


@wrapt.when_imported("transformers.models.auto.modeling_auto")
def _register_model(module: Any) -> None:
    from thawline.backbones.glove.configuration import GloveConfig
    from thawline.backbones.glove.modeling import GloveForSequenceClassification, GloveModel
    from thawline.models.configuration import ThawlineConfig
    from thawline.models.modeling import ThawlineForSequenceClassification

    module.AutoModel.register(GloveConfig, GloveModel, exist_ok=True)
    classifiers = module.AutoModelForSequenceClassification
    classifiers.register(ThawlineConfig, ThawlineForSequenceClassification, exist_ok=True)
    classifiers.register(GloveConfig, GloveForSequenceClassification, exist_ok=True)
