"""The report on a run of ``thawline pretrain``."""

from __future__ import annotations

from pathlib import Path

from thawline.report.history import history_figure
from thawline.report.html.blocks import (
    Block,
    Cell,
    Column,
    Details,
    Fact,
    Facts,
    Page,
    Section,
    Statement,
    Table,
)
from thawline.report.html.plots import Plots
from thawline.report.html.sections import machine_section, maker_line, quoted, repeat_section
from thawline.report.html.words import count_of, number_cell, percent, seconds, share_cell
from thawline.report.tables import MISSING
from thawline.runs.records import PretrainRecord


def pretraining_page(record: PretrainRecord, folder: Path) -> Page:
    """Return the report on a pretraining.

    Args:
        record: The record of the pretraining.
        folder: The folder of the run, as the user wrote it.
    """
    kept, corpus, tokenizer = record.kept, record.corpus, record.tokenizer
    result = (
        f"The model needs {kept.validation_bits_per_byte:.4f} bits per byte on "
        f"{count_of(corpus.counts.held_out, 'held-out text')} (perplexity "
        f"{kept.validation_perplexity:.1f}), at epoch {kept.epoch:g}."
    )
    texts = [
        Fact("Training texts", f"{corpus.counts.train:,}", f"{record.tokens:,} tokens were read"),
        Fact("Held-out texts", f"{corpus.counts.held_out:,}"),
        Fact("Duplicates that were dropped", f"{corpus.counts.copies:,}"),
        Fact(
            "Texts that were left out", f"{corpus.counts.left_out:,}", "because of corpus.without"
        ),
        Fact("Vocabulary", count_of(tokenizer.size, "token")),
        Fact("SHA-256 of the texts", corpus.sha256),
        *(Fact("Source", source) for source in corpus.sources),
    ]
    run, model = quoted(folder), quoted(folder / "model")
    commands = [
        ("Repeat the run in a new folder", _again(folder)),
        ("Use the model as a backbone", f"thawline fit --backbone {model} --data DATA"),
        ("Generate text", f"thawline generate {run}"),
    ]
    return Page(
        subject="Pretraining",
        title=f"{folder.name}: a language model of {count_of(record.parameters, 'parameter')}",
        statements=[Statement("Result", result)],
        figures=[
            Fact("Bits per byte", f"{kept.validation_bits_per_byte:.4f}"),
            Fact("Perplexity", f"{kept.validation_perplexity:.1f}"),
            Fact("Next-token accuracy", percent(kept.validation_accuracy)),
            Fact("Parameters", f"{record.parameters:,}"),
            Fact("Time", seconds(record.seconds.total), "in total"),
        ],
        sections=[
            Section("training", "Training", _training(record)),
            Section("texts", "Texts", [Facts(texts)]),
            repeat_section(record, commands, "pretrain"),
            machine_section(record, record.peak_memory_bytes),
        ],
        maker=maker_line(record),
    )


def _again(folder: Path) -> str:
    config, out = quoted(folder / "config.toml"), quoted(f"{folder}-2")
    return f"thawline pretrain --config {config} --out {out}"


def _training(record: PretrainRecord) -> list[Block]:
    """Return the plot and the table of the evaluations."""
    history = record.history
    figure = history_figure(history, title="", subtitle="", accuracy="Next-token accuracy")
    first, last = history[0], history[-1]
    label = (
        f"Two line charts over {last.epoch:g} epochs. The accuracy of the next token goes from "
        f"{percent(first.validation_accuracy)} to {percent(last.validation_accuracy)} on held-out "
        f"texts, and the loss from {first.validation_loss:.3f} to {last.validation_loss:.3f} nats."
    )
    caption = "Accuracy and losses by epoch. A ring marks the evaluation whose weights were kept."
    rows = [
        [
            Cell(f"{row.epoch:g}", row.epoch),
            number_cell(row.step),
            Cell(MISSING if row.train_loss is None else f"{row.train_loss:.3f}", row.train_loss),
            Cell(f"{row.validation_loss:.3f}", row.validation_loss),
            Cell(f"{row.validation_bits_per_byte:.4f}", row.validation_bits_per_byte),
            share_cell(row.validation_accuracy),
            Cell("kept" if row.kept else ""),
        ]
        for row in history
    ]
    columns = [
        Column("Epoch", numeric=False),
        Column("Step"),
        Column("Train loss", unit="nats"),
        Column("Held-out loss", unit="nats"),
        Column("Bits per byte"),
        Column("Next-token accuracy"),
        Column("Weights", numeric=False),
    ]
    table = Table("Evaluations during the training", columns, rows)
    return [Plots().plot(figure, label, caption), Details("Values of each evaluation", [table])]
