from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.support.toys import WORDS, toy_tokenizer
from thawline.data import tokens as tokens_module
from thawline.data.batches import padding_density, plan_batches, split_by_length
from thawline.data.tokens import tokenize

PAD, UNKNOWN, FIRST, LAST = range(4)


@cache
def tokenizer(causal: bool = False):
    made = toy_tokenizer(causal=causal)
    made.model_input_names = ["input_ids", "attention_mask", "token_type_ids"]
    if causal:
        made.pad_token = made.eos_token
    return made


def tokenized(texts, max_length=40, side="right", *, causal=False, **options):
    return tokenize(
        tokenizer(causal), texts, max_length=max_length, truncation_side=side, **options
    )


def ids_of(tokens, position: int) -> list[int]:
    return tokens.ids[tokens.offsets[position] : tokens.offsets[position + 1]].tolist()


def numbers_of(words: str) -> list[int]:
    return [4 + WORDS.index(word) for word in words.split()]


texts = st.lists(st.sampled_from([*WORDS, "zebra", "FILM"]), max_size=15).map(" ".join)


# Tokenizing


@given(st.lists(texts, max_size=8), st.booleans())
def test_texts_have_the_same_ids_as_alone(given_texts, causal):
    tokens = tokenized(given_texts, causal=causal)
    assert len(tokens) == len(given_texts)
    for position, text in enumerate(given_texts):
        alone = tokenizer(causal)(text)["input_ids"] or [tokens.pad_id]
        assert ids_of(tokens, position) == alone
    assert tokens.lengths.tolist() == [
        len(ids_of(tokens, position)) for position in range(len(tokens))
    ]
    assert not tokens.truncated.any()
    assert (tokens.ids.dtype, tokens.offsets.dtype) == (np.int32, np.int64)


@given(st.lists(texts, min_size=1, max_size=4), st.integers(3, 18), st.sampled_from("rl"))
def test_texts_are_truncated_on_the_given_side(given_texts, max_length, side):
    side = {"r": "right", "l": "left"}[side]
    tokens = tokenized(given_texts, max_length, side)
    for position, text in enumerate(given_texts):
        words = tokenizer()(text)["input_ids"][1:-1]
        room = max_length - 2
        kept = words[:room] if side == "right" else words[max(0, len(words) - room) :]
        assert ids_of(tokens, position) == [FIRST, *kept, LAST]
        assert bool(tokens.truncated[position]) is (len(words) > room)


def test_the_expected_words_are_kept():
    text = "the film was not bad but the cast was dull"
    (right,) = [ids_of(tokenized([text], 5, "right"), 0)]
    (left,) = [ids_of(tokenized([text], 5, "left"), 0)]
    assert right == [FIRST, *numbers_of("the film was"), LAST]
    assert left == [FIRST, *numbers_of("cast was dull"), LAST]
    assert ids_of(tokenized([text], 3, causal=True), 0) == numbers_of("the film was")
    assert ids_of(tokenized([text], 3, "left", causal=True), 0) == numbers_of("cast was dull")


def test_a_text_that_just_fits_is_not_truncated():
    tokens = tokenized(["good film", "a good film"], 4)
    assert tokens.lengths.tolist() == [4, 4]
    assert tokens.truncated.tolist() == [False, True]


def test_an_empty_text_has_its_special_tokens_or_one_pad_token():
    assert ids_of(tokenized(["", "film"]), 0) == [FIRST, LAST]
    causal = tokenized(["", "film", ""], causal=True)
    assert [ids_of(causal, position) for position in range(3)] == [
        [causal.pad_id],
        numbers_of("film"),
        [causal.pad_id],
    ]
    assert causal.pad_id == LAST


def test_no_texts_have_no_tokens():
    tokens = tokenized([])
    assert (len(tokens), tokens.ids.size, tokens.offsets.tolist()) == (0, 0, [0])
    assert plan_batches(tokens.lengths, tokens_per_batch=8, density=0.9) == []


def test_progress_counts_every_text_once(monkeypatch):
    monkeypatch.setattr(tokens_module, "TEXTS_PER_CALL", 3)
    done: list[int] = []
    some = ["film", "a plot", "", "the cast was good", "dull", "so so", "not bad"]
    pieces = tokenized(some, advance=done.append)
    assert done == [3, 3, 1]
    monkeypatch.undo()
    whole = tokenized(some)
    assert np.array_equal(pieces.ids, whole.ids)
    assert np.array_equal(pieces.offsets, whole.offsets)


@given(st.lists(st.one_of(texts, st.tuples(texts, texts)), min_size=1, max_size=8), st.randoms())
def test_selected_texts_equal_texts_tokenized_alone(given_texts, random):
    positions = [random.randrange(len(given_texts)) for _ in range(random.randint(0, 9))]
    selected = tokenized(given_texts, 9).select(np.array(positions, dtype=np.int64))
    alone = tokenized([given_texts[position] for position in positions], 9)
    assert (len(selected), selected.pad_id) == (len(positions), alone.pad_id)
    for name in ("ids", "offsets", "truncated"):
        assert np.array_equal(getattr(selected, name), getattr(alone, name))
        assert getattr(selected, name).dtype == getattr(alone, name).dtype
    if alone.types is not None:
        assert np.array_equal(selected.types, alone.types)
    else:
        assert selected.types is None or not selected.types.any()


# Batches


@st.composite
def plans(draw):
    lengths = draw(st.lists(st.integers(1, 600), max_size=60))
    density = draw(st.one_of(st.sampled_from([0.0, 0.97, 0.99, 1.0]), st.floats(0, 1)))
    return np.array(lengths, dtype=np.int64), draw(st.integers(1, 2_000)), density


@given(plans())
def test_a_plan_keeps_budget_and_density_and_each_text_once(plan):
    lengths, budget, density = plan
    batches = plan_batches(lengths, tokens_per_batch=budget, density=density)
    taken = np.concatenate([*batches, np.empty(0, dtype=np.int64)])
    assert sorted(taken.tolist()) == list(range(len(lengths)))
    assert (np.diff(lengths[taken.astype(np.int64)]) <= 0).all()  # longest first
    for batch in batches:
        padded = lengths[batch].max() * len(batch)
        assert padded <= budget or len(batch) == 1
        assert lengths[batch].sum() >= density * padded


@given(plans())
def test_a_batch_ends_only_if_the_next_text_would_exceed_a_bound(plan):
    lengths, budget, density = plan
    batches = plan_batches(lengths, tokens_per_batch=budget, density=density)
    for batch, following in pairwise(batches):
        padded = lengths[batch[0]] * (len(batch) + 1)
        real = lengths[batch].sum() + lengths[following[0]]
        assert padded > budget or real < density * padded


def test_texts_of_one_length_fill_the_budget():
    batches = plan_batches(np.full(10, 8), tokens_per_batch=32, density=1.0)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert np.concatenate(batches).tolist() == list(range(10))  # equal lengths keep their order


def test_a_text_longer_than_the_budget_is_a_batch_of_its_own():
    batches = plan_batches(np.array([4, 100, 5]), tokens_per_batch=16, density=0.5)
    assert [batch.tolist() for batch in batches] == [[1], [2, 0]]


@given(st.lists(texts, min_size=1, max_size=9), st.booleans(), st.randoms())
def test_a_batch_is_padded_on_the_right_and_masked_only_with_padding(given_texts, causal, random):
    tokens = tokenized(given_texts, causal=causal)
    positions = np.array(random.sample(range(len(tokens)), random.randint(1, len(tokens))))
    inputs = tokens.batch(positions)
    ids, mask = inputs["input_ids"], inputs.get("attention_mask")
    lengths = tokens.lengths[positions]
    assert ids.dtype == torch.int64
    assert ids.shape == (len(positions), lengths.max())
    assert (mask is None) == (len(set(lengths.tolist())) == 1)
    if mask is not None:
        assert mask.dtype == torch.int64
        assert mask.tolist() == [[int(t < n) for t in range(lengths.max())] for n in lengths]
    for row, position in enumerate(positions):
        padding = [tokens.pad_id] * int(lengths.max() - lengths[row])
        assert ids[row].tolist() == ids_of(tokens, position) + padding


@given(st.lists(texts, min_size=1, max_size=12), st.integers(5, 60), st.floats(0, 1))
def test_padding_density_is_the_share_of_real_tokens_in_the_batches(given_texts, budget, density):
    tokens = tokenized(given_texts)
    batches = plan_batches(tokens.lengths, tokens_per_batch=budget, density=density)
    made = [tokens.batch(batch) for batch in batches]
    masks = [inputs.get("attention_mask", torch.ones_like(inputs["input_ids"])) for inputs in made]
    real = sum(int(mask.sum()) for mask in masks)
    padded = sum(inputs["input_ids"].numel() for inputs in made)
    assert padding_density(tokens.lengths, batches) == pytest.approx(real / padded, rel=1e-12)
    assert real == len(tokens.ids)


def test_there_is_no_density_without_batches():
    assert padding_density(np.empty(0, dtype=np.int64), []) is None


# Pairs

PAIR = ("the film was good", "a dull plot")


def test_a_pair_is_one_row_with_the_types_of_its_two_texts():
    tokens = tokenized([PAIR, "a film"])
    first, second = map(numbers_of, PAIR)
    assert ids_of(tokens, 0) == [FIRST, *first, LAST, *second, LAST]
    inputs = tokens.batch(np.array([1, 0]))
    assert inputs["token_type_ids"].tolist() == [[0] * 10, [0] * 6 + [1] * 4]
    assert inputs["attention_mask"].sum(1).tolist() == [4, 10]


def test_single_texts_have_no_types():
    assert "token_type_ids" not in tokenized(["a film", "the plot was dull"]).batch(np.arange(2))


@pytest.mark.parametrize(("side", "kept"), [("right", "the film"), ("left", "was good")])
def test_the_longer_text_of_a_pair_is_truncated(side, kept):
    tokens = tokenized([PAIR], max_length=7, side=side)
    second = {"right": "a dull", "left": "dull plot"}[side]
    expected = [FIRST, *numbers_of(kept), LAST, *numbers_of(second), LAST]
    assert ids_of(tokens, 0) == expected
    assert tokens.truncated.tolist() == [True]


def test_a_tokenizer_without_separator_reads_a_pair_as_two_lines():
    tokens = tokenized([PAIR, "\n".join(PAIR)], causal=True)
    assert ids_of(tokens, 0) == ids_of(tokens, 1) == numbers_of(" ".join(PAIR))


def cost(lengths: np.ndarray, batches: list[np.ndarray], overhead: int) -> int:
    return sum(int(lengths[batch].max()) * len(batch) + overhead for batch in batches)


def every_split(ordered: list[int]) -> Iterator[list[list[int]]]:
    """Yield all ways to cut a list into pieces."""
    for cuts in product((False, True), repeat=len(ordered) - 1):
        pieces = [[ordered[0]]]
        for cut, item in zip(cuts, ordered[1:], strict=True):
            pieces.append([item]) if cut else pieces[-1].append(item)
        yield pieces


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 60), st.integers(20, 200)
)
def test_a_step_is_split_into_the_cheapest_batches(
    sizes: list[int], overhead: int, budget: int
) -> None:
    lengths = np.array(sizes)
    found = split_by_length(lengths, tokens_per_batch=budget, overhead=overhead)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(sizes)))
    longest_first = np.argsort(-lengths, kind="stable").tolist()
    allowed = [
        [np.array(piece) for piece in pieces]
        for pieces in every_split(longest_first)
        if all(len(p) == 1 or max(lengths[p]) * len(p) <= budget for p in pieces)
    ]
    least = min(cost(lengths, pieces, overhead) for pieces in allowed)
    assert cost(lengths, found, overhead) == least


def test_no_overhead_avoids_padding_and_a_large_overhead_avoids_splits() -> None:
    lengths = np.array([7, 3, 7, 5])
    alike = split_by_length(lengths, tokens_per_batch=1_000, overhead=0)
    assert padding_density(lengths, alike) == 1.0
    together = split_by_length(lengths, tokens_per_batch=1_000, overhead=1_000)
    assert [batch.tolist() for batch in together] == [[0, 2, 3, 1]]
    assert split_by_length(np.array([], dtype=np.int64), tokens_per_batch=9, overhead=1) == []


@given(
    st.lists(texts, max_size=4),
    st.sampled_from(["single", "pair"]),
    st.integers(4, 30),
    st.sampled_from(["right", "left"]),
)
def test_truncation_is_that_of_the_tokenizer_itself(given_texts, kind, max_length, side):
    if kind == "pair":
        given_texts = list(zip(given_texts, given_texts[::-1], strict=True))
    found = tokenize(toy_tokenizer(), given_texts, max_length=max_length, truncation_side=side)
    reference = toy_tokenizer()
    reference.truncation_side = side
    for row, text in enumerate(given_texts):
        expected = reference([text], truncation=True, max_length=max_length)["input_ids"]
        assert ids_of(found, row) == expected[0]


def test_a_tokenizer_that_was_called_with_a_limit_gives_the_same_tokens():
    tokenizer, given_texts = toy_tokenizer(), ["the film was very good", "a dull plot"]
    options = {"max_length": 30, "truncation_side": "right"}
    expected = tokenize(tokenizer, given_texts, **options)
    tokenizer("the film was good", truncation=True, max_length=3, padding="max_length")
    found = tokenize(tokenizer, given_texts, **options)
    assert found.ids.tolist() == expected.ids.tolist()


def test_threads_with_different_limits_share_one_tokenizer():
    tokenizer = toy_tokenizer()
    given_texts = [" ".join(WORDS[:size]) for size in range(1, 50)]

    def ids(limit: int) -> list[int]:
        side = ("right", "left")[limit % 2]
        found = tokenize(tokenizer, given_texts, max_length=limit, truncation_side=side)
        return found.ids.tolist()

    expected = [ids(limit) for limit in range(4, 24)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ids, list(range(4, 24)) * 10)) == expected * 10
