"""A byte-level BPE tokenizer, learnt from a corpus."""

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
"""Special tokens, with the ids 0, 1 and 2: a text begins with one and ends with another."""

LINE_BREAK = r"(?i)<br\s*/?>"
"""What reviews write in the place of a newline."""


def train_tokenizer(
    texts: Sequence[str], config: VocabularyConfig, window: int
) -> PreTrainedTokenizerFast:
    """Learn merges of bytes (Sennrich et al., 2016, arXiv 1508.07909) that no text falls out of.

    Reading a text for a classifier puts `BOS` before it, and nothing after: the last token is
    then the text's own.

    Args:
        texts: the corpus.
        config: the number of tokens.
        window: the most tokens that the model takes.

    Raises:
        ThawlineError: the corpus has fewer distinct pairs to merge than the vocabulary has room.
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
            f"texts with enough repeated words for {config.size:,} tokens",
            f"enough for {found:,}",
            f"give --vocabulary {found}, or add texts",
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
    )


def as_read(tokenizer: PreTrainedTokenizerFast, text: str) -> str:
    """Return a text as the tokenizer's normalizer leaves it: what its tokens spell."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    read: str = normalizer.normalize_str(text)
    return read
