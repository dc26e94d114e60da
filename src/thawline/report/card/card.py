"""Write the model card of a fit, from its record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thawline.backbones.finding import PACKAGED_BACKBONES
from thawline.data.sources.hub import NAMED_SETS
from thawline.data.sources.packaged import PACKAGED_SETS
from thawline.errors import join_lines, printable
from thawline.report.tables import BEFORE_AFTER_ROWS, MISSING, SHARES, with_interval
from thawline.runs.records import ClassScores, FitRecord, Score
from thawline.runtime.files import write_file

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

CARD = "README.md"
"""The name of the file in the folder of an artifact, as the hub expects it."""

MAX_CLASSES = 20
"""The largest number of classes that are listed."""

HUB_IDS = {"minilm": "sentence-transformers/all-MiniLM-L6-v2"}
"""The hub ids of backbones that Python packages contain. Other packaged ones are not on the hub."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[\w.-]{1,96})?")
_INLINE = re.compile(r"[\\`*_\[\]<>|~&$@]|(?<=:)/(?=/)|(?<=\bwww)\.", re.IGNORECASE)
"""What has a meaning within a line: emphasis, code, links, HTML, tables, formulas and mentions, and
the punctuation by which addresses become links."""

_START = re.compile(r"(\d{0,9})(?=[.)](?:\s|$))|(?=[#+\-=:])")
"""The start of a heading, of a list or of a table's second line."""

_CODE = re.compile(r"((?<!`)`(?! )[^`]+(?<! )`(?!`))")
"""Words between single backticks, which Markdown shows as code."""

_METRICS = {"accuracy": "accuracy", "f1_macro": "f1"}
"""The scores in the metadata, with the names that the hub gives to their metrics."""


def write_card(record: FitRecord, folder: Path) -> None:
    """Write the model card of a fit.

    Args:
        record: The record of the fit.
        folder: The folder of its artifact.

    Raises:
        OSError: If the file cannot be written.
    """
    write_file(folder / CARD, model_card(record).encode())


def model_card(record: FitRecord) -> str:
    """Return the model card of a fit, in Markdown, with the hub's metadata in YAML.

    Texts from the data and the settings are escaped, so that they are shown as they are. Only in
    warnings, words in backticks are code. The card names no path of this machine.

    Args:
        record: The record of the fit.
    """
    return f"---\n{_metadata(record)}\n---\n\n{_body(record)}"


# -- metadata --------------------------------------------------------------------------------------


def _metadata(record: FitRecord) -> str:
    """Return the metadata that the hub reads, as YAML."""
    from huggingface_hub import ModelCardData

    base, data = _base_model(record), _hub_set(record)
    metadata = ModelCardData(
        library_name="thawline",
        pipeline_tag="text-classification",
        base_model=base,
        datasets=data,
        language=_language(record),
        metrics=[*_METRICS.values()],
        tags=["text-classification", "thawline"],
        model_name=_name(record),
        eval_results=[*_results(record, data)],
    )
    yaml: str = metadata.to_yaml()
    return yaml


def _name(record: FitRecord) -> str:
    return printable(f"{record.data.name}-{record.strategy}")


def _results(record: FitRecord, hub_set: str | None) -> Iterator[EvalResult]:
    """Yield the scores on test. The names of the metrics contain the intervals."""
    from huggingface_hub import EvalResult

    level = f"{100 * record.test.confidence_level:g} %"
    for field, metric in _METRICS.items():
        score: Score = getattr(record.test, field)
        words = SHARES[field][0].upper() + SHARES[field][1:]
        yield EvalResult(
            task_type="text-classification",
            task_name="Text classification",
            dataset_type=printable(record.data.name) if hub_set is None else hub_set,
            dataset_name=printable(record.data.name),
            dataset_split=_split_of_test(record),
            metric_type=metric,
            metric_name=f"{words} ({level} interval {score.low:.4f} to {score.high:.4f})",
            metric_value=round(score.value, 6),
            metric_args={"average": "macro"} if field == "f1_macro" else None,
        )


def _split_of_test(record: FitRecord) -> str:
    """Return the split that the test rows come from. It is test if they were carved out."""
    splits = record.data.protocol.splits
    source = splits["test"].source
    others = {name for split in ("train", "validation") for name in splits[split].source.split("+")}
    return "test" if source in {record.data.name, *others} else printable(source)


def _base_model(record: FitRecord) -> str | None:
    """Return the hub id of the backbone. None if it has none."""
    if record.backbone is None or record.encoder is not None:
        return None
    origin = record.backbone.origin
    name = record.backbone.name if origin is None else origin.backbone
    if name in PACKAGED_BACKBONES:
        return HUB_IDS.get(name)
    return name if _is_hub_id(name) else None


def _hub_set(record: FitRecord) -> str | None:
    """Return the hub id of the data set. None if the data did not come from the hub."""
    name = _data_name(record)
    if name in PACKAGED_SETS or not _is_hub_id(name):
        return None
    return NAMED_SETS[name].hub_id if name in NAMED_SETS else name


def _language(record: FitRecord) -> str | None:
    """Return the language of the texts, which is known for data sets with a name: English."""
    name = _data_name(record)
    return "en" if name in {*NAMED_SETS, *PACKAGED_SETS} and _is_hub_id(name) else None


def _data_name(record: FitRecord) -> str:
    """Return the data set as the user named it."""
    settings = record.config.get("data")
    name = settings.get("data") if isinstance(settings, dict) else None
    return name if isinstance(name, str) else ""


def _is_hub_id(name: str) -> bool:
    """Return whether a name can be a hub id, and is no file or folder."""
    return _HUB_ID.fullmatch(name) is not None and not Path(name).exists()


# -- text ------------------------------------------------------------------------------------------


def escape(value: object) -> str:
    """Return a text that Markdown shows as it is, on one line.

    Control characters are made visible, and what Markdown would interpret gets a backslash.
    """
    return _escape_start(_escape_inline(join_lines(printable(value))))


def escape_around_code(text: str) -> _Markdown:
    """Return a text like `escape`, in which words between single backticks are code.

    Args:
        text: For example a warning, which names settings in backticks.
    """
    parts = _CODE.split(join_lines(printable(text)))
    parts[::2] = map(_escape_inline, parts[::2])  # the others are code, in which no escape works
    return _Markdown(_escape_start("".join(parts)))


def _escape_inline(text: str) -> str:
    return _INLINE.sub(r"\\\g<0>", text)


def _escape_start(text: str) -> str:
    start = _START.match(text)
    return text if start is None else f"{start[0]}\\{text[start.end() :]}"


def _body(record: FitRecord) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # of HTML: the output is Markdown, whose texts `finalize` escapes
        finalize=lambda value: value if isinstance(value, _Markdown) else escape(value),
    )
    environment.filters |= {
        "code": _code,
        "number": lambda number: _Markdown(f"{number:,}"),
        "score": lambda score, share: _Markdown(with_interval(score, share)),
        "share": lambda share: _Markdown(MISSING if share is None else f"{100 * share:.1f} %"),
    }
    scores = [
        (name, _Markdown(SHARES.get(name, name)), name in SHARES) for name in BEFORE_AFTER_ROWS
    ]
    text: str = environment.get_template("card.md.j2").render(
        title=f"{record.data.name}: {record.strategy}",
        record=record,
        names=record.labels.names,
        backbone=None if record.backbone is None else _public(record.backbone.name),
        scores=scores,
        shown=_largest(record),
        adapters="adapters" in record.parameters.trained,
        limits=[*_limits(record)],
        training=[*_training(record)],
    )
    return re.sub(r"\n{3,}", "\n\n", text)


class _Markdown(str):
    """A text that is Markdown already."""


def _code(value: object) -> _Markdown:
    """Return a text for a code span, in which no escape works."""
    return _Markdown(join_lines(printable(value)).replace("`", "'"))


def _public(name: str) -> str:
    """Return the name of a backbone, or of its folder without the path, which is private."""
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1] if not _is_hub_id(name) else name


def _largest(record: FitRecord) -> list[tuple[str, int, ClassScores]]:
    """Return the largest classes with their train texts and their scores, in their order."""
    sizes = record.preflight.splits["train"].classes
    rows = [
        (name, sizes.get(name, 0), one)
        for name, one in zip(record.labels.names, record.test.per_class, strict=True)
    ]
    kept = sorted(range(len(rows)), key=lambda place: -rows[place][2].support)[:MAX_CLASSES]
    return [rows[place] for place in sorted(kept)]


def _limits(record: FitRecord) -> Iterator[str]:
    """Yield sentences on what the classifier is not known to do."""
    language = "than English" if _language(record) else "than those of these texts"
    yield (
        f"It was trained and scored on texts of {record.data.name}. The scores do not hold for "
        f"other kinds of texts, or for other languages {language}."
    )
    yield (
        f"It assigns every text to one of its {len(record.labels.names)} classes, also a text that "
        "belongs to none of them."
    )
    truncated = record.preflight.splits["test"].truncated
    if record.max_length is not None:
        end = "end" if record.preflight.truncation_side == "right" else "start"
        share = "" if truncated is None else f", as {100 * truncated:.0f} % of the test texts are"
        yield f"Texts of more than {record.max_length:,} tokens are truncated at the {end}{share}."
    yield (
        "Its probabilities have a calibration error of "
        f"{with_interval(record.test.calibration_error, share=True)} on test."
    )
    yield from map(escape_around_code, record.warnings)
    yield from map(escape_around_code, record.preflight.findings)
    if record.backbone is not None:
        yield "The terms of the backbone and of the data hold for this classifier too."


def _training(record: FitRecord) -> Iterator[tuple[str, Any]]:
    """Yield the main settings and the cost, each with its name."""
    yield "strategy", record.strategy
    if record.backbone is not None:
        yield "backbone", _public(record.backbone.name)
        yield "SHA-256 of the backbone", record.backbone.sha256
    yield "head", record.head if record.pooling is None else f"{record.head}, {record.pooling}"
    if record.max_length is not None:
        yield "maximum length", f"{record.max_length} tokens"
    if record.epochs is not None:
        yield "epochs", record.epochs
    if record.lr is not None:
        yield "learning rate", f"{record.lr:g}"
    counts = record.parameters
    yield "trained parameters", _Markdown(f"{counts.trainable:,} of {counts.total:,}")
    yield "hardware", record.hardware.gpu or record.hardware.cpu
    yield from record.versions.items()
