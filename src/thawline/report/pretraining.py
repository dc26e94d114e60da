"""What a pretraining prints for a reader."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thawline.report.tables import plain_console


def print_pretraining(record: Mapping[str, Any], folder: Path) -> None:
    """Print what was learnt, from how much, in what time, and where everything is."""
    console = plain_console()
    kept, words, counts = record["kept"], record["tokenizer"], record["corpus"]["counts"]
    saved = record["saved"]
    console.print(
        f"\n{counts['held_out']:,} held-out texts, {words['held_out_tokens']:,} tokens"
        f"\n\nbits per byte  {kept['validation_bits_per_byte']:.4f}"
        f"\nloss           {kept['validation_loss']:.4f} nats a token, "
        f"perplexity {kept['validation_perplexity']:.1f}"
        f"\nforetold       {100 * kept['validation_accuracy']:.1f} % of next tokens"
        f"\nas saved       {saved['validation_bits_per_byte']:.4f} bits per byte in float16"
        f"\n\nlearnt from    {counts['train']:,} texts of {words['tokens_per_text']:.0f} tokens, "
        f"{record['tokens']:,} tokens in {record['steps']:,} steps"
        f"\nparameters     {record['parameters']:,}, of them {record['block_parameters']:,} in "
        f"the blocks; vocabulary {words['size']:,}"
        f"\nseconds        {_seconds(record)} ({record['tokens_per_second']:,.0f} tokens/s)"
        f"\nmemory         {record['peak_memory_bytes'] / 1e6:,.0f} MB at the peak"
        f"\n\nmodel          {folder / 'model'}"
        f"\nplots          {', '.join(Path(plot).name for plot in record['plots'])} in {folder}"
        f"\nnext           thawline fit --backbone {shlex.quote(str(folder / 'model'))} --data …"
    )


def _seconds(record: Mapping[str, Any]) -> str:
    """Say what took how long; of a run that went on, only its training is known as a whole."""
    seconds = record["seconds"]
    training = f"training {seconds['training']:,.1f}"
    if "resumed" in record:
        return f"{seconds['total']:,.1f} since it went on; {training} in all"
    return (
        f"{seconds['total']:,.1f} in all: vocabulary {seconds['vocabulary']:,.1f}, "
        f"tokenising {seconds['tokenising']:,.1f}, {training}"
    )
