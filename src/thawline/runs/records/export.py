"""The JSON output of ``thawline export``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from thawline.runs.records.base import Record


class ExportedAccuracy(Record):
    """The accuracy of an export on test rows of its run, and what the format costs."""

    rows: int = Field(description="The number of test rows that were classified.")
    of: int = Field(description="The number of test rows of the run.")
    run: float = Field(description="The accuracy of the run on these rows.")
    export: float = Field(description="The accuracy of the export on these rows.")
    difference: float = Field(description="The accuracy of the export minus that of the run.")
    low: float = Field(description="The lower end of the paired interval of the difference.")
    high: float = Field(description="The upper end of that interval.")
    confidence: float = Field(description="The confidence of the interval, a share.")


class ExportedSeconds(Record):
    """The median times that one text takes on the machine of the export."""

    tokens: int = Field(
        description="The number of tokens of the text, which has 50 words, after truncation."
    )
    run: float = Field(description="The seconds in torch, in float32.")
    float32: float | None = Field(
        description="The seconds of the ONNX model in float32; null for other formats."
    )
    int8: float | None = Field(
        description="The seconds of the ONNX model in int8; null if it was not asked for."
    )
    threads: int = Field(description="The number of threads that compute.")


class ExportReport(Record):
    """The output of ``thawline export --json``."""

    folder: str = Field(description="The folder of the export.")
    to: Literal["onnx", "transformers"] = Field(description="The format.")
    precision: Literal["float32", "int8"] = Field(description="The number format of the weights.")
    bytes: int = Field(description="The size of all files together, in bytes.")
    texts: int = Field(description="The number of texts whose logits were compared with the run.")
    texts_from: str = Field(description="The origin of these texts.")
    logit_difference: float = Field(
        description="The largest difference between a logit of the export in float32 and of the "
        "run."
    )
    difference: float = Field(
        description="The largest difference between a probability of the export and of the run."
    )
    accuracy: ExportedAccuracy | None = Field(
        description="The accuracy on the test rows of the run; null without int8, or if these rows "
        "cannot be read."
    )
    seconds: ExportedSeconds | None = Field(
        description="The times that a text takes; null for other formats than onnx."
    )
