"""The whole job of `thawline preflight`: read a set and report what it is like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thawline.backbones.opening import open_backbone
from thawline.config import Config, PreflightConfig
from thawline.data import Text, load
from thawline.data.lengths import Tokenization
from thawline.data.preflight.inspection import inspect_dataset
from thawline.data.sources.columns import read_texts
from thawline.data.sources.formats import open_table
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter
from thawline.training.plan import make_plan


def preflight(
    config: Config,
    reporter: Reporter,
    against: Path | None = None,
    settings: PreflightConfig | None = None,
) -> dict[str, Any]:
    """Read a set as `fit` would, and look at every row of it.

    Args:
        config: the set, the backbone whose tokenizer counts, and where texts are cut.
        reporter: told of progress.
        against: a file of texts that are looked for in each split, labels or not.
        settings: what is looked at; None: the defaults.

    Returns:
        What `inspect_dataset` returns, with ``backbone``, the ``file`` that was compared, and
        ``notes``: how the splits came about, a line each.

    Raises:
        ThawlineError: whatever in the set, the file, the backbone or the settings cannot work.
    """
    others = None if against is None else _read_others(against, config.data.text)
    dataset = load(config.data)
    backbone = open_backbone(config, lambda: dataset.train.texts, reporter)
    max_length = make_plan(backbone, config).max_length
    for note in dataset.warnings:
        reporter.message(note)
    report = inspect_dataset(
        dataset,
        Tokenization(backbone.tokenizer, max_length, config.tokens.truncation_side),
        PreflightConfig() if settings is None else settings,
        reporter,
        against=others,
    )
    file = None if against is None else str(against)
    return report | {"backbone": backbone.name, "file": file, "notes": list(dataset.warnings)}


def _read_others(file: Path, text: str | None) -> list[Text]:
    """Return the texts of a file, at least one."""
    table = open_table(file)
    texts = read_texts(table, text) if table.columns else []
    if not texts:
        raise ThawlineError(f"at least one row in {table.where}", "none", "choose another file")
    return texts
