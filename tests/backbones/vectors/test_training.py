"""Vectors trained on texts, by gensim."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from thawline.backbones.vectors import training
from thawline.backbones.vectors.training import train_vectors
from thawline.config import VectorsConfig
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter

TEXTS = ["the film was good , don't you think ?", "the film was bad", "the plot was dull"] * 20


def test_without_gensim_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ThawlineError) as caught:
        train_vectors(TEXTS, VectorsConfig(), Reporter())
    assert "gensim" in caught.value.found
    assert 'pip install "thawline[vectors]"' in caught.value.fix


class TestWithGensim:
    @pytest.fixture(autouse=True)
    def _needs_it(self):
        pytest.importorskip("gensim", reason='needs pip install "thawline[vectors]"')

    @pytest.mark.parametrize("method", ["word2vec", "fasttext"])
    def test_a_seed_gives_the_same_vectors_again(self, method):
        config = VectorsConfig(method=method, width=6, epochs=2)
        one, same = (train_vectors(TEXTS, config, Reporter()) for _ in range(2))
        other = train_vectors(TEXTS, replace(config, seed=1), Reporter())
        assert set(one.words[:2]) == {"the", "was"}  # the most frequent first
        assert {"do", "n't"} <= set(one.words)
        assert one.matrix.shape == (len(one.words), 6)
        np.testing.assert_array_equal(one.matrix, same.matrix)
        assert not np.array_equal(one.matrix, other.matrix)

    def test_a_long_text_is_read_to_its_end(self, monkeypatch):
        monkeypatch.setattr(training, "WORDS_PER_LINE", 3)
        texts = ["a b c d e f g"] * 5
        assert set(train_vectors(texts, VectorsConfig(width=4), Reporter()).words) == set("abcdefg")

    def test_texts_without_a_frequent_word_are_refused(self):
        with pytest.raises(ThawlineError) as caught:
            train_vectors(["one two"], VectorsConfig(), Reporter())
        assert caught.value.setting == "min_count"
        assert " 5 " in caught.value.expected
