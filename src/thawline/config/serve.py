"""The settings of `serve`, which answers requests over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from thawline.config.base import AnyConfig
from thawline.config.help import Help
from thawline.config.ranges import Bytes, Count, Device

Port = Annotated[int, Ge(0), Le(65_535)]


@dataclass(frozen=True)
class ServeConfig(AnyConfig):
    """All settings of `serve`."""

    host: Annotated[
        str,
        Help(
            "Address to listen on. The default accepts connections from this machine only.",
            metavar="ADDRESS",
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, Help("Port to listen on. 0 chooses a free one.", metavar="PORT")] = 8000
    token: Annotated[
        str | None,
        Help(
            "Token that each request must send as `Authorization: Bearer TOKEN`. The environment "
            "variable THAWLINE_TOKEN sets it without showing it in the list of processes.",
            "none",
            metavar="TOKEN",
        ),
    ] = None
    allow_origin: Annotated[
        tuple[str, ...],
        Help(
            "Origin of web pages that may send requests, for example https://example.org.",
            "none",
            metavar="ORIGIN",
            repeatable=True,
        ),
    ] = ()
    runs: Annotated[
        str | None,
        Help(
            "Folder of past runs and comparisons that the web page shows, with texts of their "
            "data.",
            "none",
            metavar="FOLDER",
        ),
    ] = None
    wait: Annotated[
        float,
        Ge(0),
        Le(1000),
        Help(
            "Maximum time in milliseconds to wait for further requests of the same batch. A "
            "request does not wait if the last batch had only one request.",
            metavar="MILLISECONDS",
        ),
    ] = 2.0
    tokens_per_batch: Annotated[
        Count,
        Help(
            "Maximum number of tokens in a batch. A longer text is computed alone.",
            metavar="TOKENS",
        ),
    ] = 8_192
    queue: Annotated[
        Count,
        Help(
            "Maximum number of texts that wait. Further requests get the status 429.",
            metavar="TEXTS",
        ),
    ] = 1_024
    max_body: Annotated[Bytes, Help("Maximum size of the body of a request.", metavar="SIZE")] = (
        8 * 2**20
    )
    max_texts: Annotated[Count, Help("Maximum number of texts in a request.", metavar="TEXTS")] = (
        256
    )
    max_characters: Annotated[
        Count, Help("Maximum number of characters of a text.", metavar="CHARACTERS")
    ] = 100_000
    timeout: Annotated[
        float,
        Gt(0),
        Le(3600),
        Help("Seconds after which an unanswered request gets the status 503.", metavar="SECONDS"),
    ] = 30.0
    log_texts: Annotated[
        bool, Help("Log the texts of requests. They are never logged otherwise.")
    ] = False
    device: Device = "auto"
    dtype: Annotated[
        str,
        Help("Number format: `float32`, `bfloat16`, or `auto` for the faster one on this machine."),
    ] = "float32"
