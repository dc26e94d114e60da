"""The language model on disk: its weights in half precision, its tokenizer, its card."""

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
    """Write a folder that transformers can load. It appears complete, and replaces an older one.

    Weights are float16, which keeps ten bits of each number where bfloat16 keeps seven.
    """
    quieten_transformers()
    with new_folder(folder, replace=True) as temporary:
        copy.deepcopy(model).cpu().half().save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        (temporary / CARD).write_text(card, encoding="utf-8")
        for path in temporary.iterdir():
            path.chmod(0o644)  # safetensors makes them private


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a tokenizer. Its folder appears complete or not at all."""
    with new_folder(folder) as temporary:
        tokenizer.save_pretrained(temporary)


def card_of(config: PretrainConfig, started: StartedPretraining, trained: PretrainTraining) -> str:
    """Return the model card, in Markdown.

    Args:
        config: The settings of the run.
        started: The record from before the training.
        trained: What the training came to.
    """
    return "\n".join(_card(config, started, trained)) + "\n"


def _card(
    config: PretrainConfig, started: StartedPretraining, trained: PretrainTraining
) -> Iterator[str]:
    shape, training = config.architecture, config.training
    counts, words, kept = started.corpus.counts, trained.tokenizer, trained.kept
    hardware, versions = started.hardware, started.versions
    yield "# A small Qwen3, pretrained by Thawline"
    yield ""
    yield (
        f"{shape.num_hidden_layers} blocks, {shape.hidden_size} wide, "
        f"{shape.num_attention_heads} heads of {shape.head_dim} over "
        f"{shape.num_key_value_heads} of keys and values, feed-forward "
        f"{shape.intermediate_size}: {trained.parameters:,} parameters, saved as float16. "
        f"A byte-level BPE of {words.size:,} tokens; at most {training.window} are read."
    )
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| texts learnt from | {counts.train:,} |"
    yield f"| texts held out to measure on | {counts.held_out:,} |"
    yield f"| copies of a text, read once | {counts.copies:,} |"
    yield f"| left out, as they stand in `corpus.without` too | {counts.left_out:,} |"
    yield f"| tokens in an epoch | {words.train_tokens:,} |"
    yield f"| epochs, steps | {training.epochs}, {trained.steps:,} |"
    yield f"| tokens learnt from | {trained.tokens:,} |"
    yield f"| loss, nats a token | {kept.validation_loss:.4f} |"
    yield f"| perplexity | {kept.validation_perplexity:.1f} |"
    yield f"| bits per byte | {kept.validation_bits_per_byte:.4f} |"
    yield f"| next token foretold | {100 * kept.validation_accuracy:.1f} % |"
    yield f"| seconds of training | {trained.training_seconds:,.0f} |"
    yield f"| on | {hardware.gpu if trained.device == 'cuda' else hardware.cpu} |"
    yield f"| torch, transformers | {versions['torch']}, {versions['transformers']} |"
    yield ""
    yield "Scores are those of the held-out texts."
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
    """Return about this many rows, at equal distances, including the last."""
    every = -(-len(history) // rows)
    return history[::-every][::-1]
