"""Open the backbone that a config names: load it, or build the GloVe encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from thawline.backbones.glove.build import build_encoder
from thawline.backbones.loading import Backbone, load_backbone
from thawline.config import MADE_BACKBONE, Config
from thawline.data import Text
from thawline.runtime.progress import Reporter


def open_backbone(
    config: Config, texts: Callable[[], Sequence[Text]], reporter: Reporter
) -> Backbone:
    """Load the backbone that a config names, or build an encoder if the name is `MADE_BACKBONE`.

    If a folder named `MADE_BACKBONE` exists, it is loaded instead.

    Args:
        config: The complete configuration. Equal configurations and texts give equal encoders.
        texts: Function that returns the texts whose words the encoder should know. It is called
            only if an encoder is built.
        reporter: Receives the progress and one line about how many tokens the vectors cover.

    Returns:
        The backbone in fp32 and evaluation mode.

    Raises:
        ThawlineError: If the backbone cannot be found, read or built.
    """
    if config.backbone == MADE_BACKBONE and not Path(MADE_BACKBONE).is_dir():
        return build_encoder(config, texts(), reporter)
    return load_backbone(config.backbone, config.tokens)
