"""Save a language model: its weights in half precision, its tokenizer and its model card."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from thawline.config import PretrainConfig
from thawline.runs.records import PretrainEpoch, PretrainTraining, StartedPretraining
from thawline.runtime.files import new_folder
from thawline.runtime.hub import quieten_transformers

CARD = "README.md"


def save_model(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path, card: str
) -> None:
    """Write a folder that transformers can load, and replace an older one.

    The folder appears only when it is complete. Weights are saved in float16, which keeps ten bits
    of each mantissa, while bfloat16 keeps seven.

    Args:
        model: The model.
        tokenizer: The tokenizer of the model.
        folder: The path of the folder.
        card: The model card, in Markdown.
    """
    quieten_transformers()
    with new_folder(folder, replace=True) as temporary:
        copy.deepcopy(model).cpu().half().save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        (temporary / CARD).write_text(card, encoding="utf-8")
        for path in temporary.iterdir():
            path.chmod(0o644)  # safetensors makes them private


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a tokenizer to a folder, which appears only when it is complete."""
    with new_folder(folder) as temporary:
        tokenizer.save_pretrained(temporary)


def card_of(config: PretrainConfig, started: StartedPretraining, trained: PretrainTraining) -> str:
    """Return the model card, in Markdown.

    Args:
        config: The settings of the run.
        started: The record before the training.
        trained: The part of the record that describes the finished training.
    """
    return "\n".join(_card(config, started, trained)) + "\n"


def _card(
    config: PretrainConfig, started: StartedPretraining, trained: PretrainTraining
) -> Iterator[str]:
    shape, training = config.architecture, config.training
    counts, vocabulary, kept = started.corpus.counts, trained.tokenizer, trained.kept
    hardware, versions = started.hardware, started.versions
    yield "# A small Qwen3, pretrained by Thawline"
    yield ""
    yield (
        f"{shape.num_hidden_layers} blocks, {shape.hidden_size} wide, "
        f"{shape.num_attention_heads} attention heads of {shape.head_dim}, "
        f"{shape.num_key_value_heads} key-value heads, feed-forward width "
        f"{shape.intermediate_size}: {trained.parameters:,} parameters, saved as float16. "
        f"The tokenizer is a byte-level BPE with {vocabulary.size:,} tokens. The model reads at "
        f"most {training.window} tokens."
    )
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| training texts | {counts.train:,} |"
    yield f"| held-out texts | {counts.held_out:,} |"
    yield f"| duplicates dropped | {counts.copies:,} |"
    yield f"| excluded texts (`corpus.without`) | {counts.left_out:,} |"
    yield f"| tokens in an epoch | {vocabulary.train_tokens:,} |"
    yield f"| epochs, steps | {training.epochs}, {trained.steps:,} |"
    yield f"| tokens in all steps | {trained.tokens:,} |"
    yield f"| loss, nats per token | {kept.validation_loss:.4f} |"
    yield f"| perplexity | {kept.validation_perplexity:.1f} |"
    yield f"| bits per byte | {kept.validation_bits_per_byte:.4f} |"
    yield f"| next-token accuracy | {100 * kept.validation_accuracy:.1f} % |"
    yield f"| seconds of training | {trained.training_seconds:,.0f} |"
    yield f"| machine | {hardware.gpu if trained.device == 'cuda' else hardware.cpu} |"
    yield f"| torch, transformers | {versions['torch']}, {versions['transformers']} |"
    yield ""
    yield "The scores were measured on the held-out texts."
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


def _thinned(history: Sequence[PretrainEpoch], rows: int = 12) -> Sequence[PretrainEpoch]:
    """Return at most this many evaluations, at equal distances, including the last one."""
    every = -(-len(history) // rows)
    return history[::-every][::-1]
