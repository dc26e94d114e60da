"""Save a language model: its weights in half precision, its tokenizer and its model card."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from thawline.config import PretrainConfig
from thawline.runs.records import PretrainEpoch, PretrainTraining, StartedPretraining
from thawline.runtime.checksums import write_checksums
from thawline.runtime.files import new_folder
from thawline.runtime.hub import quieten_transformers

CARD = "README.md"


def save_model(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path, card: str
) -> None:
    """Save a model to a folder that transformers can load.

    The weights are float16, which keeps more bits of precision than bfloat16 (ten instead of
    seven).

    Args:
        model: The model.
        tokenizer: The tokenizer of the model.
        folder: The folder. It appears only when it is complete, and replaces an existing one.
        card: The model card, in Markdown.
    """
    quieten_transformers()
    with new_folder(folder, replace=True) as temporary:
        copy.deepcopy(model).cpu().half().save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        (temporary / CARD).write_text(card, encoding="utf-8")
        write_checksums(temporary)


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Save a tokenizer to a folder, which appears only when it is complete."""
    with new_folder(folder, replace=True) as temporary:
        tokenizer.save_pretrained(temporary)


def card_of(config: PretrainConfig, started: StartedPretraining, trained: PretrainTraining) -> str:
    """Return the model card, in Markdown.

    Args:
        config: The settings of the run.
        started: The record of the run before training.
        trained: The part of the record that describes the training.
    """
    return "\n".join(_card(config, started, trained)) + "\n"


def _card(
    config: PretrainConfig, started: StartedPretraining, trained: PretrainTraining
) -> Iterator[str]:
    shape, training = config.architecture, config.training
    counts, tokenizer, kept = started.corpus.counts, trained.tokenizer, trained.kept
    hardware, versions = started.hardware, started.versions
    yield "# A small Qwen3, pretrained by Thawline"
    yield ""
    yield (
        f"The model has {_count(shape.num_hidden_layers, 'block')}, hidden size "
        f"{shape.hidden_size}, {_count(shape.num_attention_heads, 'attention head')} of size "
        f"{shape.head_dim}, {_count(shape.num_key_value_heads, 'key and value head')}, and "
        "feed-forward size "
        f"{shape.intermediate_size}: {trained.parameters:,} parameters, saved as float16. "
        f"Its tokenizer is a byte-level BPE with {tokenizer.size:,} tokens. "
        f"It reads at most {training.window} tokens."
    )
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| training texts | {counts.train:,} |"
    yield f"| held-out texts | {counts.held_out:,} |"
    yield f"| duplicates, read once | {counts.copies:,} |"
    yield f"| texts left out, because `corpus.without` contains them | {counts.left_out:,} |"
    yield f"| tokens per epoch | {tokenizer.train_tokens:,} |"
    yield f"| epochs, steps | {training.epochs}, {trained.steps:,} |"
    yield f"| training tokens | {trained.tokens:,} |"
    yield f"| loss, nats per token | {kept.validation_loss:.4f} |"
    yield f"| perplexity | {kept.validation_perplexity:.1f} |"
    yield f"| bits per byte | {kept.validation_bits_per_byte:.4f} |"
    yield f"| next-token accuracy | {100 * kept.validation_accuracy:.1f} % |"
    yield f"| seconds of training | {trained.training_seconds:,.0f} |"
    yield f"| hardware | {hardware.gpu if trained.device == 'cuda' else hardware.cpu} |"
    yield f"| torch, transformers | {versions['torch']}, {versions['transformers']} |"
    yield ""
    yield "The scores are those on the held-out texts."
    yield ""
    yield "| tokens | train loss | held-out loss | bits per byte |"
    yield "|---|---|---|---|"
    for row in _thinned(trained.history):
        train_loss = "" if row.train_loss is None else f"{row.train_loss:.3f}"
        tokens = row.step * training.batch_size * training.window
        yield (
            f"| {tokens:,} | {train_loss} | {row.validation_loss:.3f} "
            f"| {row.validation_bits_per_byte:.3f} |"
        )


def _count(number: int, noun: str) -> str:
    """Return "1 block" or "3 blocks"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _thinned(history: Sequence[PretrainEpoch], rows: int = 12) -> Sequence[PretrainEpoch]:
    """Return at most ``rows`` rows of the history, at equal distances, including the last."""
    every = -(-len(history) // rows)
    return history[::-every][::-1]
