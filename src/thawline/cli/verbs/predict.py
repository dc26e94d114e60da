"""`thawline predict`: classify texts with a saved classifier."""

from __future__ import annotations

import sys

from thawline.cli import options as opt
from thawline.cli.console import one_line, print_json
from thawline.cli.groups import app
from thawline.config import (
    ComputeConfig,
)
from thawline.errors import ThawlineError


@app.command()
def predict(
    run: opt.RunPath,
    texts: opt.Texts = None,
    device: opt.Device = ComputeConfig.device,
    dtype: opt.PredictDtype = "float32",
    as_json: opt.Json = False,
) -> None:
    """Classify texts with a saved classifier."""
    from thawline import artifact
    from thawline.evaluation.metrics import probabilities
    from thawline.inference.predictor import Predictor, prediction_records

    artifact.find(run)  # before standard input is waited for
    given = _given_texts(texts)
    fitted = artifact.load(run)
    read = [_pair(text) for text in given] if fitted.reading.pairs else given
    compute = ComputeConfig(device=device, dtype=dtype)
    shares = probabilities(Predictor(fitted, compute, use_store=False).logits(read))
    records = prediction_records(fitted, read, shares)
    if as_json:
        for record in records:
            print_json(record)
    else:
        from thawline.report.terminal import print_predictions

        print_predictions(records)


def _given_texts(texts: list[str] | None) -> list[str]:
    try:
        given = texts if texts else [line.rstrip("\r\n") for line in sys.stdin]
        "".join(given).encode()
    except UnicodeError as error:
        raise ThawlineError("texts in UTF-8", str(error), "convert them to UTF-8") from error
    if not given:
        raise ThawlineError("at least one text", "none", 'write thawline predict RUN "a text"')
    return given


def _pair(text: str) -> tuple[str, str]:
    first, tab, second = text.partition("\t")
    if not tab:
        raise ThawlineError(
            "pairs of texts, as this classifier learnt from",
            f"'{one_line(text)}' alone",
            "write the two with a tab between them",
        )
    return first, second
