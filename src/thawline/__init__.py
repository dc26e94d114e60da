"""Thawline: a pretrained transformer becomes a text classifier, by every strategy there is.

Importing this package is quick: nothing heavy is loaded before it is used. It also makes the
Auto classes of transformers know Thawline's own models, whenever those are imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import wrapt

from thawline._version import __version__

if TYPE_CHECKING:
    from thawline.classifier import TextClassifier
    from thawline.data import load_data
    from thawline.errors import ThawlineError
    from thawline.strategies import Full, Gradual, Head, HeadFirst, Last, Lora

__all__ = [
    "Full",
    "Gradual",
    "Head",
    "HeadFirst",
    "Last",
    "Lora",
    "TextClassifier",
    "ThawlineError",
    "__version__",
    "load_data",
]

_HOMES = {
    "TextClassifier": "thawline.classifier",
    "ThawlineError": "thawline.errors",
    "load_data": "thawline.data",
    **dict.fromkeys(
        ("Full", "Gradual", "Head", "HeadFirst", "Last", "Lora"), "thawline.strategies"
    ),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'thawline' has no attribute '{name}'")


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
