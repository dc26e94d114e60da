"""The job of `thawline preflight`: inspect a data set before a fit."""

from __future__ import annotations

from pathlib import Path

from thawline.backbones.opening import open_backbone
from thawline.config import Config, PreflightConfig
from thawline.data import Text, load
from thawline.data.lengths import Tokenization
from thawline.data.preflight.inspection import inspect_dataset
from thawline.data.sources.columns import read_texts
from thawline.data.sources.formats import open_table
from thawline.data.sources.lines import unlabelled_lines
from thawline.errors import ThawlineError
from thawline.runs.records import PreflightReport
from thawline.runtime.progress import Reporter
from thawline.training.plan import make_plan


def preflight(
    config: Config,
    reporter: Reporter,
    against: Path | None = None,
    settings: PreflightConfig | None = None,
) -> PreflightReport:
    """Read a data set as `fit` does, and inspect all of its rows.

    Args:
        config: The settings, of which the data set, the backbone and the truncation are used.
        reporter: Shows progress and warnings.
        against: A file of texts, with or without labels, which are searched for in each split. If
            None, no file is compared.
        settings: The settings of the inspection. If None, the defaults are used.

    Returns:
        The report on the data set.

    Raises:
        ThawlineError: If the data set, the file, the backbone or a setting is invalid.
    """
    others = None if against is None else _read_others(against, config.data.text, reporter)
    dataset = load(config.data)
    backbone = open_backbone(config, lambda: dataset.train.texts, reporter)
    max_length = make_plan(backbone, config).max_length
    notes = (*dataset.describe_columns(), *dataset.warnings)
    for warning in notes:
        reporter.message(warning)
    report = inspect_dataset(
        dataset,
        Tokenization(backbone.tokenizer, max_length, config.tokens.truncation_side),
        PreflightConfig() if settings is None else settings,
        reporter,
        against=others,
    )
    return PreflightReport(
        **dict(report),
        backbone=backbone.name,
        file=None if against is None else str(against),
        notes=list(notes),
    )


def _read_others(file: Path, text: str | None, reporter: Reporter) -> list[Text]:
    """Return the texts of a file. Raise ThawlineError if it has none."""
    lines = unlabelled_lines(str(file))
    if lines:
        return list(lines)
    table = open_table(file)
    for warning in table.warnings:
        reporter.message(warning)
    texts = read_texts(table, text) if table.columns else []
    if not texts:
        raise ThawlineError(f"at least one row in {table.where}", "none", "choose another file")
    return texts
