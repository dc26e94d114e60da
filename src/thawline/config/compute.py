"""The settings of the device, the number format and the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Le

from thawline.config.help import Help
from thawline.config.ranges import Bytes, Count, Device

STORE_SHARE = 0.25
"""Share that the store may use of the disk space that is free or that the store already uses."""


@dataclass(frozen=True)
class ComputeConfig:
    """Settings of the device, the number format, the batches and the store."""

    device: Device = "auto"
    dtype: Annotated[
        str,
        Help(
            "Number format of matrix products in the frozen pass and in training: `float32`, "
            "`bfloat16`, or `auto` for the faster one on this machine."
        ),
    ] = "auto"
    tokens_per_batch: Annotated[
        Count, Help("Number of tokens in a batch of the frozen pass, including padding.")
    ] = 4_096
    density: Annotated[
        float, Gt(0), Le(1), Help("Minimum share of a batch's tokens that is not padding.")
    ] = 0.99
    rows_per_chunk: Annotated[Count, Help("Number of texts in one file of the store.")] = 1_024
    bytes_per_chunk: Annotated[
        Count, Help("Maximum size of one file of the store in bytes. Long texts fill it earlier.")
    ] = 64 * 2**20
    store_limit: Annotated[
        Bytes | None,
        Help(
            "Maximum size of the store of frozen states, for example `--store-limit 20GB`. 0 "
            "stores nothing.",
            "a quarter of the disk space that is free or used by the store",
            metavar="SIZE",
        ),
    ] = None
