"""What `thawline pretrain` prints for a reader."""

from __future__ import annotations

import shlex
from pathlib import Path

from thawline.report.tables import plain_console
from thawline.runs.records import PretrainRecord


def print_pretraining(record: PretrainRecord, folder: Path) -> None:
    """Print the scores of a language model, what it cost, and where its files are."""
    console = plain_console()
    kept, words, counts = record.kept, record.tokenizer, record.corpus.counts
    console.print(
        f"\n{counts.held_out:,} held-out texts, {words.held_out_tokens:,} tokens"
        f"\n\nbits per byte  {kept.validation_bits_per_byte:.4f}"
        f"\nloss           {kept.validation_loss:.4f} nats per token, "
        f"perplexity {kept.validation_perplexity:.1f}"
        f"\naccuracy       {100 * kept.validation_accuracy:.1f} % of next tokens"
        f"\nas saved       {record.saved.validation_bits_per_byte:.4f} bits per byte in float16"
        f"\n\ntrained on     {counts.train:,} texts of {words.tokens_per_text:.0f} tokens, "
        f"{record.tokens:,} tokens in {record.steps:,} steps"
        f"\nparameters     {record.parameters:,}, of which {record.block_parameters:,} in "
        f"the blocks; vocabulary {words.size:,}"
        f"\nseconds        {_seconds(record)}{_speed(record)}"
        f"\nmemory         {record.peak_memory_bytes / 1e6:,.0f} MB at the peak"
        f"\n\nmodel          {folder / 'model'}"
        f"\nplots          {', '.join(Path(plot).name for plot in record.plots)} in {folder}"
        f"\nnext           thawline fit --backbone {shlex.quote(str(folder / 'model'))} --data …"
    )


def _seconds(record: PretrainRecord) -> str:
    """Return how long the parts took. Of a resumed run only its training is known completely."""
    seconds = record.seconds
    training = f"training {seconds.training:,.1f}"
    if record.resumed:
        return f"{seconds.total:,.1f} since it was resumed; {training} in total"
    return (
        f"{seconds.total:,.1f} in total: tokenizer {seconds.vocabulary:,.1f}, "
        f"tokenising {seconds.tokenising:,.1f}, {training}"
    )


def _speed(record: PretrainRecord) -> str:
    speed = record.tokens_per_second
    return "" if speed is None else f" ({speed:,.0f} tokens/s)"
