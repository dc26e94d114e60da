"""Generate the tables of docs/configuration.md from the settings.

``python -m tests.support.settings_page`` (or ``make settings-update``) rewrites the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from thawline.config import Config, LoopConfig, PretrainConfig
from thawline.config.annotations import Setting, describe_type, settings_of

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
START = "## Every setting\n"
"""The heading from which on the page is generated."""

FIT_TABLES = {
    "": "General",
    "data": "Data",
    "encoder": "The encoder of `--backbone glove`",
    "tokens": "Tokens",
    "compute": "Compute",
    "head": "Head",
    "exact": "The exact fit",
    "training": "Training by epochs",
    "tapt": "Task-adaptive pretraining (`tapt+S`)",
    "artifact": "The saved classifier",
    "metrics": "Scores",
    "report": "Report",
}
PRETRAIN_TABLES = {
    "": "General settings of a pretraining",
    "corpus": "Corpus",
    "vocabulary": "Vocabulary",
    "architecture": "Architecture",
    "training": "Training on windows of tokens",
}

FIT_INTRODUCTION = """
These are the settings of `fit`, `info`, `preflight` and `evaluate`. The tables are generated from
the source code. A dash in the second column means that the setting has no fixed default; the last
column then says what is used instead. All values are checked before any computation starts, even
those of settings for which the tables only say `a string`.

[Data](data.md) describes every form of data, [Backbones](backbones.md) the backbones, and
[thawline fit](verbs/fit.md) the strategies and heads.
"""
PRETRAIN_INTRODUCTION = """
These are the settings of [`thawline pretrain`](verbs/pretrain.md), for its `--config` and `--set`.
The settings of the architecture have the same names as in `transformers.Qwen3Config`.
"""
HEADER = "| setting | default | type | meaning |\n|---|---|---|---|\n"


def page(text: str) -> str:
    """Return the page with new tables.

    Args:
        text: The page as it is. Everything after the heading of the tables is replaced.
    """
    before, start, _ = text.partition(START)
    return "".join([before, start, *_sections()])


def _sections() -> Iterator[str]:
    yield FIT_INTRODUCTION
    yield from _tables(Config, FIT_TABLES)
    yield "\n## Every setting of a pretraining\n"
    yield PRETRAIN_INTRODUCTION
    yield from _tables(PretrainConfig, PRETRAIN_TABLES)


def _tables(config_type: type, titles: dict[str, str]) -> Iterator[str]:
    rows: dict[str, list[str]] = {table: [] for table in titles}
    # The settings of the training loop in general come after those of the table itself.
    settings = sorted(settings_of(config_type).values(), key=_is_of_loop)
    for setting in settings:
        rows[setting.key.rpartition(".")[0]].append(_row(setting))
    for table, title in titles.items():
        yield f"\n### {title}\n\n{HEADER}{''.join(rows[table])}"


def _is_of_loop(setting: Setting) -> bool:
    table, _, name = setting.key.rpartition(".")
    return table == "training" and name in LoopConfig.__annotations__


def _row(setting: Setting) -> str:
    meaning = setting.help.text
    if setting.default is None and setting.help.default is not None:
        meaning = f"{meaning} Default: {setting.help.default}."
    default = "–" if setting.default is None else f"`{json.dumps(setting.default)}`"
    return f"| `{setting.key}` | {default} | {describe_type(setting.hint)} | {meaning} |\n"


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
