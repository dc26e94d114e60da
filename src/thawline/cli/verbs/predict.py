"""`thawline predict`: classify texts with a saved classifier."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.console import print_json
from thawline.cli.groups import app
from thawline.config import ComputeConfig, PredictConfig
from thawline.errors import ThawlineError, join_lines
from thawline.runtime.collector import paused_collector

SETTINGS = ("device", "dtype")

Texts = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT", help="Texts to classify. Default: the lines of standard input."),
]


@verb_with_settings(app, PredictConfig, SETTINGS, files=False, check=False)
def predict(
    config: PredictConfig, run: opt.RunPath, texts: Texts = None, as_json: opt.Json = False
) -> None:
    """Classify texts with a saved classifier."""
    from thawline.runs.layout import find

    folder = find(run)  # fail before waiting for standard input
    given = _read_texts(texts)
    with paused_collector():  # loading imports the modelling code of the backbone's family
        from thawline import artifact
        from thawline.evaluation.metrics import probabilities
        from thawline.inference.predictor import Predictor, text_predictions

        fitted = artifact.load(folder)
    inputs = [_split_pair(text) for text in given] if fitted.reading.pairs else given
    compute = ComputeConfig(device=config.device, dtype=config.dtype)
    shares = probabilities(Predictor(fitted, compute, use_store=False).logits(inputs))
    predictions = text_predictions(fitted, inputs, shares)
    if as_json:
        for prediction in predictions:
            print_json(prediction.to_dict())
    else:
        from thawline.report.terminal import print_predictions

        print_predictions(predictions)


def _read_texts(texts: list[str] | None) -> list[str]:
    try:
        given = texts if texts else [line.rstrip("\r\n") for line in sys.stdin]
        "".join(given).encode()
    except UnicodeError as error:
        found = f"an encoding error: {error}"
        raise ThawlineError("texts in UTF-8", found, "convert them to UTF-8") from error
    if not given:
        fix = 'give a text: thawline predict RUN "a text"'
        raise ThawlineError("at least one text", "none", fix)
    return given


def _split_pair(text: str) -> tuple[str, str]:
    first, tab, second = text.partition("\t")
    if not tab:
        raise ThawlineError(
            "a pair of texts, because this classifier was trained on pairs",
            f"the single text '{join_lines(text)}'",
            "write the two texts with a tab between them",
        )
    return first, second
