"""The settings of `export`, which writes a classifier in the format of another program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from thawline.config.base import AnyConfig
from thawline.config.help import Help


@dataclass(frozen=True)
class ExportConfig(AnyConfig):
    """All settings of `export`."""

    to: Annotated[
        Literal["onnx", "transformers"],
        Help(
            "Format: `onnx` for ONNX Runtime, or `transformers` for a folder that transformers "
            "loads without Thawline.",
            metavar="FORMAT",
        ),
    ] = "onnx"
    int8: Annotated[
        bool,
        Help(
            "Store and multiply weights as 8-bit integers. The model is smaller and usually "
            "faster, and its probabilities change slightly."
        ),
    ] = False
