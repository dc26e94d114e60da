"""The results of `thawline pretrain` on the terminal."""

from __future__ import annotations

import shlex
from pathlib import Path

from thawline.report.tables import plot_names
from thawline.runs.records import PretrainRecord
from thawline.runtime import terminal


def print_pretraining(record: PretrainRecord, folder: Path) -> None:
    """Print the scores of a language model, its cost, and the places of its files.

    Args:
        record: The record of the run.
        folder: The folder of the run.
    """
    console = terminal.console()
    kept, tokenizer, counts = record.kept, record.tokenizer, record.corpus.counts
    console.print(
        f"\n{counts.held_out:,} held-out texts, {tokenizer.held_out_tokens:,} tokens"
        f"\n\nbits per byte  {kept.validation_bits_per_byte:.4f}"
        f"\nloss           {kept.validation_loss:.4f} nats per token, "
        f"perplexity {kept.validation_perplexity:.1f}"
        f"\naccuracy       {100 * kept.validation_accuracy:.1f} % of next tokens"
        f"\nsaved model    {record.saved.validation_bits_per_byte:.4f} bits per byte in float16"
        f"\n\ntexts          {counts.train:,} for training, "
        f"{tokenizer.tokens_per_text:.0f} tokens each on average"
        f"\ntraining       {record.tokens:,} tokens in {record.steps:,} steps"
        f"\nparameters     {record.parameters:,}, of which {record.block_parameters:,} are in "
        "the blocks"
        f"\nvocabulary     {tokenizer.size:,} tokens"
        f"\nseconds        {_seconds(record)}{_speed(record)}"
        f"\nmemory         {record.peak_memory_bytes / 1e6:,.0f} MB at the peak"
        f"\n\nmodel          {folder / 'model'}"
        f"\nplots          {plot_names(record.plots)} in {folder}"
        f"\nnext           thawline fit --backbone {shlex.quote(str(folder / 'model'))} --data …"
    )


def _seconds(record: PretrainRecord) -> str:
    """Return the seconds of each part of the run.

    For a resumed run, the seconds of the other parts are known only for the last start.
    """
    seconds = record.seconds
    training = f"training {seconds.training:,.1f}"
    if record.resumed:
        return f"{seconds.total:,.1f} in {len(record.starts)} starts: {training}"
    return (
        f"{seconds.total:,.1f} in total: tokenizer {seconds.vocabulary:,.1f}, "
        f"tokenising {seconds.tokenising:,.1f}, {training}"
    )


def _speed(record: PretrainRecord) -> str:
    """Return the speed of training in brackets, or nothing if no time was measured."""
    speed = record.tokens_per_second
    return "" if speed is None else f" ({speed:,.0f} tokens/s)"
