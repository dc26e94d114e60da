"""Train word vectors with gensim by skip-gram with negative sampling.

word2vec (Mikolov et al., 2013, arXiv 1310.4546) learns one vector per word. fastText (Bojanowski
et al., 2017, arXiv 1607.04606) adds the vectors of the word's character n-grams.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from sys import intern
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from thawline.backbones.vectors.table import Vectors
from thawline.backbones.vectors.words import word_splitter
from thawline.config import VectorsConfig
from thawline.data import Text
from thawline.errors import ThawlineError
from thawline.runtime.progress import Advance, Reporter

WORDS_PER_LINE = 10_000
"""Maximum number of words in a sequence. gensim silently ignores all words after this number."""


def check_gensim() -> None:
    """Raise ThawlineError if gensim is not installed."""
    if importlib.util.find_spec("gensim") is None:
        fix = 'run pip install "thawline[vectors]"'
        raise ThawlineError(
            "the package gensim, which trains word vectors", "no module gensim", fix
        )


def train_vectors(texts: Sequence[Text], config: VectorsConfig, reporter: Reporter) -> Vectors:
    """Train vectors for the words of texts.

    The result is reproducible with one worker.

    Args:
        texts: Single texts or pairs of texts.
        config: The method and its hyperparameters.
        reporter: Receives the progress in epochs.

    Returns:
        The vectors, the most frequent word first.

    Raises:
        ThawlineError: If gensim is not installed, or if no word occurs at least ``min_count``
            times.
    """
    check_gensim()
    from gensim.models import FastText, Word2Vec

    sequences = _word_sequences(texts)
    model: Any = {"word2vec": Word2Vec, "fasttext": FastText}[config.method](
        sg=1,
        vector_size=config.width,
        min_count=config.min_count,
        window=config.window,
        negative=config.negatives,
        alpha=config.lr,
        min_alpha=config.lr / config.epochs / 1_000,
        workers=config.workers,
        seed=config.seed % 2**31,
    )
    model.build_vocab(sequences)
    if not len(model.wv):
        raise ThawlineError(
            f"a word that occurs at least {config.min_count} times in the texts",
            f"no such word in {len(texts):,} texts",
            "add texts, or use `min_count=1`",
            setting="min_count",
        )
    with reporter.task(f"{config.method}, epochs", config.epochs) as advance:
        model.train(
            sequences,
            total_examples=model.corpus_count,
            epochs=config.epochs,
            callbacks=[_EpochProgress(advance)],
        )
    matrix = np.asarray(model.wv.vectors, dtype=np.float32)
    return Vectors(config.method, list(model.wv.index_to_key), matrix)


class _EpochProgress:
    """Callback for gensim that reports each epoch as progress."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def on_train_begin(self, model: Any) -> None:
        """Do nothing. gensim requires this method."""

    def on_train_end(self, model: Any) -> None:
        """Do nothing. gensim requires this method."""

    def on_epoch_begin(self, model: Any) -> None:
        """Do nothing. gensim requires this method."""

    def on_epoch_end(self, model: Any) -> None:
        """Report one more epoch."""
        self._advance(1)


def _word_sequences(texts: Sequence[Text]) -> list[list[str]]:
    """Return the words of all texts as sequences of at most `WORDS_PER_LINE` words."""
    splitter = word_splitter()
    return [sequence for text in texts for sequence in _split_text(text, splitter)]


def _split_text(text: Text, splitter: Tokenizer) -> Iterator[list[str]]:
    for part in (text,) if isinstance(text, str) else text:
        plain = splitter.normalizer.normalize_str(part)
        words = [intern(word) for word, _ in splitter.pre_tokenizer.pre_tokenize_str(plain)]
        for start in range(0, len(words), WORDS_PER_LINE):
            yield words[start : start + WORDS_PER_LINE]
