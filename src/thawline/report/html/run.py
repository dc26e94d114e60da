"""The report on a run of ``thawline fit``."""

from __future__ import annotations

from pathlib import Path

from thawline.report.html.blocks import Block, Fact, Facts, Page, Section, Statement
from thawline.report.html.classifier import (
    accuracy_words,
    before_after_blocks,
    calibration_blocks,
    class_blocks,
    warning_blocks,
)
from thawline.report.html.errors import answer_blocks, error_blocks, sample_blocks
from thawline.report.html.plots import Plots
from thawline.report.html.sections import (
    data_section,
    machine_section,
    maker_line,
    protocol_section,
    quoted,
    repeat_section,
)
from thawline.report.html.training import training_blocks
from thawline.report.html.words import (
    count_of,
    interval,
    length_unit,
    name_of,
    percent,
    seconds,
    value,
)
from thawline.runs.logits import RunLogits
from thawline.runs.records import FitRecord


def fit_page(record: FitRecord, folder: Path, logits: RunLogits | None) -> Page:
    """Return the report on a fit.

    Args:
        record: The record of the fit.
        folder: The folder of the run, as the user wrote it.
        logits: The logits of the run. None if the file is missing, as in runs of older versions.
    """
    plots, test = Plots(), record.test
    backbone = "" if record.backbone is None else f" on {name_of(record.backbone.name)}"
    return Page(
        subject="Run",
        title=f"{record.data.name}: {record.strategy}{backbone}",
        statements=[Statement("Result", accuracy_words(record))],
        figures=[
            Fact("Test accuracy", value(test.accuracy), interval(test.accuracy)),
            Fact("Macro F1", value(test.f1_macro), interval(test.f1_macro)),
            Fact(
                "Loss",
                value(test.loss, share=False),
                f"{interval(test.loss, share=False)} nats",
            ),
            Fact(
                "Trained parameters",
                f"{record.parameters.trainable:,}",
                f"of {record.parameters.total:,}",
            ),
            Fact("Time", seconds(record.seconds.total), "in total"),
        ],
        notices=warning_blocks(record.warnings),
        sections=[
            Section("before-after", "Before and after", before_after_blocks(record, plots)),
            Section("classes", "Classes", class_blocks(test, record.labels.names)),
            Section("training", "Training", [_plan(record), *training_blocks(record, plots)]),
            Section("calibration", "Calibration", calibration_blocks(record, logits, plots)),
            Section(
                "errors",
                "Errors",
                [
                    *error_blocks(record.mistakes, length_unit(record)),
                    *sample_blocks(record.samples),
                    *answer_blocks(record.answers),
                ],
            ),
            data_section(record.preflight),
            protocol_section(record.data, _rules(record)),
            _cost_section(record),
            repeat_section(record, _commands(folder), "fit"),
            machine_section(record, record.peak_memory_bytes),
        ],
        maker=maker_line(record),
    )


def _plan(record: FitRecord) -> Block:
    """Return what was trained and how."""
    backbone, stages = record.backbone, ", ".join(map(str, record.features))
    line = "" if record.line is None else f"thaw line {record.line}"
    read = "" if record.pooling is None else f"pooling {record.pooling}, stage {stages}"
    facts = [Fact("Strategy", record.strategy, line), Fact("Head", record.head, read)]
    if backbone is not None:
        sha256 = f"SHA-256 {backbone.sha256[:16]}…"
        facts.insert(1, Fact("Backbone", name_of(backbone.name), sha256))
    if record.tapt is not None:
        done = record.tapt
        texts = f"{count_of(done.train, 'text')}, {done.unlabelled:,} of them unlabelled"
        facts.append(Fact("Task-adaptive pretraining", done.objective, texts))
    if record.max_length is not None:
        facts.append(Fact("Maximum length", count_of(record.max_length, "token")))
    if record.words is not None:
        terms = f"{record.words.terms:,} words and pairs of words"
        facts.append(Fact("Vocabulary", terms, f"penalty {record.words.penalty:g}"))
    if record.epochs is not None:
        rate = "" if record.lr is None else f"learning rate {record.lr:g}"
        facts.append(Fact("Training", count_of(record.epochs, "epoch"), rate))
    return Facts(facts)


def _rules(record: FitRecord) -> list[str]:
    """Return sentences on what each split was used for."""
    chosen = "The epoch of the final weights was" if record.history else "The candidate was"
    return [
        f"{chosen} chosen on validation.",
        "Test was only used for the scores in this report. Nothing was chosen on it.",
        f"A fresh process loaded the saved classifier and computed the same probabilities for "
        f"{count_of(record.proof.texts, 'test text')} (largest difference "
        f"{record.proof.difference:.2g}).",
    ]


def _cost_section(record: FitRecord) -> Section:
    parts = record.seconds
    facts = [
        Fact("Total", seconds(parts.total), f"in {count_of(max(len(record.starts), 1), 'start')}"),
        Fact("Tokenising", seconds(parts.tokenising)),
        Fact("Frozen pass", seconds(parts.prefix), _pass_note(record)),
        Fact("Training", seconds(parts.training)),
        Fact("Evaluation", seconds(parts.evaluation)),
    ]
    if parts.tapt is not None:
        facts.insert(3, Fact("Task-adaptive pretraining", seconds(parts.tapt)))
    if parts.head_first is not None:
        facts.insert(3, Fact("Head before the strategy", seconds(parts.head_first)))
    return Section("cost", "Cost", [Facts(facts)])


def _pass_note(record: FitRecord) -> str:
    """Return the work of the frozen pass: texts, number format and speed."""
    done = record.prefix
    words = f"{count_of(done.texts, 'text')} in {done.dtype} on {done.device}"
    if done.from_store:
        words += f"; {count_of(done.from_store, 'text')} from the store"
    if done.share_of_matrix_rate is not None:
        words += f"; {percent(done.share_of_matrix_rate, 0)} of the matrix rate"
    return words


def _commands(folder: Path) -> list[tuple[str, str]]:
    run = quoted(folder)
    return [
        (
            "Repeat the run in a new folder",
            f"thawline fit --config {quoted(folder / 'config.toml')} --out {quoted(f'{folder}-2')}",
        ),
        ("Score the classifier again, or on other data", f"thawline evaluate {run}"),
        ("Classify a text", f'thawline predict {run} "a text of your own"'),
        (
            "Use it in Python",
            "from thawline import TextClassifier\n\n"
            f"classifier = TextClassifier.load({str(folder)!r})\n"
            'classifier.predict(["a text of your own"])',
        ),
    ]
