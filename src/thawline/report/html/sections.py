"""The sections that all reports share: the data, the protocol, the machine and how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from thawline.report.html.blocks import (
    Block,
    Cell,
    Code,
    Column,
    Details,
    Fact,
    Facts,
    Lines,
    Section,
    Table,
)
from thawline.report.html.words import count_of, number_cell, share_cell
from thawline.report.preflight import listed_classes
from thawline.runs.records import Copies, CopyExample, JobStart, Survey, SurveyedRows
from thawline.runs.records.data import DataReference


def data_section(survey: Survey) -> Section:
    """Return the report on the inspection of the data."""
    columns: dict[str, SurveyedRows] = {**dict(survey.splits.items()), "all": survey.all}
    blocks: list[Block] = []
    if survey.findings:
        blocks.append(Lines(survey.findings, "Findings", "caution"))
    else:
        blocks.append(Lines(["The quick inspection found no problem."], "Findings", "good"))
    blocks += [_rows_table(columns), _tokens_table(survey, columns), _duplicates_table(survey)]
    examples = list(_example_rows(survey))
    if examples:
        names = [
            Column("Text", numeric=False, prose=True),
            Column("Places", numeric=False),
            Column("Labels", numeric=False),
        ]
        table = Table("Test texts that also occur in train or validation", names, examples)
        blocks.append(Details("Examples of texts that occur in two splits", [table]))
    shown = [
        [Cell(row.text), Cell(row.label), Cell(name), number_cell(row.row)]
        for name, part in survey.splits.items()
        for row in part.shown
    ]
    if shown:
        headings = [
            Column("Text", numeric=False, prose=True),
            Column("Class", numeric=False),
            Column("Split", numeric=False),
            Column("Row"),
        ]
        blocks.append(Details("Some rows", [Table("Randomly chosen rows", headings, shown)]))
    return Section("data", "Data", blocks)


def _rows_table(columns: Mapping[str, SurveyedRows]) -> Table:
    sizes = columns["all"].classes
    listed = listed_classes(sizes)
    rows = [
        [Cell(label), *(number_cell(part.classes.get(label, 0)) for part in columns.values())]
        for label in listed
    ]
    rows.append([Cell("All classes"), *(number_cell(part.rows) for part in columns.values())])
    rows.append([Cell("Empty texts"), *(number_cell(part.empty) for part in columns.values())])
    left_out = len(sizes) - len(listed)
    more = (
        f"; {count_of(left_out, 'class', 'classes')} of medium size are not listed"
        if left_out
        else ""
    )
    names = [Column("Class", numeric=False), *(Column(name) for name in columns)]
    return Table(f"Texts of each class in each split{more}", names, rows)


def _tokens_table(survey: Survey, columns: Mapping[str, SurveyedRows]) -> Table:
    rows = [
        [Cell(name), *(number_cell(part.tokens[name]) for part in columns.values())]
        for name in survey.all.tokens
    ]
    rows.append([Cell("Truncated"), *(share_cell(part.truncated) for part in columns.values())])
    unit, caption = "Words", "Lengths of the texts in words"
    if survey.max_length is not None:
        end = "end" if survey.truncation_side == "right" else "start"
        unit, caption = "Tokens", "Lengths of the texts in tokens. Texts of more than "
        caption += f"{survey.max_length:,} tokens lose their {end}."
    return Table(caption, [Column(unit, numeric=False), *map(Column, columns)], rows)


def _duplicates_table(survey: Survey) -> Table:
    exact, near = survey.duplicates.exact, survey.duplicates.near
    pairs: list[tuple[str, Copies, Copies | None]] = [
        (f"Within {name}", part, None if near is None else near.within[name])
        for name, part in exact.within.items()
    ]
    others: Sequence[Copies | None] = [None] * len(exact.across) if near is None else near.across
    for across, other in zip(exact.across, others, strict=True):
        pairs.append((f"In {across.splits[0]} and {across.splits[1]}", across, other))
    columns = [Column("Place", numeric=False), Column("Texts"), Column("With several labels")]
    if near is not None:
        columns += [Column("Near duplicates"), Column("With several labels")]
    rows = []
    for name, one, other in pairs:
        found = [one] if other is None else [one, other]
        numbers = [number for part in found for number in (part.texts, part.conflicting)]
        rows.append([Cell(name), *map(number_cell, numbers)])
    return Table("Texts that occur more than once", columns, rows)


def _example_rows(survey: Survey) -> Iterator[list[Cell]]:
    leakage = survey.leakage
    found: list[CopyExample] = [*leakage.exact.examples]
    found += [] if leakage.near is None else leakage.near.examples
    for example in found:
        texts = dict.fromkeys(place.text for place in example.copies)
        labels = dict.fromkeys(label for place in example.copies for label in place.labels)
        places = [f"{place.split} {', '.join(map(str, place.rows))}" for place in example.copies]
        yield [Cell("\n".join(texts)), Cell("\n".join(places)), Cell(", ".join(labels))]


def protocol_section(data: DataReference, extra: Sequence[str] = ()) -> Section:
    """Return how the data was split, and what the scores may be used for.

    Args:
        data: The data set.
        extra: Further sentences.
    """
    protocol = data.protocol
    rows = [
        [Cell(name), Cell(origin.source), number_cell(origin.rows), Cell(origin.how)]
        for name, origin in protocol.splits.items()
    ]
    columns = [
        Column("Split", numeric=False),
        Column("Split of the source", numeric=False),
        Column("Texts"),
        Column("How the rows were chosen", numeric=False, prose=True),
    ]
    facts = [Fact("Random seed of the rows", str(protocol.row_seed))]
    if data.text_columns:
        facts.append(Fact("Text columns", ", ".join(data.text_columns)))
    if data.label_column is not None:
        facts.append(Fact("Label column", data.label_column))
    facts.append(Fact("SHA-256 of texts and labels", data.sha256))
    sentences = [*extra, *data.notes]
    blocks: list[Block] = [Table("Splits", columns, rows), Facts(facts)]
    if sentences:
        blocks.insert(0, Lines(sentences))
    return Section("protocol", "Protocol", blocks)


def machine_section(start: JobStart, memory: int | None = None) -> Section:
    """Return the versions and the hardware of a job.

    Args:
        start: The record of the job.
        memory: The peak memory of the process, in bytes. If None, it is left out.
    """
    hardware = start.hardware
    cores = "unknown number of cores" if hardware.cores is None else f"{hardware.cores} cores"
    used = [cores, f"{count_of(hardware.threads, 'thread')} of torch"]
    if hardware.instructions is not None:
        used.append(f"with {hardware.instructions}")
    facts = [
        Fact("Processor", hardware.cpu, ", ".join(used)),
        Fact("GPU", "none" if hardware.gpu is None else hardware.gpu),
        Fact("Memory", f"{hardware.memory_bytes / 2**30:.1f} GiB"),
        Fact("Operating system", hardware.platform),
        Fact("Started", start.started.replace("T", " ").replace("+00:00", " UTC")),
    ]
    if memory is not None:
        facts.append(Fact("Peak memory of the process", f"{memory / 1e6:,.0f} MB"))
    rows = [[Cell(name), Cell(version)] for name, version in start.versions.items()]
    columns = [Column("Package", numeric=False), Column("Version", numeric=False)]
    blocks: list[Block] = [Facts(facts), Table("Versions", columns, rows)]
    return Section("machine", "Versions and hardware", blocks)


def repeat_section(
    start: JobStart, commands: Sequence[tuple[str, str]], verb: str, extra: Sequence[Block] = ()
) -> Section:
    """Return how to repeat a job and how to use its results.

    Args:
        start: The record of the job, which has its settings.
        commands: Each command, with what it does before it.
        verb: The command that made the results.
        extra: Further blocks.
    """
    settings = settings_as_toml(start.config)
    blocks: list[Block] = [Code(caption, command) for caption, command in commands]
    blocks += extra
    what = f"All settings, for example for thawline {verb} --config settings.toml"
    blocks.append(Details("All settings", [Code(what, settings)]))
    return Section("repeat", "How to repeat it", blocks)


def settings_as_toml(settings: Mapping[str, Any]) -> str:
    """Return the settings of a record as TOML, which has no None. Such settings are left out."""
    return tomli_w.dumps(_without_none(settings))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_none(one) for one in value if one is not None]
    return value


def quoted(path: Path | str) -> str:
    """Return a path as a shell reads it."""
    return shlex.quote(str(path))


def maker_line(start: JobStart) -> str:
    """Return a line on the version of Thawline that made the results."""
    version = start.versions.get("thawline", "of unknown version")
    return f"Made with Thawline {version} on {start.started[:10]}."
