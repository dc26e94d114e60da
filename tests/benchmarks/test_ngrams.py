"""The n-gram models equal simple implementations with sets and counters."""

from __future__ import annotations

import json
import lzma
import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks import ngrams
from tests.support.toys import byte_tokenizer

PAD, BOS, EOS = 0, 1, 2
Context = tuple[int, ...]


def corpus(documents: int, seed: int, words: int = 9) -> list[np.ndarray]:
    """Return documents of a few ids with different probabilities. Two documents are empty."""
    random = np.random.default_rng(seed)
    shares = 1 / np.arange(1, words + 1)
    random_words = [
        random.choice(words, size=random.integers(0, 30), p=shares / shares.sum()) + 3
        for _ in range(documents - 2)
    ]
    empty = np.array([], dtype=int)
    whole = [np.concatenate([[BOS], one, [EOS]]) for one in [*random_words, empty, empty]]
    return [one.astype(np.uint16) for one in whole]


TRAIN, HELD_OUT = corpus(120, 0), corpus(30, 1, words=12)
PREDICTABLE = 13  # twelve words and eos


def trigrams(documents: list[np.ndarray]) -> list[tuple[int, int, int]]:
    found = []
    for document in documents:
        ids = [BOS, *map(int, document)]
        found += [tuple(ids[place - 2 : place + 1]) for place in range(2, len(ids))]
    return found


def by_hand(documents: list[np.ndarray]):
    """Return a function that computes modified Kneser-Ney probabilities of trigrams."""
    c3 = Counter(trigrams(documents))
    before: dict[Context, set[int]] = defaultdict(set)
    for u, v, w in c3:
        before[v, w].add(u)
    c2 = {(v, w): c3[BOS, BOS, w] if v == BOS else len(us) for (v, w), us in before.items()}
    c1 = Counter((w,) for _, w in c2)
    taken = {3: discounts_of(c3), 2: discounts_of(c2), 1: discounts_of(c1)}

    def probability(gram: Context) -> float:
        if not gram:
            return 1 / PREDICTABLE
        counts = {1: c1, 2: c2, 3: c3}[len(gram)]
        discount = taken[len(gram)]
        after = {g: n for g, n in counts.items() if g[:-1] == gram[:-1]}
        shorter = probability(gram[1:])
        if not after:
            return shorter
        total = sum(after.values())
        left = sum(discount[min(n, 3)] for n in after.values()) / total
        own = after[gram] - discount[min(after[gram], 3)] if gram in after else 0.0
        return own / total + left * shorter

    return probability


def discounts_of(counts) -> dict[int, float]:
    n = Counter(counts.values())
    if not all(n[k] for k in (1, 2, 3, 4)):
        return {1: 0.5, 2: 1.0, 3: 1.5}
    share = n[1] / (n[1] + 2 * n[2])
    found = {k: k - (k + 1) * share * n[k + 1] / n[k] for k in (1, 2, 3)}
    return found if all(0 < found[k] <= k for k in found) else {1: 0.5, 2: 1.0, 3: 1.5}


@pytest.mark.parametrize("train", [TRAIN, TRAIN[:6], corpus(400, 5, words=5)])
def test_the_trigram_model_equals_the_simple_implementation(train):
    probability = by_hand(train)
    bits = -sum(math.log2(probability(gram)) for gram in trigrams(HELD_OUT))
    found = ngrams.bits_per_byte(train, HELD_OUT, 1_000, PREDICTABLE)
    assert found["trigram"] == pytest.approx(bits / 1_000, rel=1e-12)


def test_the_unigram_model_equals_the_simple_implementation():
    train, held_out, predictable = corpus(20, 0, words=60), corpus(30, 3, words=80), 81
    counts = Counter(w for _, _, w in trigrams(train))
    n = Counter(counts.values())
    assert n[1] > 5 < n[2]
    taken, total = n[1] / (n[1] + 2 * n[2]), counts.total()
    left = taken * len(counts) / total
    bits = -sum(
        math.log2(max(counts[w] - taken, 0) / total + left / predictable)
        for _, _, w in trigrams(held_out)
    )
    found = ngrams.bits_per_byte(train, held_out, 500, predictable)
    assert found["unigram"] == pytest.approx(bits / 500, rel=1e-12)


@pytest.mark.parametrize("train", [TRAIN, TRAIN[:6]])
def test_the_probabilities_after_any_two_tokens_sum_to_1(train):
    orders = ngrams.trigram_model(ngrams.flat(train))
    bits = ngrams.BITS
    contexts = [(BOS, BOS), *[(u, v) for u in (BOS, *range(3, 15)) for v in range(3, 15)]]
    for u, v in contexts:
        grams = [(u << 2 * bits) + (v << bits) + w for w in (EOS, *range(3, 15))]
        shares = ngrams.probabilities(orders, np.array(grams, dtype=np.uint64), PREDICTABLE)
        assert shares.sum() == pytest.approx(1, abs=1e-12)
        assert (shares > 0).all()


def test_trigrams_beat_unigrams_where_tokens_follow_each_other():
    chain = [np.array([BOS, *([3, 4, 5, 6] * 10), EOS], dtype=np.uint16)] * 20
    followed = ngrams.bits_per_byte(chain, chain[:2], 82, PREDICTABLE)
    assert followed["trigram"] < 0.2 < 1.9 < followed["unigram"]


def test_no_document_is_predicted_from_another():
    shuffled = [TRAIN[row] for row in np.random.default_rng(0).permutation(len(TRAIN))]
    expected = ngrams.bits_per_byte(TRAIN, HELD_OUT, 1_000, PREDICTABLE)
    assert ngrams.bits_per_byte(shuffled, HELD_OUT[::-1], 1_000, PREDICTABLE) == pytest.approx(
        expected, rel=1e-12
    )


def test_documents_in_one_array_equal_documents_in_a_list():
    row = np.concatenate(TRAIN)
    expected = ngrams.bits_per_byte(TRAIN, HELD_OUT, 1_000, PREDICTABLE)
    assert ngrams.bits_per_byte(row, np.concatenate(HELD_OUT), 1_000, PREDICTABLE) == expected
    cut = ngrams.documents(row)
    assert len(cut) == len(TRAIN)
    assert all(np.array_equal(*pair) for pair in zip(cut, TRAIN, strict=True))


def test_every_token_of_a_document_except_the_first_is_predicted():
    grams = ngrams.packed(np.concatenate(HELD_OUT))
    assert len(grams) == sum(map(len, HELD_OUT)) - len(HELD_OUT)
    unpacked = [tuple(int(g) >> shift & 0x1FFFFF for shift in (42, 21, 0)) for g in grams]
    assert unpacked == trigrams(HELD_OUT)
    with pytest.raises(ValueError, match=f"{1 << 21}"):
        ngrams.packed(np.array([1, 1 << 21]))


# xz


def test_xz_has_the_settings_of_the_command_line():
    data = b"a film of no consequence\0" * 50
    assert ngrams.xz_bytes(data) == len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    found = ngrams.xz_bits_per_byte(data, data, len(data))
    assert found["xz"] == 8 * ngrams.xz_bytes(data) / len(data)
    assert found["xz after train"] < found["xz"] / 5


# A run


def write_run(folder: Path, texts: list[str], held_out: list[str]) -> Path:
    folder.mkdir()
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(folder / "tokenizer")
    for name, part in (("train", texts), ("held_out", held_out)):
        rows = [[*tokenizer(text)["input_ids"], EOS] for text in part]
        np.save(folder / f"{name}.npy", np.array([i for row in rows for i in row], dtype=np.uint16))
    record = {
        "corpus": {"held_out": {"bytes": sum(len(text.encode()) for text in held_out)}},
        "kept": {"validation_bits_per_byte": 1.5},
    }
    (folder / "record.json").write_text(json.dumps(record))
    return folder


TEXTS = [f"A film, number {n}, that was «good».\nAnd so on." for n in range(300)]


def test_a_run_is_compared_with_all_models(tmp_path, capsys):
    run = write_run(tmp_path / "run", TEXTS, ["A film that was bad.", "Number 4 was «good»."])
    ngrams.main([str(run), "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    shown = found["bits_per_byte"]
    assert list(shown) == ["unigram", "trigram", "xz", "xz after train", "model"]
    assert shown["model"] == 1.5
    assert shown["trigram"] < shown["unigram"]
    assert shown["xz after train"] < shown["xz"]
    assert found["xz_prefix_bytes"] == sum(len(text.encode()) + 1 for text in TEXTS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[-1].endswith("| 1.500 |")


def test_a_record_of_other_texts_is_refused(tmp_path):
    run = write_run(tmp_path / "run", TEXTS, ["A film."])
    np.save(run / "held_out.npy", np.load(run / "train.npy"))
    size = sum(len(text.encode()) for text in TEXTS)
    with pytest.raises(ValueError, match=rf"\b{size}\b.*\b7\b"):
        ngrams.measure(ngrams.read_run(run))


@pytest.mark.parametrize("at_once", [1, 7, 1_000])
@pytest.mark.parametrize("most", [0, 1, 46, 100, 2_000, 10**9])
def test_the_end_of_train_consists_of_complete_documents(tmp_path, most, at_once):
    read = ngrams.read_run(write_run(tmp_path / "run", TEXTS, ["A film."]))
    found = ngrams.last_documents(read.train, read.tokenizer, most, at_once)
    whole = [text.encode() + b"\0" for text in TEXTS]
    kept = max(n for n in range(len(whole) + 1) if sum(map(len, whole[len(whole) - n :])) <= most)
    assert found == b"".join(whole[len(whole) - kept :])
