"""Word vectors from texts, by gensim: skip-gram with negative samples.

word2vec (Mikolov et al., 2013, arXiv 1310.4546) gives each word a vector; fastText (Bojanowski et
al., 2017, arXiv 1607.04606) adds those of the parts that it is made of.
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
from thawline.runtime.progress import Reporter

WORDS_PER_LINE = 10_000
"""gensim reads no more of a sequence, and drops what follows without a word."""


def check_gensim() -> None:
    """Raise ThawlineError where gensim is not installed."""
    if importlib.util.find_spec("gensim") is None:
        fix = 'run pip install "thawline[vectors]"'
        raise ThawlineError("gensim, which trains word vectors", "no such package", fix)


def train_vectors(texts: Sequence[Text], config: VectorsConfig, reporter: Reporter) -> Vectors:
    """Train vectors of the words in some texts, the most frequent word first.

    One worker gives the same vectors again.

    Args:
        texts: single texts or pairs.
        config: how.
        reporter: told of the epochs.

    Raises:
        ThawlineError: gensim is not installed, or no word stands there often enough.
    """
    check_gensim()
    from gensim.models import FastText, Word2Vec

    lines = _lines(texts)
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
    model.build_vocab(lines)
    if not len(model.wv):
        raise ThawlineError(
            f"a word that stands in the texts at least {config.min_count} times",
            f"none in {len(texts):,} texts",
            "add texts, or write --set min_count=1",
        )
    with reporter.task(f"{config.method}, epochs", config.epochs) as advance:
        model.train(
            lines,
            total_examples=model.corpus_count,
            epochs=config.epochs,
            callbacks=[_Follower(advance)],
        )
    matrix = np.asarray(model.wv.vectors, dtype=np.float32)
    return Vectors(config.method, list(model.wv.index_to_key), matrix)


class _Follower:
    """Tells of each epoch that gensim ends."""

    def __init__(self, advance: Any) -> None:
        self._advance = advance

    def on_train_begin(self, model: Any) -> None:
        """Do nothing; gensim calls it."""

    def on_train_end(self, model: Any) -> None:
        """Do nothing; gensim calls it."""

    def on_epoch_begin(self, model: Any) -> None:
        """Do nothing; gensim calls it."""

    def on_epoch_end(self, model: Any) -> None:
        """Tell of one more epoch."""
        self._advance(1)


def _lines(texts: Sequence[Text]) -> list[list[str]]:
    """Return the words of each text, long texts in pieces."""
    splitter = word_splitter()
    return [line for text in texts for line in _pieces(text, splitter)]


def _pieces(text: Text, splitter: Tokenizer) -> Iterator[list[str]]:
    for part in (text,) if isinstance(text, str) else text:
        plain = splitter.normalizer.normalize_str(part)
        words = [intern(word) for word, _ in splitter.pre_tokenizer.pre_tokenize_str(plain)]
        for start in range(0, len(words), WORDS_PER_LINE):
            yield words[start : start + WORDS_PER_LINE]
