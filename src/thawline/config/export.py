"""The settings of `export`, which writes a classifier in the format of another program."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from thawline.config.help import Help


@dataclass(frozen=True)
class ExportConfig:
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

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dict of JSON values."""
        return asdict(self)
