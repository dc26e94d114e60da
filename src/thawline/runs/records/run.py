"""What the records of all runs have in common."""

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
    memory_bytes: int = Field(description="The main memory, in bytes.")
    gpu: str | None = Field(description="The name of the CUDA GPU; null without one.")
    platform: str = Field(description="The operating system and its version.")


class JobStart(Record):
    """What every file holds from the moment that it is first written."""

    schema_version: Literal[2] = Field(
        default=SCHEMA_VERSION, description="The version of the shape of this file."
    )
    started: str = Field(description="When the job was first started: UTC, in ISO 8601.")
    config: Settings = Field(
        description="All settings, in the tables of config.toml; see the page on configuration."
    )
    versions: dict[str, str] = Field(
        description="The versions of Python, Thawline and the main libraries."
    )
    hardware: Hardware = Field(description="The machine.")


class Unfinished(Record):
    """How a job that has no results yet stands."""

    status: Literal["running", "stopped", "failed"] = Field(
        description="running (also after the process was killed), stopped (by Ctrl-C) or failed."
    )
    error: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="The type and message of the error; missing unless the job failed.",
    )


class Finished(Record):
    """How a job that has all results stands."""

    status: Literal["finished"] = Field(description="finished: all results are there.")


class RunStart(JobStart):
    """What the record of every run holds from the moment that it is first written."""

    verb: Literal["fit", "pretrain"] = Field(description="The command that makes such a run.")
    resumed: list[str] = Field(
        default=[],
        exclude_if=is_empty,
        description="When the run was resumed: UTC, in ISO 8601; missing if it never was.",
    )


class StartedRun(RunStart, Unfinished):
    """The record of an unfinished run that does not say what it was started with."""


FinishedJob = TypeVar("FinishedJob", bound=Finished)


def finish(model: type[FinishedJob], started: Unfinished, *sections: Record) -> FinishedJob:
    """Return the record of a finished job.

    Args:
        model: The type of the record.
        started: The record from before the job finished.
        sections: The results, which take the place of fields of the same name.
    """
    values: dict[str, Any] = dict(started)
    for section in sections:
        values |= dict(section)
    values.pop("error")
    return model(**values | {"status": "finished"})


class Proof(Record):
    """The proof that a fresh process reads the same classifier from the artifact."""

    texts: int = Field(description="The number of test texts that were classified by both.")
    difference: float = Field(
        description="The largest absolute difference between two probabilities."
    )
