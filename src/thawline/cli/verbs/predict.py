"""`thawline predict`: classify texts with a saved classifier."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.console import print_json, read_standard_input
from thawline.cli.groups import app
from thawline.config import ComputeConfig, PredictConfig
from thawline.errors import ThawlineError
from thawline.runtime.imports import quick_imports

if TYPE_CHECKING:
    from thawline.data import Text

SETTINGS = ("data", "text", "device", "dtype")

Texts = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT", help="Texts to classify. Default: the lines of standard input."),
]


@verb_with_settings(app, PredictConfig, SETTINGS, files=False, check=False)
def predict(
    config: PredictConfig, run: opt.RunPath, texts: Texts = None, as_json: opt.Json = False
) -> None:
    """Classify texts with a saved classifier.

    Write -- before texts that start with a minus.
    """
    from thawline.runs.layout import find

    folder = find(run)  # fail before waiting for standard input
    given = _read_texts(texts, config)
    with quick_imports():  # loading imports the modelling code of the backbone's family
        from thawline import artifact
        from thawline.evaluation.metrics import probabilities
        from thawline.inference.predictor import Predictor, text_predictions
        from thawline.jobs.predict import as_trained, blank_warning

        fitted = artifact.load(folder)
    inputs = [as_trained(text, pairs=fitted.pairs) for text in given]
    warning = blank_warning(inputs)
    if warning is not None:
        warnings.warn(warning, stacklevel=1)
    compute = ComputeConfig(device=config.device, dtype=config.dtype)
    shares = probabilities(Predictor(fitted, compute, use_store=False).logits(inputs))
    predictions = text_predictions(fitted, inputs, shares)
    if as_json:
        for prediction in predictions:
            print_json(prediction.to_dict())
    else:
        from thawline.report.terminal import print_predictions

        print_predictions(predictions)


def _read_texts(texts: list[str] | None, config: PredictConfig) -> Sequence[Text]:
    """Return the texts of the command line, of a file or of standard input.

    Raises:
        ThawlineError: If there are none, if they are not UTF-8, or if the options contradict each
            other.
    """
    if config.data is not None and texts:
        raise ThawlineError("texts or --data", "both", "remove one of them", setting="data")
    if config.data is None and config.text is not None:
        fix = "add --data FILE, or remove --text"
        raise ThawlineError("--data with --text", "no --data", fix, setting="text")
    with quick_imports():
        from thawline.jobs.predict import check_no_file, header_warning, read_file, split_lines
    if config.data is not None:
        from thawline.runtime.progress import TerminalReporter

        return read_file(config.data, config.text, TerminalReporter())
    if texts:
        check_no_file(texts)
        return [_in_utf8(text) for text in texts]
    given = split_lines(read_standard_input())
    if not given:
        fix = 'give a text: thawline predict RUN "a text"'
        raise ThawlineError("at least one text", "none", fix)
    warning = header_warning(given[0])
    if warning is not None:
        warnings.warn(warning, stacklevel=1)
    return given


def _in_utf8(argument: str) -> str:
    """Return an argument, whose bytes are UTF-8 even if the locale has another encoding.

    Python keeps the bytes that it cannot decode as surrogates.

    Raises:
        ThawlineError: If they are not UTF-8.
    """
    try:
        argument.encode()
        return argument
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(argument).decode()
    except UnicodeError as error:
        found = f"an invalid character in '{argument}'"
        raise ThawlineError("texts in UTF-8", found, "convert them to UTF-8") from error
