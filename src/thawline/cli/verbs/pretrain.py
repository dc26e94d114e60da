"""`thawline pretrain`: train a small language model."""

from __future__ import annotations

from pathlib import Path

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.console import print_json
from thawline.cli.groups import app
from thawline.config import PretrainConfig
from thawline.errors import ThawlineError
from thawline.runtime.imports import quick_imports

SETTINGS = {
    "Corpus": ("corpus.data", "corpus.without", "corpus.text", "vocabulary.size"),
    "Training": ("training.epochs", "training.batch_size", "training.lr", "seed"),
    "Compute": ("device", "dtype"),
}


@verb_with_settings(app, PretrainConfig, SETTINGS)
def pretrain(
    config: PretrainConfig,
    out: opt.Out = None,
    resume: opt.Resume = False,
    as_json: opt.Json = False,
) -> None:
    """Train a small language model on unlabelled texts.

    The model can be the --backbone of fit, and generate can write text with it.
    """
    if not config.corpus.data:
        fix = "add --data with a file, a folder or a data set's name"
        raise ThawlineError("--data", "none", fix, setting="corpus.data")
    with quick_imports():
        from thawline.pretraining.job import pretrain_run
    from thawline.runs.folder import reserved_folder
    from thawline.runtime.progress import TerminalReporter

    name = f"{Path(config.corpus.data[0]).stem}-qwen3"
    with reserved_folder(out, name) as folder:
        record = pretrain_run(config, folder, TerminalReporter(), resume=resume)
    if as_json:
        print_json(record.to_dict())
    else:
        from thawline.report.pretraining import print_pretraining

        print_pretraining(record, folder)
