"""`thawline info`: print what a strategy would train."""

from __future__ import annotations

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.console import print_json
from thawline.cli.groups import app
from thawline.config import Config
from thawline.runtime.imports import quick_imports

SETTINGS = (
    *("backbone", "strategy", "encoder.vectors", "data.labels"),
    *("head.head", "head.pooling", "head.features"),
)


@verb_with_settings(app, Config, SETTINGS)
def info(config: Config, as_json: opt.Json = False) -> None:
    """Print the stages of a backbone and what a strategy trains.

    This command needs no data. Without --labels, it assumes two classes.
    """
    with quick_imports():
        from thawline.jobs.info import describe

    names = config.data.labels
    described = describe(config, n_labels=2 if names is None else len(names))
    if as_json:
        print_json(described.to_dict())
    else:
        from thawline.report.terminal import print_info

        print_info(described)
