"""The settings of `score`, which classifies files of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from thawline.config.base import AnyConfig
from thawline.config.data import TextColumn
from thawline.config.help import Help
from thawline.config.ranges import Count, Device


@dataclass(frozen=True)
class ScoreConfig(AnyConfig):
    """All settings of `score`."""

    text: TextColumn = None
    top: Annotated[
        Count | None,
        Help(
            "Number of most probable classes to write, each with its probability.",
            "the predicted class and the probability of every class",
            metavar="K",
        ),
    ] = None
    safe_csv: Annotated[
        bool,
        Help(
            "Write an apostrophe before cells that a spreadsheet would compute as a formula, in "
            "CSV and TSV."
        ),
    ] = False
    format: Annotated[
        Literal["csv", "tsv", "jsonl", "txt"] | None,
        Help(
            "Format of standard input and of standard output: `csv`, `tsv`, `jsonl`, or `txt` with "
            "one text per line as input. Files have the format of their suffix.",
            "jsonl if the input begins with {, otherwise csv; the output has the format of the "
            "input",
            metavar="FORMAT",
        ),
    ] = None
    rows_per_block: Annotated[
        Count,
        Help(
            "Number of rows that are read, classified and written together. If the command is "
            "stopped, at most one such block is lost.",
            metavar="N",
        ),
    ] = 4_096
    ray: Annotated[
        str | None,
        Help(
            "Compute on a Ray cluster and write a folder of parts. ADDRESS is HOST:PORT, `auto` "
            "for a cluster that runs on this machine, or `local` to start Ray on this machine "
            "only. If ADDRESS is omitted, the cluster that RAY_ADDRESS names or that runs on this "
            "machine is used, otherwise `local`. Needs the extra `ray`.",
            metavar="[ADDRESS]",
        ),
    ] = None
    device: Device = "auto"
    dtype: Annotated[
        str,
        Help("Number format: `float32`, `bfloat16`, or `auto` for the faster one on this machine."),
    ] = "auto"
