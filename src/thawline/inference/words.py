"""Classify texts by their words and pairs of words: a linear layer on TF-IDF features.

scikit-learn is imported when it is needed, because most commands do not need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thawline.data import Labels, Text
from thawline.data.texts import check_pairing
from thawline.data.words import find_terms

AS_TRAINED = "as in the training of this classifier"
"""What texts should be like, for errors."""


@dataclass(frozen=True, eq=False)
class Words:
    """A linear layer on TF-IDF features.

    The feature of a term in a text is ``(1 + log(count)) * idf``, or 0 if the text does not contain
    it. The features of a text are scaled to norm 1. Terms that are not known are ignored.

    Attributes:
        terms: The words and the pairs of words, in the order of the features.
        idf: The inverse document frequency of each term, ``(terms,)`` in fp64.
        weights: The weights, ``(labels, terms)`` in fp32.
        bias: The biases, ``(labels,)`` in fp32.
    """

    terms: tuple[str, ...]
    idf: NDArray[np.float64]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def features(self, texts: Sequence[Text]) -> Any:
        """Return the TF-IDF features of texts, a sparse array ``(texts, terms)`` in fp64."""
        return self._vectorizer.transform(texts)

    def logits(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """Return the logits of texts, ``(texts, labels)``."""
        return self.logits_of(self.features(texts))

    def logits_of(self, features: Any) -> NDArray[np.float32]:
        """Return the logits, ``(texts, labels)``, of features from `features`."""
        logits: NDArray[np.float64] = features @ self.weights.T.astype(np.float64) + self.bias
        return logits.astype(np.float32)

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return self.weights.size + self.bias.size

    @cached_property
    def _vectorizer(self) -> Any:
        vectorizer = new_vectorizer(self.terms)
        vectorizer.idf_ = self.idf
        return vectorizer


def new_vectorizer(terms: Sequence[str] | None = None, **options: Any) -> Any:
    """Return scikit-learn's vectorizer of words and pairs of words with logarithmic counts.

    Args:
        terms: The known terms. If None, `fit` finds them.
        **options: Further options of the vectorizer.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    known = None if terms is None else {term: index for index, term in enumerate(terms)}
    return TfidfVectorizer(analyzer=find_terms, vocabulary=known, sublinear_tf=True, **options)


@dataclass(frozen=True, eq=False)
class FittedWords:
    """A trained classifier that reads only the words of texts, without a backbone.

    Attributes:
        labels: The names of the classes and their raw values.
        words: The linear layer.
        strategy: The strategy in its written form.
        pairs: Whether the classifier was trained on pairs of texts.
    """

    labels: Labels
    words: Words
    strategy: str
    pairs: bool = False

    @property
    def backbone(self) -> None:
        """None, because there is no backbone."""
        return None

    def logits(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """Return the logits of texts, ``(texts, labels)``, in the order of the texts.

        Raises:
            ThawlineError: If a text is not of the kind that the classifier was trained on.
        """
        check_pairing(texts, pairs=self.pairs, expected=AS_TRAINED)
        if not len(texts):
            return np.zeros((0, len(self.labels)), dtype=np.float32)
        return self.words.logits(texts)

    def is_frozen(self) -> bool:
        """Return True, because no states of a backbone are read."""
        return True
