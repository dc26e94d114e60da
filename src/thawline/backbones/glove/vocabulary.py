"""Choose the words of an encoder from a corpus and from the most frequent word vectors."""

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
"""Number of texts that are split into words in one call."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words of an encoder and their rows in the table of vectors.

    Attributes:
        words: The words in the order of their ids. The first three stand for padding, for unknown
            words and for the boundary of a pair.
        rows: Row of each word in the vectors, ``(words,)``, or -1 if the word has no vector.
        tokens: Number of tokens in the corpus.
        covered: Number of tokens in the corpus whose word has a vector.
    """

    words: tuple[str, ...]
    rows: NDArray[np.int64]
    tokens: int
    covered: int

    @property
    def ids(self) -> dict[str, int]:
        """The token id of each word."""
        return {word: row for row, word in enumerate(self.words)}

    @property
    def coverage(self) -> float | None:
        """Share of the corpus' tokens that have a vector, in [0, 1]. None if there is no corpus."""
        return self.covered / self.tokens if self.tokens else None


def count_words(texts: Sequence[Text]) -> dict[str, int]:
    """Count the words of texts or pairs.

    Args:
        texts: Texts or pairs of texts.

    Returns:
        The count of each word, the most frequent word first. Equally frequent words are sorted
        alphabetically.
    """
    splitter = word_splitter()
    strings = list(_strings(texts))
    trainer = trainers.WordLevelTrainer(vocab_size=2**31, min_frequency=1, show_progress=False)
    splitter.train_from_iterator(strings, trainer)
    words = [word for word, _ in sorted(splitter.get_vocab().items(), key=lambda pair: pair[1])]
    counts = np.zeros(len(words), dtype=np.int64)
    for start in range(0, len(strings), TEXTS_PER_CALL):
        encoded = splitter.encode_batch_fast(strings[start : start + TEXTS_PER_CALL])
        ids = np.fromiter(chain.from_iterable(one.ids for one in encoded), dtype=np.int64)
        counts += np.bincount(ids, minlength=len(words))
    pairs = zip(words, counts.tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def _strings(texts: Sequence[Text]) -> Iterator[str]:
    """Yield each text, and each text of a pair."""
    for text in texts:
        yield from (text,) if isinstance(text, str) else text


def build_vocabulary(
    texts: Sequence[Text], vectors: Vectors | None, config: EncoderConfig
) -> Vocabulary:
    """Choose the words of an encoder.

    A word of the corpus that has a vector is always kept. A word without a vector is kept if it
    occurs at least ``min_count`` times. The most frequent words of the vectors are added, so that
    the trained encoder can be used on other texts.

    Args:
        texts: The corpus, usually the training texts. If empty, only words of the vectors are
            chosen.
        vectors: The word vectors. None if all vectors are initialised randomly.
        config: The settings. Only ``min_count`` and ``frequent_words`` are used.

    Returns:
        The special words, then the words of the corpus, then those of the vectors.
    """
    counts = count_words(texts)
    known: Mapping[str, int] = {} if vectors is None else vectors.rows()
    corpus_words = [w for w, count in counts.items() if w in known or count >= config.min_count]
    frequent = [] if vectors is None else list(_most_frequent(vectors, config.frequent_words))
    words = tuple(dict.fromkeys((*SPECIAL, *corpus_words, *frequent)))
    rows = np.array([known.get(word, -1) for word in words], dtype=np.int64)
    rows[: len(SPECIAL)] = -1  # even if the vectors have words that are spelled like these
    covered = sum(count for word, count in counts.items() if word in known)
    return Vocabulary(words, rows, sum(counts.values()), covered)


def _most_frequent(vectors: Vectors, number: int) -> Iterator[str]:
    """Return the first words of the vectors that the splitter does not split further."""
    splitter = word_splitter()

    def is_one_token(word: str) -> bool:
        plain = splitter.normalizer.normalize_str(word)
        return [part for part, _ in splitter.pre_tokenizer.pre_tokenize_str(plain)] == [word]

    return islice(filter(is_one_token, vectors.words), number)
