"""Build the encoder for a fit.

The vocabulary comes from the texts and the word vectors from a file. All other weights are
initialised randomly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from thawline.backbones.glove.configuration import GloveConfig
from thawline.backbones.glove.modeling import GloveModel
from thawline.backbones.glove.vocabulary import Vocabulary, build_vocabulary
from thawline.backbones.glove.words import PAD, SPECIAL, word_tokenizer
from thawline.backbones.loading import Backbone
from thawline.backbones.stack import Stack
from thawline.backbones.tokenizer import configure_tokenizer, set_options
from thawline.backbones.vectors import Vectors, find_vectors
from thawline.backbones.vectors.words import UNKNOWN
from thawline.config import MADE_BACKBONE, RANDOM_VECTORS, Config, EncoderConfig
from thawline.data import Text
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter
from thawline.runtime.randomness import RandomStream


def build_encoder(config: Config, texts: Sequence[Text], reporter: Reporter) -> Backbone:
    """Build an untrained encoder for a fit.

    Args:
        config: The complete configuration. Its seed initialises the random weights.
        texts: The training texts, whose words are added to the vocabulary. If empty, the
            vocabulary has only words of the vectors, and the coverage is not reported.
        reporter: Receives the progress and one line about the words of the encoder.

    Returns:
        The encoder in fp32 and evaluation mode.

    Raises:
        ThawlineError: If the vectors cannot be found or read, if the width is not a multiple of
            the number of attention heads, or if the tokenizer lacks an option.
    """
    settings = config.encoder
    _check_heads(settings)
    is_random = settings.vectors == RANDOM_VECTORS
    vectors = None if is_random else find_vectors(settings.vectors, reporter)
    vocabulary = build_vocabulary(texts, vectors, settings)
    split = config.tokens.split_special_tokens
    tokenizer = word_tokenizer(vocabulary.ids, settings.limit, split_special_tokens=split)
    set_options(MADE_BACKBONE, tokenizer, config.tokens)
    model = _build_model(settings, vocabulary, vectors, config.seed)
    configure_tokenizer(model, tokenizer)
    encoder = Backbone(MADE_BACKBONE, MADE_BACKBONE, Stack(model.eval()), tokenizer)
    built_from = _describe(settings, vocabulary) | {"sha256": encoder.digest()}
    if texts:
        reporter.message(_format_summary(built_from))
    return replace(encoder, built_from=built_from)


def _format_summary(built_from: dict[str, Any]) -> str:
    """Return one line about the words and vectors of an encoder, from the record's values."""
    words, vectors = built_from["words"], built_from["vectors"]
    if vectors == RANDOM_VECTORS:
        return f"the encoder knows {words:,} words, and their vectors are initialised randomly"
    return (
        f"the encoder knows {words:,} words, and {vectors} has vectors for "
        f"{built_from['coverage']:.1%} of the tokens in train"
    )


def _describe(settings: EncoderConfig, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the values that a record holds about an encoder, without the digest."""
    is_random = settings.vectors == RANDOM_VECTORS
    return {
        "vectors": settings.vectors,
        "words": len(vocabulary.words),
        "words_with_vectors": int((vocabulary.rows >= 0).sum()),
        "tokens": vocabulary.tokens,
        "coverage": None if is_random else vocabulary.coverage,
    }


def _check_heads(settings: EncoderConfig) -> None:
    if settings.width % settings.heads:
        raise ThawlineError(
            f"an `encoder.width` that is a multiple of `encoder.heads`, which is {settings.heads}",
            str(settings.width),
            f"use `encoder.width={settings.heads * (settings.width // settings.heads + 1)}`",
            setting="encoder.width",
        )


def _build_model(
    settings: EncoderConfig, vocabulary: Vocabulary, vectors: Vectors | None, seed: int
) -> GloveModel:
    """Build the model with its table of word vectors, without advancing torch's random state."""
    config = GloveConfig(
        vocab_size=len(vocabulary.words),
        vector_size=settings.vector_size if vectors is None else vectors.width,
        freeze_vectors=settings.freeze_vectors,
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.feed_forward,
        norm_first=settings.norm_first,
        dropout=settings.dropout,
        attention_dropout=settings.dropout,
        max_position_embeddings=settings.limit,
        initializer_range=settings.deviation,
        pad_token_id=SPECIAL.index(PAD),
    )
    with RandomStream(seed).drawing():
        model = GloveModel(config)
    table = _vector_table(config, settings, vocabulary, vectors, seed)
    with torch.no_grad():
        model.embeddings.words.weight.copy_(torch.from_numpy(table))
    return model


def _vector_table(
    config: GloveConfig,
    settings: EncoderConfig,
    vocabulary: Vocabulary,
    vectors: Vectors | None,
    seed: int,
) -> NDArray[np.float32]:
    """Return the vector of each word, ``(words, vector size)``.

    Padding has a vector of zeros. The unknown word has the mean of the known vectors. Other words
    without a vector get random normal values.
    """
    shape = (len(vocabulary.words), config.vector_size)
    random = np.random.default_rng(seed).normal(0, settings.vector_deviation, shape)
    table = random.astype(np.float32)
    known = vocabulary.rows >= 0
    if vectors is not None:
        table[known] = vectors.matrix[vocabulary.rows[known]]
    if known.any():
        table[SPECIAL.index(UNKNOWN)] = table[known].mean(0)
    table[SPECIAL.index(PAD)] = 0
    return table
