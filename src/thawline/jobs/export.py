"""The job of `thawline export`: write a classifier in the format of another program, and check it.

The folder appears only if its classifier computes the same logits as the run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from thawline import artifact
from thawline.artifact.exported import check_onnx_packages, quantise, save_exported
from thawline.artifact.folder import write_parts
from thawline.artifact.native import as_native
from thawline.config import ComputeConfig, ExportConfig, MetricsConfig
from thawline.data import LabelledTexts, Text
from thawline.data.sources.open import open_source
from thawline.data.tokens import tokenize
from thawline.errors import ThawlineError
from thawline.evaluation.clusters import count_texts
from thawline.evaluation.differences import measure_effects
from thawline.evaluation.metrics import probabilities
from thawline.inference.fitted import AnyFitted, Fitted
from thawline.inference.predictor import Predictor
from thawline.jobs.evaluate import rows_of_run
from thawline.runs.layout import RECORD
from thawline.runs.logits import read_logits
from thawline.runs.records import (
    ExportedAccuracy,
    ExportedSeconds,
    ExportReport,
    FitRecord,
    read_record,
)
from thawline.runtime.files import check_place, new_folder
from thawline.runtime.progress import Reporter

TOLERANCE = 1e-4
"""Maximum difference between the logits of an export in fp32 and of the run.

It is relative to the largest logit if that is above 1.
"""

CHECK_TEXTS = 32
"""The number of texts whose logits are compared."""

ACCURACY_ROWS = 2_000
"""The largest number of test rows on which the accuracy of int8 is measured."""

WORDS, REPEATS = 50, 30
"""The number of words of the text that is timed, before truncation, and how often it is classified.
"""

PACKAGED_REVIEWS = "thawline/reviews"
"""The packaged data set whose texts are compared if those of the run cannot be read."""


@dataclass(frozen=True)
class _Rows:
    """Texts on which an export is compared with its run.

    Attributes:
        origin: Where the texts come from.
        texts: The texts.
        part: The test rows of the run. None if they cannot be read.
        metrics: The settings of the scores of the run.
    """

    origin: str
    texts: Sequence[Text]
    part: LabelledTexts | None
    metrics: MetricsConfig


def export_run(run: Path, config: ExportConfig, out: Path, reporter: Reporter) -> ExportReport:
    """Write a classifier in another format to a new folder.

    Args:
        run: The folder of a run or of a saved classifier.
        config: The settings.
        out: The new folder.
        reporter: Receives messages and progress.

    Returns:
        What was compared, and what was measured.

    Raises:
        ThawlineError: If the folder exists, if the classifier cannot be written in this format, or
            if the logits of the export differ from those of the run.
    """
    if out.exists():
        raise ThawlineError("a new folder", f"'{out}', which exists", "choose another folder")
    check_place(out, "a folder for the export")
    if config.to == "onnx":
        check_onnx_packages(write=True)
    fitted = _load(run)
    rows = _find_rows(run, fitted, reporter)
    compared = _spread_by_length(rows.texts)
    expected = _logits(fitted, compared)
    plain = fitted if fitted.adapter is None else fitted.merge_adapters()
    native = as_native(plain) if config.to == "transformers" else None
    with new_folder(out) as temporary:
        if native is None:
            save_exported(plain, temporary)
        else:
            write_parts(native, temporary)
        exported: AnyFitted = artifact.load(temporary)
        difference = _check_logits(exported, compared, expected)
        exports: dict[str, AnyFitted] = {"float32": exported}
        accuracy = None
        if config.int8:
            quantise(temporary)
            exported = exports["int8"] = artifact.load(temporary)
            accuracy = _compare_accuracy(exported, run, rows, reporter)
        found = probabilities(_logits(exported, compared))
        return ExportReport(
            folder=str(out),
            to=config.to,
            precision="int8" if config.int8 else "float32",
            bytes=sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file()),
            texts=len(compared),
            texts_from=rows.origin,
            logit_difference=difference,
            difference=float(np.abs(found - probabilities(expected)).max()),
            accuracy=accuracy,
            seconds=_measure_seconds(plain, exports, compared) if native is None else None,
        )


def _load(run: Path) -> Fitted:
    """Return the classifier of a run.

    Raises:
        ThawlineError: If it has no model of torch.
    """
    fitted = artifact.load(run)
    if isinstance(fitted, Fitted):
        return fitted
    found = f"a classifier of the strategy '{fitted.strategy}', which has none"
    fix = "use the run itself, which predict, serve and score read and which needs no torch"
    if fitted.backbone is not None:
        found = "one that was exported to ONNX"
        fix = "give the run that it was exported from"
    raise ThawlineError(f"a classifier with a backbone in '{run}'", found, fix)


def _find_rows(run: Path, fitted: Fitted, reporter: Reporter) -> _Rows:
    """Return the test rows of a run, or packaged reviews if they cannot be read."""
    try:
        part, metrics = rows_of_run(run, "test", fitted.labels)
        return _Rows("the test rows of the run", part.texts, part, metrics)
    except (ThawlineError, OSError) as error:
        reporter.message(f"the test rows of the run cannot be read: {error}")
    texts: Sequence[Text] = open_source(PACKAGED_REVIEWS).parts["test"].texts
    if fitted.pairs:
        singles = [str(text) for text in texts]
        texts = list(zip(singles[::2], singles[1::2], strict=False))
    return _Rows("packaged film reviews", texts, None, MetricsConfig())


def _spread_by_length(texts: Sequence[Text]) -> list[Text]:
    """Select texts of all lengths, from the shortest to the longest, and an empty one."""
    distinct = sorted(dict.fromkeys(texts), key=lambda text: (len(_joined(text)), text))
    places = np.linspace(0, len(distinct) - 1, min(len(distinct), CHECK_TEXTS - 1)).astype(int)
    empty: Text = "" if isinstance(distinct[0], str) else ("", "")
    return [empty, *(distinct[place] for place in dict.fromkeys(places.tolist()))]


def _joined(text: Text) -> str:
    return text if isinstance(text, str) else " ".join(text)


def _logits(
    fitted: AnyFitted, texts: Sequence[Text], reporter: Reporter | None = None
) -> NDArray[np.float32]:
    compute = ComputeConfig(device="cpu", dtype="float32")
    return Predictor(fitted, compute, use_store=False, reporter=reporter).logits(texts)


def _check_logits(
    exported: AnyFitted, texts: Sequence[Text], expected: NDArray[np.float32]
) -> float:
    """Return the largest difference of logits, for texts in batches and for single texts.

    Raises:
        ThawlineError: If it is above `TOLERANCE`.
    """
    alone = [_logits(exported, [text]) for text in texts[:4]]
    found = np.concatenate([_logits(exported, texts), *alone])
    differences = np.abs(found - np.concatenate([expected, expected[:4]]))
    difference, limit = float(differences.max()), TOLERANCE * max(1.0, np.abs(expected).max())
    if not difference <= limit:
        raise ThawlineError(
            f"an export with the same logits, within {limit:.3g}",
            f"a difference of {difference:.3g}",
            "use the run itself, and report this as a bug",
        )
    return difference


def _compare_accuracy(
    exported: AnyFitted, run: Path, rows: _Rows, reporter: Reporter
) -> ExportedAccuracy | None:
    """Return the accuracy of an export on test rows of its run, and its paired difference.

    The logits of the run are those that it was scored with. Returns None if its rows or its logits
    cannot be read, or if all test rows are copies of one text.

    Args:
        exported: The export.
        run: The folder of the run.
        rows: The test rows of the run.
        reporter: Receives messages and progress.
    """
    part, metrics = rows.part, rows.metrics
    if part is None:
        return None
    try:
        record = read_record(run / RECORD)
        assert isinstance(record, FitRecord), "rows of a run have been found"
        kept = read_logits(run, record)
    except (ThawlineError, OSError) as error:
        reporter.message(f"the accuracy cannot be compared: {error}")
        return None
    chosen = np.arange(len(part))
    if len(chosen) > ACCURACY_ROWS:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, ACCURACY_ROWS, replace=False))
    texts = [part.texts[row] for row in chosen]
    copies = part.copies[chosen]
    if count_texts(copies) < 2:  # without a variance
        return None
    reporter.message(f"classifying {len(chosen):,} test rows to measure the accuracy")
    logits = _logits(exported, texts, reporter)
    labels = part.labels[chosen]
    correct = [(found.argmax(1) == labels)[None] for found in (logits, kept.test[chosen])]
    effects = measure_effects(correct, copies=copies)
    interval = effects.contrast(0, 1).interval(metrics.confidence)
    return ExportedAccuracy(
        rows=len(chosen),
        of=len(part),
        run=float(effects.scores[1]),
        export=float(effects.scores[0]),
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        confidence=metrics.confidence,
    )


def _measure_seconds(
    fitted: Fitted, exports: Mapping[str, AnyFitted], texts: Sequence[Text]
) -> ExportedSeconds:
    """Return the median time of a classifier and of its exports for one text of `WORDS` words.

    The classifiers take turns, so that other programs slow all of them down alike.
    """
    words = [word for text in texts[len(texts) // 2 :] for word in _joined(text).split()]
    chosen = (words * WORDS)[:WORDS]
    text: Text = " ".join(chosen)
    if not isinstance(texts[0], str):
        text = " ".join(chosen[: WORDS // 2]), " ".join(chosen[WORDS // 2 :])
    compute = ComputeConfig(device="cpu", dtype="float32")
    reading = fitted.reading
    tokens = tokenize(
        fitted.tokenizer,
        [text],
        max_length=reading.max_length,
        truncation_side=reading.truncation_side,
    )
    classifiers: dict[str, AnyFitted] = {"run": fitted, **exports}
    predictors = {
        name: Predictor(each, compute, use_store=False) for name, each in classifiers.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in predictors}
    for repeat in range(REPEATS + 2):  # the first two prepare threads and memory
        for name, predictor in predictors.items():
            start = time.perf_counter()
            predictor.logits([text])
            if repeat >= 2:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: median(values) for name, values in seconds.items()}
    return ExportedSeconds(
        tokens=int(tokens.lengths[0]),
        run=medians["run"],
        float32=medians.get("float32"),
        int8=medians.get("int8"),
        threads=torch.get_num_threads(),
    )
