"""Make the encoder for a fit: its words from the texts, its vectors from a file, the rest drawn."""

from __future__ import annotations

from collections.abc import Sequence
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
from thawline.backbones.tokenizer import set_options, settle_tokenizer
from thawline.backbones.vectors import Vectors, find_vectors
from thawline.backbones.vectors.words import UNKNOWN
from thawline.config import MADE_BACKBONE, RANDOM_VECTORS, Config, EncoderConfig
from thawline.data import Text
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter


def make_encoder(config: Config, texts: Sequence[Text], reporter: Reporter) -> Backbone:
    """Make an encoder that was never trained.

    Raises:
        ThawlineError: as `find_vectors`; the heads do not share the width evenly; or the tokenizer
            lacks an option.
    """
    settings = config.encoder
    _check_heads(settings)
    drawn = settings.vectors == RANDOM_VECTORS
    vectors = None if drawn else find_vectors(settings.vectors, reporter)
    vocabulary = build_vocabulary(texts, vectors, settings)
    tokenizer = word_tokenizer(vocabulary.ids, settings.limit)
    set_options(MADE_BACKBONE, tokenizer, config.tokens)
    model = _draw(settings, vocabulary, vectors, config.seed)
    settle_tokenizer(model, tokenizer)
    made = Backbone(MADE_BACKBONE, MADE_BACKBONE, Stack(model.eval()), tokenizer)
    described = _describe(settings, vocabulary) | {"sha256": made.digest()}
    if texts:
        reporter.message(told(described))
    return Backbone(made.name, made.path, made.stack, made.tokenizer, made=described)


def told(made: dict[str, Any]) -> str:
    """Say in a line what an encoder was made of, from the record's values."""
    if made["vectors"] == RANDOM_VECTORS:
        return f"an encoder of {made['words']:,} words, their vectors drawn at random"
    return (
        f"an encoder of {made['words']:,} words: {made['vectors']} covers "
        f"{made['coverage']:.1%} of the tokens of train"
    )


def _describe(settings: EncoderConfig, vocabulary: Vocabulary) -> dict[str, Any]:
    drawn = settings.vectors == RANDOM_VECTORS
    return {
        "vectors": settings.vectors,
        "words": len(vocabulary.words),
        "words_with_vectors": int((vocabulary.rows >= 0).sum()),
        "tokens": vocabulary.tokens,
        "coverage": None if drawn else vocabulary.coverage,
    }


def _check_heads(settings: EncoderConfig) -> None:
    if settings.width % settings.heads:
        raise ThawlineError(
            "encoder.width to be a multiple of encoder.heads",
            f"{settings.width} and {settings.heads}",
            f"write --set encoder.width={settings.heads * (settings.width // settings.heads + 1)}",
        )


def _draw(
    settings: EncoderConfig, vocabulary: Vocabulary, vectors: Vectors | None, seed: int
) -> GloveModel:
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GloveModel(config)
    table = _table(config, settings, vocabulary, vectors, seed)
    with torch.no_grad():
        model.embeddings.words.weight.copy_(torch.from_numpy(table))
    return model


def _table(
    config: GloveConfig,
    settings: EncoderConfig,
    vocabulary: Vocabulary,
    vectors: Vectors | None,
    seed: int,
) -> NDArray[np.float32]:
    """Return the vector of each word, ``(words, vector size)``.

    Padding is 0. The unknown word is the mean of all that have a vector; what else has none is
    drawn.
    """
    shape = (len(vocabulary.words), config.vector_size)
    drawn = np.random.default_rng(seed).normal(0, settings.vector_deviation, shape)
    table = drawn.astype(np.float32)
    known = vocabulary.rows >= 0
    if vectors is not None:
        table[known] = vectors.matrix[vocabulary.rows[known]]
    if known.any():
        table[SPECIAL.index(UNKNOWN)] = table[known].mean(0)
    table[SPECIAL.index(PAD)] = 0
    return table
