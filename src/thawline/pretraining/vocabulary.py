"""Train a byte-level BPE tokenizer on a corpus."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from thawline.config import VocabularyConfig
from thawline.errors import ThawlineError

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
"""Special tokens with the ids 0, 1 and 2, for padding, and for the start and end of a text."""

LINE_BREAK = r"(?i)<br\s*/?>"
"""Regular expression for HTML line breaks, which are replaced by a newline."""


def train_tokenizer(
    texts: Sequence[str], config: VocabularyConfig, window: int
) -> PreTrainedTokenizerFast:
    """Train a BPE tokenizer (Sennrich et al., 2016, arXiv 1508.07909) that can encode every text.

    The tokenizer puts `BOS` before a text and nothing after it, so that the last token of a text
    belongs to the text itself. A classifier may read the state of that token.

    Args:
        texts: The corpus.
        config: The size of the vocabulary.
        window: The maximum number of tokens that the model reads.

    Raises:
        ThawlineError: If the corpus has too few repeated words for the size of the vocabulary.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(Regex(LINE_BREAK), "\n")
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.size,
        min_frequency=config.min_frequency,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer, length=len(texts))
    found = tokenizer.get_vocab_size()
    if found < config.size:
        raise ThawlineError(
            f"texts with enough repeated words for a vocabulary of {config.size:,} tokens",
            f"enough for {found:,} tokens",
            f"use `vocabulary.size={found}`, or add texts",
            setting="vocabulary.size",
        )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A",
        pair=f"{BOS} $A {BOS} $B",
        special_tokens=[(BOS, tokenizer.token_to_id(BOS))],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        model_max_length=window,
        padding_side="right",
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,  # a text may contain the special tokens as text
    )


def as_read(tokenizer: PreTrainedTokenizerFast, text: str) -> str:
    """Return a text as the tokenizer normalises it. The tokens of the text decode to the result."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    normalized: str = normalizer.normalize_str(text)
    return normalized
