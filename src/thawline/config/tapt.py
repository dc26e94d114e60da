"""The settings of ``tapt+S``, which trains the backbone on its own objective first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from thawline.config.help import Help
from thawline.config.ranges import Count, Rate, Share


@dataclass(frozen=True)
class TaptConfig:
    """Settings of task-adaptive pretraining, before strategy S of ``tapt+S``."""

    unlabelled: Annotated[
        tuple[str, ...],
        Help(
            "Unlabelled texts for `tapt+S`: a file, a folder, a data set's name or a hub id. A "
            "`.txt` file has one text per line. The training texts are always used.",
            metavar="FILE",
            repeatable=True,
        ),
    ] = ()
    epochs: Annotated[Count, Help("Number of times that each text is read.")] = 3
    lr: Annotated[Rate, Help("Maximum learning rate of AdamW.")] = 5e-4
    head_first_epochs: Annotated[
        Count,
        Help(
            "Number of epochs that the head that predicts tokens trains alone, with a frozen "
            "backbone, if the checkpoint has no such head."
        ),
    ] = 3
    mask_share: Annotated[
        Share,
        Help("Share of the tokens that an encoder predicts. A decoder predicts all next tokens."),
    ] = 0.15
