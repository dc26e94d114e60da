from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.config import PreflightConfig
from thawline.data.preflight.near_duplicates import find_near_duplicates, jaccard, shingles

CONFIG = PreflightConfig()
WORDS = [f"word{number}" for number in range(400)]


def in_one_split(texts):
    return np.ones((len(texts), 1), dtype=bool)


def found(texts, config=CONFIG):
    pairs = find_near_duplicates(texts, in_one_split(texts), config)
    ends = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    return dict(zip(ends, pairs.similarity.tolist(), strict=True))


def true_pairs(texts, config=CONFIG):
    sets = [shingles(text, config.words) for text in texts]
    similarity = {
        (one, other): jaccard(sets[one], sets[other])
        for one, other in combinations(range(len(texts)), 2)
    }
    return {pair: value for pair, value in similarity.items() if value >= config.similarity}


def altered(random, words, changes):
    """Replace a number of words at different positions."""
    copy = list(words)
    for place in random.choice(len(words), changes, replace=False):
        copy[place] = str(random.choice(WORDS))
    return copy


@pytest.fixture(scope="module")
def texts():
    """Texts of 30 to 90 words, each with four variants that differ by up to four words."""
    random = np.random.default_rng(0)
    made = []
    for _ in range(40):
        words = random.choice(WORDS, random.integers(30, 90)).tolist()
        made += [words, *(altered(random, words, changes) for changes in (1, 2, 3, 4))]
    order = random.permutation(len(made))
    return [" ".join(made[place]) for place in order]


def test_shingles_are_runs_of_lower_cased_words():
    assert shingles("The CAST was, well -- good!", 3) == {
        *("the cast was", "cast was well", "was well good"),
    }
    assert shingles("good good good good", 3) == {"good good good"}
    assert shingles("So  good", 3) == {"so good"}
    assert shingles("Über-Äther 7", 2) == {"über äther", "äther 7"}
    assert shingles(" ... ", 3) == shingles("", 3) == frozenset()


def test_similarity_is_the_jaccard_similarity():
    assert jaccard(frozenset("abcd"), frozenset("cdef")) == 2 / 6
    assert jaccard(frozenset("ab"), frozenset("ab")) == 1
    assert jaccard(frozenset("ab"), frozenset()) == jaccard(frozenset(), frozenset()) == 0


def test_all_near_pairs_are_found_with_their_exact_similarity_and_no_others(texts):
    truth = true_pairs(texts)
    assert 60 < len(truth) < 400
    assert any(value < 0.85 for value in truth.values())
    assert found(texts) == truth


def test_another_threshold_finds_other_pairs(texts):
    strict = replace(CONFIG, similarity=0.9)
    assert found(texts, strict) == true_pairs(texts, strict)
    assert 0 < len(found(texts, strict)) < len(found(texts))


short_texts = st.lists(st.sampled_from(["film", "FILM", "good", "bad", "!", "so"]), max_size=6)


@given(st.lists(short_texts.map(" ".join), unique=True, max_size=12))
def test_reported_pairs_are_always_near(few_texts):
    pairs = found(few_texts)
    truth = true_pairs(few_texts)
    assert pairs == {pair: truth[pair] for pair in pairs}
    same = {pair for pair, value in truth.items() if value == 1}
    assert same <= set(pairs)  # the same words have the same hashes in every band


def test_texts_without_words_have_no_near_duplicates():
    assert found(["", "...", "?!", " "]) == {}
    assert found([]) == {}
    assert found(["a good film"]) == {}
    assert found(["A good film", "a good film."]) == {(0, 1): 1.0}


def test_progress_counts_every_text_once(texts, monkeypatch):
    monkeypatch.setattr("thawline.data.preflight.near_duplicates._TEXTS_PER_CALL", 64)
    done = []
    in_pieces = find_near_duplicates(texts, in_one_split(texts), CONFIG, done.append)
    assert done == [64, 64, 64, 8]
    monkeypatch.undo()
    whole = find_near_duplicates(texts, in_one_split(texts), CONFIG)
    assert np.array_equal(in_pieces.first, whole.first)
    assert len(in_pieces) == len(whole) > 0


def test_pairs_of_a_bucket_grow_linearly_and_cover_every_split():
    body = " ".join(WORDS[:40])
    texts = [f"order {number} {body}" for number in range(600)]
    splits = np.array([[number < 400, number >= 400] for number in range(600)])
    pairs = find_near_duplicates(texts, splits, CONFIG)
    assert (pairs.similarity >= CONFIG.similarity).all()
    assert len(pairs) < 600 * 2 * CONFIG.crowd * 2 < 600 * 599 / 2
    both_ways = np.concatenate([[pairs.first, pairs.second], [pairs.second, pairs.first]], axis=1)
    for split in range(2):
        finders = np.unique(both_ways[0][splits[both_ways[1], split]])
        assert finders.tolist() == list(range(600))


@pytest.mark.e2e
def test_results_do_not_depend_on_the_hash_seed_of_the_process():
    script = """
import json
import numpy as np
from thawline.config import PreflightConfig
from thawline.data.preflight.near_duplicates import find_near_duplicates
random = np.random.default_rng(1)
words = [f"w{n}" for n in range(60)]
texts = [" ".join(random.choice(words, 25)) for _ in range(40)]
texts += [text.rsplit(" ", 3)[0] + " other end" for text in texts]
pairs = find_near_duplicates(texts, np.ones((80, 1), bool), PreflightConfig(bands=(3, 12)))
print(json.dumps([pairs.first.tolist(), pairs.second.tolist(), pairs.similarity.tolist()]))
"""
    printed = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    # So few bands miss some of the pairs. Which ones are missed depends on the hashes.
    assert 0 < len(json.loads(printed[0])[0]) < 40
    assert printed[0] == printed[1]
