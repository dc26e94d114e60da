"""The words that an encoder knows: those of a corpus, and the most frequent of its vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray
from tokenizers import trainers

from thawline.backbones.glove.words import SPECIAL
from thawline.backbones.vectors import Vectors
from thawline.backbones.vectors.words import word_splitter
from thawline.config import EncoderConfig
from thawline.data import Text

TEXTS_PER_CALL = 1_000
"""Texts that are cut into words at once."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words with their rows among the vectors.

    Attributes:
        words: the id of each is its place; the first are those for padding, for the unknown word
            and for the boundary of a pair.
        rows: ``(words,)`` of the vectors, -1 where a word has none.
        tokens: of the corpus.
        covered: tokens of the corpus whose word has a vector.
    """

    words: tuple[str, ...]
    rows: NDArray[np.int64]
    tokens: int
    covered: int

    @property
    def ids(self) -> dict[str, int]:
        """The id of each word."""
        return {word: row for row, word in enumerate(self.words)}

    @property
    def coverage(self) -> float | None:
        """The share of the corpus' tokens that have a vector; None without a corpus."""
        return self.covered / self.tokens if self.tokens else None


def count_words(texts: Sequence[Text]) -> dict[str, int]:
    """Return how often each word stands in some texts or pairs, the most frequent first.

    Words that are as frequent come in the order of their characters.
    """
    splitter = word_splitter()
    flat = list(_strings(texts))
    trainer = trainers.WordLevelTrainer(vocab_size=2**31, min_frequency=1, show_progress=False)
    splitter.train_from_iterator(flat, trainer)
    words = [word for word, _ in sorted(splitter.get_vocab().items(), key=lambda pair: pair[1])]
    counts = np.zeros(len(words), dtype=np.int64)
    for start in range(0, len(flat), TEXTS_PER_CALL):
        encoded = splitter.encode_batch_fast(flat[start : start + TEXTS_PER_CALL])
        ids = np.fromiter(chain.from_iterable(one.ids for one in encoded), dtype=np.int64)
        counts += np.bincount(ids, minlength=len(words))
    pairs = zip(words, counts.tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def _strings(texts: Sequence[Text]) -> Iterator[str]:
    for text in texts:
        yield from (text,) if isinstance(text, str) else text


def build_vocabulary(
    texts: Sequence[Text], vectors: Vectors | None, config: EncoderConfig
) -> Vocabulary:
    """Choose the words of an encoder.

    A word of the corpus that has a vector is kept even if it stands there once; another one has to
    stand there `min_count` times. The most frequent words of the vectors are kept in any case, so
    that what is trained here can go on with other texts.

    Args:
        texts: the corpus, such as the texts of train; none at all leave the vectors' words.
        vectors: None: there are none.
        config: with the two numbers.
    """
    counts = count_words(texts)
    known: Mapping[str, int] = {} if vectors is None else vectors.rows()
    own = [w for w, count in counts.items() if w in known or count >= config.min_count]
    frequent = [] if vectors is None else list(_frequent(vectors, config.frequent_words))
    words = tuple(dict.fromkeys((*SPECIAL, *own, *frequent)))
    rows = np.array([known.get(word, -1) for word in words], dtype=np.int64)
    rows[: len(SPECIAL)] = -1  # whatever the vectors say of words that are written so
    covered = sum(count for word, count in counts.items() if word in known)
    return Vocabulary(words, rows, sum(counts.values()), covered)


def _frequent(vectors: Vectors, number: int) -> Iterator[str]:
    """Return the first of the vectors' words that a text can hold: those that are never cut."""
    splitter = word_splitter()

    def whole(word: str) -> bool:
        plain = splitter.normalizer.normalize_str(word)
        return [part for part, _ in splitter.pre_tokenizer.pre_tokenize_str(plain)] == [word]

    return islice(filter(whole, vectors.words), number)
