"""`thawline predict`: classify texts with a saved classifier."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.console import print_json, read_standard_input
from thawline.cli.groups import app
from thawline.config import ComputeConfig, PredictConfig
from thawline.errors import ThawlineError
from thawline.runtime.imports import quick_imports

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thawline.data import Text
    from thawline.inference.explaining import TextPart
    from thawline.inference.fitted import AnyFitted
    from thawline.inference.prediction import TextPrediction

SETTINGS = ("data", "text", "explain", "device", "dtype")

Texts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN | TEXT",
        help="Folders of further runs, then texts to classify. Default: the lines of standard "
        "input.",
    ),
]


@verb_with_settings(app, PredictConfig, SETTINGS, files=False, check=False)
def predict(
    config: PredictConfig, run: opt.RunPath, texts: Texts = None, as_json: opt.Json = False
) -> None:
    """Classify texts with one or several saved classifiers.

    Stages that several classifiers share run only once. Write -- before texts that start with a
    minus.
    """
    from thawline.runs.layout import find

    runs, texts = _split_runs(run, texts or [])
    folders = [find(each) for each in runs]  # fail before waiting for standard input
    given = _read_texts(texts, config)
    with quick_imports():  # loading imports the modelling code of the backbone's family
        from thawline import artifact
        from thawline.data.texts import check_same_kind
        from thawline.evaluation.metrics import probabilities
        from thawline.inference.prediction import text_predictions
        from thawline.jobs.predict import as_trained, blank_warning

        classifiers = [artifact.load(folder) for folder in folders]
    check_same_kind([fitted.pairs for fitted in classifiers])
    if config.explain and classifiers[0].pairs:
        expected = "a classifier of single texts for --explain"
        fix = "remove --explain"
        raise ThawlineError(expected, "one of pairs of texts", fix, setting="explain")
    inputs = [as_trained(text, pairs=classifiers[0].pairs) for text in given]
    warning = blank_warning(inputs)
    if warning is not None:
        warnings.warn(warning, stacklevel=1)
    compute = ComputeConfig(device=config.device, dtype=config.dtype)
    names = [str(each) for each in runs]
    predicted = _predictor(classifiers, names, compute)

    def shares_of(texts: Sequence[Text]) -> list[NDArray[Any]]:
        return [probabilities(logits) for logits in predicted(texts)]

    shares = shares_of(inputs)
    found = [
        text_predictions(fitted, inputs, each)
        for fitted, each in zip(classifiers, shares, strict=True)
    ]
    rows = list(zip(*found, strict=True))
    parts = None
    if config.explain:
        from thawline.inference.explaining import explain_several

        labels = zip(*(each.argmax(1).tolist() for each in shares), strict=True)
        parts = [
            explain_several(str(text), shares_of, chosen)
            for text, chosen in zip(inputs, labels, strict=True)
        ]
    if as_json:
        for number, row in enumerate(rows):
            print_json(_as_json(names, row, None if parts is None else parts[number]))
        return
    from thawline.report.terminal import print_predictions

    print_predictions(
        list(chain(*rows)),
        names if len(runs) > 1 else None,
        None if parts is None else list(chain(*parts)),
    )


def _split_runs(run: Path, arguments: list[str]) -> tuple[list[Path], list[str]]:
    """Return the runs, and the arguments that are texts: those from the first other one on."""
    from thawline.runs.layout import is_artifact

    number = 0
    while number < len(arguments) and is_artifact(Path(arguments[number])):
        number += 1
    return [run, *map(Path, arguments[:number])], arguments[number:]


def _as_json(
    names: Sequence[str],
    predictions: Sequence[TextPrediction],
    parts: Sequence[Sequence[TextPart]] | None,
) -> dict[str, Any]:
    """Return the predictions of all classifiers for a text, and its parts, as JSON values."""
    values = [one.to_dict() for one in predictions]
    for value, explained in zip(values, parts or (), strict=parts is not None):
        value["parts"] = [asdict(part) for part in explained]
    if len(names) == 1:
        return values[0]
    text = predictions[0].text
    runs = {name: _without_text(value) for name, value in zip(names, values, strict=True)}
    return {"text": text, "runs": runs}


def _without_text(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "text"}


def _predictor(
    classifiers: Sequence[AnyFitted], names: Sequence[str], compute: ComputeConfig
) -> Callable[[Sequence[Text]], Sequence[NDArray[Any]]]:
    """Return a function that returns the logits of texts for each classifier.

    Torch is imported only if a classifier has a backbone.
    """
    from thawline.inference.words import FittedWords

    words = [fitted for fitted in classifiers if isinstance(fitted, FittedWords)]
    if len(words) == len(classifiers):
        return lambda texts: [fitted.logits(texts) for fitted in words]
    with quick_imports():
        from thawline.inference.shared import SharedPredictor
    predictor = SharedPredictor(classifiers, compute)
    for line in predictor.describe(names):
        typer.echo(line, err=True)
    return predictor.logits


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
        from thawline.data.sources.lines import split_lines
        from thawline.jobs.predict import check_no_file, header_warning, read_file
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
