"""The fields that the records of all runs have in common."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import Field

from thawline.runs.records.base import (
    SCHEMA_VERSION,
    Record,
    Settings,
    is_empty,
    is_none,
)


class Hardware(Record):
    """The machine that a job ran on."""

    cpu: str = Field(description="The name of the processor.")
    cores: int | None = Field(description="The number of logical cores; null if unknown.")
    threads: int = Field(description="The number of threads that torch computes with.")
    instructions: str | None = Field(
        default=None,
        description="The widest vector instructions of the processor that torch uses, for example "
        "AVX2 or AVX512, on which its speed depends; null in records of earlier versions.",
    )
    memory_bytes: int = Field(description="The main memory, in bytes.")
    gpu: str | None = Field(description="The name of the CUDA GPU; null without one.")
    platform: str = Field(description="The operating system and its version.")


class JobStart(Record):
    """The part of a record that every job writes when it starts."""

    schema_version: Literal[3] = Field(
        default=SCHEMA_VERSION, description="The version of the structure of this file."
    )
    started: str = Field(description="The time of the first start, in UTC and ISO 8601.")
    config: Settings = Field(
        description="All settings, in the tables of config.toml; see the page on configuration."
    )
    versions: dict[str, str] = Field(
        description="The versions of Python, Thawline and the main libraries."
    )
    hardware: Hardware = Field(description="The machine.")
    starts: list[float] = Field(
        default=[],
        exclude_if=is_empty,
        description="The seconds of each start of the job that has ended, the first one first; "
        "missing if there is none. For a start that was killed, the seconds until the last file "
        "that it wrote.",
    )


class Unfinished(Record):
    """The status of a job that has no results yet."""

    status: Literal["running", "stopped", "failed"] = Field(
        description="running (also after the process was killed), stopped (by Ctrl-C or "
        "by a signal that ends the process) or failed."
    )
    error: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="The type and message of the error; missing unless the job failed.",
    )


class Finished(Record):
    """The status of a job that has all results."""

    status: Literal["finished"] = Field(description="finished: the record has all results.")


class RunStart(JobStart):
    """The part of a record that every run writes when it starts."""

    verb: Literal["fit", "pretrain"] = Field(description="The command that made the run.")
    resumed: list[str] = Field(
        default=[],
        exclude_if=is_empty,
        description="The times at which the run was resumed, in UTC and ISO 8601; missing if it "
        "never was.",
    )


class StartedRun(RunStart, Unfinished):
    """The record of an unfinished run that lacks the description of what it computes."""


FinishedJob = TypeVar("FinishedJob", bound=Finished)


def finish(model: type[FinishedJob], started: Unfinished, *sections: Record) -> FinishedJob:
    """Return the record of a finished job.

    Args:
        model: The type of the record.
        started: The record of the unfinished job.
        sections: The results. They replace fields of the same name.
    """
    values: dict[str, Any] = dict(started)
    for section in sections:
        values |= dict(section)
    values.pop("error")
    return model(**values | {"status": "finished"})


class Proof(Record):
    """The proof that a fresh process loads the same classifier from the artifact."""

    texts: int = Field(description="The number of test texts that both processes classified.")
    difference: float = Field(
        description="The largest absolute difference between the probabilities of both processes."
    )
