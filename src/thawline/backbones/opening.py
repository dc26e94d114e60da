"""Open the backbone that a config names: load it, or build the GloVe encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from thawline.backbones.glove.build import make_encoder
from thawline.backbones.loading import Backbone, load_backbone
from thawline.config import MADE_BACKBONE, Config
from thawline.data import Text
from thawline.runtime.progress import Reporter


def open_backbone(
    config: Config, texts: Callable[[], Sequence[Text]], reporter: Reporter
) -> Backbone:
    """Load the backbone that a config names, or make it where that is `MADE_BACKBONE`.

    A folder of that name wins, as it does over every name.

    Args:
        config: all of it; the same config and texts make the same encoder.
        texts: gives those whose words the encoder is to know; called only where one is made.
        reporter: told of progress, and of how much of the texts the vectors cover.

    Raises:
        ThawlineError: as `load_backbone` or `make_encoder`.
    """
    if config.backbone == MADE_BACKBONE and not Path(MADE_BACKBONE).is_dir():
        return make_encoder(config, texts(), reporter)
    return load_backbone(config.backbone, config.tokens)
