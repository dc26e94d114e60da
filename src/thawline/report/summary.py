"""The sections of a result: what the commands print, and `summary`, which returns it as text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence

from rich.console import Group, RenderableType

from thawline.config import ReportConfig
from thawline.errors import ThawlineError, did_you_mean, in_words
from thawline.report.confusions import confusion_table
from thawline.report.ladder import ladder_lines, ladder_table
from thawline.report.mistakes import answers_table, mistakes_sections, samples_table
from thawline.report.sizes import sizes_lines, sizes_table
from thawline.report.tables import (
    HEAD_FITTED,
    LABEL_WIDTH,
    before_after_table,
    history_table,
    kept_line,
    per_class_table,
    scores_table,
    wrap_labelled,
)
from thawline.runs.records import (
    AdaptedBackbone,
    EvaluationReport,
    FitParameters,
    FitRecord,
    LadderRecord,
    MainScores,
    Scores,
)
from thawline.runtime import terminal


def summary(result: FitRecord | LadderRecord | Scores, *sections: str) -> str:
    """Return the tables that the command line prints about a result, as text of 80 columns.

    A section that the result lacks, such as the epochs of an exact fit, is left out.

    Args:
        result: The record of a fit, as `fit_run` and `read_record` return it, the record of a
            comparison, or the scores that `evaluate_run` and `TextClassifier.evaluate` return.
        *sections: Names of sections, in the order in which they are returned: of a fit ``scores``
            (before and after training), ``warnings``, ``classes``, ``confusion``, ``epochs``,
            ``samples``, ``texts`` (those of ``--show``), ``mistakes`` and ``cost``, of a
            comparison ``strategies`` and ``sizes``, and of scores ``scores``, ``classes`` and
            ``confusion``. If omitted, all sections.

    Returns:
        The sections, with a blank line between two of them.

    Raises:
        ThawlineError: If the result has no section of that name.
    """
    if not isinstance(result, FitRecord | LadderRecord | Scores):
        found = f"an object of type {type(result).__name__}"
        fix = "give for example what fit_run returned"
        raise ThawlineError("the record of a fit or of a comparison, or scores", found, fix)
    known = sections_of(result)
    for name in sections:
        if name not in known:
            expected = f"a section of a {type(result).__name__} ({', '.join(known)})"
            raise ThawlineError(expected, f"'{name}'", did_you_mean(name, known))
    found = [known[name]() for name in sections or known]
    texts = [terminal.as_text(section) for section in found if section is not None]
    return "\n\n".join(texts)


Section = Callable[[], RenderableType | None]
"""Returns what is printed, or None if the result has nothing to show there."""


def sections_of(result: FitRecord | LadderRecord | Scores) -> Mapping[str, Section]:
    """Return the sections of a result by name, in the order in which they are printed."""
    if isinstance(result, FitRecord):
        return fit_sections(result, ReportConfig())
    if isinstance(result, LadderRecord):
        return ladder_sections(result)
    return scores_sections(result)


# -- a fit ----------------------------------------------------------------------------------------


def fit_sections(record: FitRecord, shown: ReportConfig) -> dict[str, Section]:
    """Return the sections of a fit.

    Args:
        record: The record of the fit.
        shown: The numbers of classes and mistakes that are shown.
    """
    test, names = record.test, record.labels.names
    unit = "words" if record.backbone is None else "tokens"
    title = f"{record.data.name}: {test.rows:,} test texts, {intervals(test)}"
    return {
        "scores": lambda: Group(title, before_after_table(record.baseline, test)),
        "warnings": lambda: _warnings(record.warnings),
        "classes": lambda: _classes(test, names, shown.classes),
        "confusion": lambda: confusion_table(test, names),
        "epochs": lambda: _epochs(record),
        "samples": lambda: samples_table(record.samples),
        "texts": lambda: answers_table(record.answers) if record.answers else None,
        "mistakes": lambda: Group(*mistakes_sections(record.mistakes, shown.shown_mistakes, unit)),
        "cost": lambda: _cost(record),
    }


def _warnings(warnings: Sequence[str]) -> str | None:
    return "\n".join(wrap_labelled("warning", in_words(warning)) for warning in warnings) or None


def _classes(test: Scores, names: Sequence[str], most: int) -> RenderableType:
    table = per_class_table(test, names, most)
    left_out = len(names) - table.row_count
    hint = f"and {left_out:,} with a higher F1 (thawline evaluate lists all classes)"
    return Group(table, hint) if left_out else table


def _epochs(record: FitRecord) -> RenderableType | None:
    if record.kept is None:
        return None
    start = "untrained" if record.head_first is None else HEAD_FITTED
    kept = textwrap.fill(kept_line(record.kept, record.history), 79)
    return Group(history_table(record.history, start), kept)


def intervals(scores: MainScores) -> str:
    """Return the level of the intervals, for example "95 % confidence intervals"."""
    return f"{100 * scores.confidence_level:g} % confidence intervals"


def _cost(record: FitRecord) -> str:
    """Return lines on what was trained, and on the seconds and the memory that it took."""
    return "\n".join(
        [
            f"strategy  {_with_line(record.strategy, record.line)}",
            *([] if record.tapt is None else [wrap_labelled("tapt", _tapt(record.tapt))]),
            wrap_labelled("head", _reads(record)),
            f"trained   {_trained(record.parameters)} of {record.parameters.total:,} parameters",
            wrap_labelled("seconds", _seconds(record)),
            *_speed(record),
            f"memory    {record.peak_memory_bytes / 1e6:,.0f} MB at the peak",
        ]
    )


def _with_line(strategy: str, line: int | None) -> str:
    return strategy if line is None else f"{strategy}, thaw line {line}"


def _reads(record: FitRecord) -> str:
    """Return the head and what it reads."""
    parts = [record.head]
    if record.features:
        parts += [f"pooling {record.pooling}", stages_read(record.features)]
    if record.words is not None:
        parts.append(f"{record.words.terms:,} words and pairs of words")
    return ", ".join(parts)


def _tapt(adapted: AdaptedBackbone) -> str:
    """Return how the backbone was trained on its own objective."""
    (kept,) = [row for row in adapted.history if row.kept]
    words = "an earlier training is used again: " if adapted.reused else ""
    return (
        f"{words}{adapted.objective} of {adapted.train:,} texts, loss "
        f"{adapted.history[0].validation_loss:.3f} to {kept.validation_loss:.3f} on "
        f"{adapted.held_out:,} others"
    )


def stages_read(stages: Sequence[int]) -> str:
    """Return the stages that a head reads as "features of stages 0, 1, 2"."""
    return f"features of stage{'s' if len(stages) > 1 else ''} {', '.join(map(str, stages))}"


def _seconds(record: FitRecord) -> str:
    """Return the total seconds and the seconds of each part."""
    seconds = record.seconds
    first, earlier = seconds.head_first or 0.0, sum(record.starts[:-1])
    first += seconds.tapt or 0.0
    known = seconds.tokenising + seconds.prefix + first + seconds.training + seconds.evaluation
    prefix = f" ({reading})" if (reading := _reading(record)) else ""
    head_first = [] if seconds.head_first is None else [f"head first {seconds.head_first:.1f}"]
    tapt = [] if seconds.tapt is None else [f"tapt {seconds.tapt:.1f}"]
    parts = [
        *tapt,
        f"tokenising {seconds.tokenising:.1f}",
        f"prefix {seconds.prefix:.1f}{prefix}",
        *head_first,
        f"training {seconds.training:.1f}",
        f"evaluation {seconds.evaluation:.1f}",
        f"other {seconds.total - earlier - known:.1f} (loading, saving, proof)",
        *([f"earlier starts {earlier:.1f}"] if earlier else []),
    ]
    return f"{seconds.total:.1f} in total: {', '.join(parts)}"


def _reading(record: FitRecord) -> str:
    """Return how the texts were read by the frozen pass, or "" if there was none."""
    if record.prefix.texts:
        passes = "in two passes" if _has_two_passes(record) else "once"
        return f"{record.prefix.texts:,} texts read {passes}"
    # A strategy without frozen blocks reads nothing. Older records have no number here.
    return "" if record.prefix.from_store == 0 else "all states from the store"


def _speed(record: FitRecord) -> list[str]:
    """Return a line with the share of the matrix rate that each part reached, or two if it is long.

    Returns:
        An empty list if no part ran blocks of the backbone.
    """
    machine = "this machine's" if record.prefix.device == "cpu" else "this GPU's"
    suffix = None if record.suffix is None else record.suffix.share_of_matrix_rate
    shares = {
        "prefix": (record.seconds.prefix, record.prefix.share_of_matrix_rate),
        "training": (record.seconds.training, suffix),
    }
    parts = [
        f"{name} {seconds:.1f} s, {_per_cent(share)}"
        for name, (seconds, share) in shares.items()
        if share is not None
    ]
    if parts:
        parts[0] += f" of {machine} matrix rate"
    if record.prefix.from_store and not record.prefix.texts:
        parts.insert(0, "prefix from the store")
    line = f"{'speed':<{LABEL_WIDTH}}{'; '.join(parts)}"
    lines = line if len(line) < 80 else line.replace("; ", f";\n{' ' * LABEL_WIDTH}")
    return [lines] if parts else []


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"


def _has_two_passes(record: FitRecord) -> bool:
    """Return whether two frozen passes took place: one to pooled states, and one to the line."""
    return record.head_first is not None and record.line is not None and record.line > 1


def _trained(parameters: FitParameters) -> str:
    """Return the number of trained parameters, by part if more than the head was trained."""
    counts = [f"{name} {count:,}" for name, count in parameters.trained.items()]
    parts = f" ({', '.join(counts)})" if len(counts) > 1 else ""
    return f"{parameters.trainable:,}{parts}"


# -- scores and comparisons -----------------------------------------------------------------------


def scores_sections(scores: Scores) -> dict[str, Section]:
    """Return the sections of scores. Without names, the classes are numbered."""
    if isinstance(scores, EvaluationReport):
        names: Sequence[str] = scores.labels
        origin = "" if scores.source == scores.split else f" (rows of {scores.source})"
        split = "all splits" if scores.split == "all" else f"the {scores.split} split"
        title = f"{scores.rows:,} texts of {split}{origin}, {intervals(scores)}"
    else:
        names = [str(label) for label in range(len(scores.per_class))]
        title = f"{scores.rows:,} texts, {intervals(scores)}"
    return {
        "scores": lambda: Group(title, scores_table(scores)),
        "classes": lambda: per_class_table(scores, names),
        "confusion": lambda: confusion_table(scores, names),
    }


def ladder_sections(record: LadderRecord) -> dict[str, Section]:
    """Return the sections of a comparison."""
    return {"strategies": lambda: _strategies(record), "sizes": lambda: _sizes(record)}


def _strategies(record: LadderRecord) -> RenderableType:
    parts, test = record.data.protocol.splits, record.rungs[0].test
    rows = ", ".join(f"{part.rows:,} {name}" for name, part in parts.items())
    title = f"{record.data.name}: {rows} texts, {intervals(test)}"
    return Group(title, ladder_table(record), "\n".join(ladder_lines(record)))


def _sizes(record: LadderRecord) -> RenderableType | None:
    if record.curves is None:
        return None
    return Group(sizes_table(record.curves), "\n".join(sizes_lines(record.curves)))
