"""Test that token states are read from the store as they were added, with padding."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from tests.support.store_toys import HIDDEN, LINE_KEY, TEXTS, fill, size_of, token_states_of
from thawline.config import STORE_SHARE
from thawline.store import Entry, NoRoom, TokenStates, clear, home

SHUFFLED = [TEXTS[position] for position in (7, 0, 0, 9, 3, 8, 1)]


def size_of_store() -> int:
    return sum(path.stat().st_size for path in home().rglob("*") if path.is_file())


@pytest.fixture
def states() -> TokenStates:
    """Return states of texts in three chunks, in another order and with one text twice."""
    entry = Entry(LINE_KEY)
    fill(entry, TEXTS[::-1])
    return entry.token_states(SHUFFLED)


def padded(texts: list[str]) -> torch.Tensor:
    return pad_sequence([token_states_of(text) for text in texts], batch_first=True)


def test_token_states_equal_the_added_states(states):
    lengths = [len(token_states_of(text)) for text in SHUFFLED]
    assert len(states) == 7
    assert states.lengths.tolist() == lengths
    assert states.lengths.dtype == np.int64
    assert 1 <= min(lengths) < max(lengths)
    for positions in ([6, 2, 2, 0, 5], [4], range(7), range(6, -1, -1)):
        taken = states.take(np.array(positions))
        assert torch.equal(taken, padded([SHUFFLED[position] for position in positions]))
        longest = max(lengths[position] for position in positions)
        assert taken.shape == (len(positions), longest, HIDDEN)


@given(
    st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=4),
    st.data(),
)
def test_every_text_is_found_in_its_chunk_and_row(lengths, data):
    numbers = iter(range(1, 1_000))
    rows = [[torch.full((n, 2), float(next(numbers))) for n in chunk] for chunk in lengths]
    contents = [
        {"states": torch.cat(chunk), "lengths": torch.tensor(n, dtype=torch.int32)}
        for chunk, n in zip(rows, lengths, strict=True)
    ]
    places = [(c, r) for c, chunk in enumerate(rows) for r in range(len(chunk))]
    wanted = data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=9))
    chunks, in_chunk = np.array(wanted).T
    states = TokenStates(contents, chunks=chunks, rows=in_chunk)
    whole = pad_sequence([rows[c][r] for c, r in wanted], batch_first=True)
    assert torch.equal(states.take(np.arange(len(wanted))), whole)


def test_states_stay_in_the_stored_dtype():
    entry = Entry(replace(LINE_KEY, dtype="bfloat16"))
    fill(entry, TEXTS)
    taken = entry.token_states(TEXTS).take(np.arange(10))
    assert taken.dtype == torch.bfloat16
    assert torch.equal(taken, padded(TEXTS).bfloat16())


@pytest.mark.parametrize("mapped_in_inference", [False, True])
@pytest.mark.parametrize("taken_in_inference", [False, True])
@pytest.mark.parametrize("positions", [[3], [0, 3, 5]])
def test_states_can_enter_an_autograd_graph(mapped_in_inference, taken_in_inference, positions):
    fill(Entry(LINE_KEY), TEXTS)
    with torch.inference_mode(mapped_in_inference):
        states = Entry(LINE_KEY).token_states(TEXTS)
    with torch.inference_mode(taken_in_inference):
        taken = states.take(np.array(positions))
    assert not taken.is_inference()
    assert not taken.requires_grad
    weight = torch.ones(HIDDEN, requires_grad=True)
    (taken * weight).sum().backward()
    torch.testing.assert_close(weight.grad, taken.sum((0, 1)))


def test_take_returns_a_copy(states):
    for positions in (np.array([3]), np.array([0, 3])):
        before = states.take(positions)
        states.take(positions).fill_(float("nan"))
        assert torch.equal(states.take(positions), before)


def test_no_texts_have_no_states():
    entry = Entry(LINE_KEY)
    assert len(entry.token_states([])) == 0
    fill(entry, TEXTS)
    states = entry.token_states([])
    assert (len(states), states.lengths.tolist()) == (0, [])


def test_states_of_a_missing_text_raise_key_error():
    entry = Entry(LINE_KEY)
    fill(entry, TEXTS)
    with pytest.raises(KeyError):
        entry.token_states([*TEXTS, "another film"])


def test_states_remain_readable_after_clear(states):
    before = states.take(np.arange(7))
    clear()
    assert torch.equal(states.take(np.arange(7)), before)


# Limits


def test_store_stays_below_every_limit():
    kept, size = [], size_of(LINE_KEY, TEXTS)
    for limit in range(0, 8 * size, size // 2):
        with suppress(NoRoom):
            fill(Entry(LINE_KEY), TEXTS, limit=limit)
            kept.append(limit)
        assert size_of_store() <= limit
        assert bool(Entry(LINE_KEY).missing(TEXTS)) == (limit not in kept)
        clear()
    assert 4 < len(kept) < 14


def test_token_states_above_the_limit_raise_no_room():
    size = size_of(LINE_KEY, TEXTS)
    with pytest.raises(NoRoom) as caught:
        fill(Entry(LINE_KEY), TEXTS, limit=size - 1)
    assert caught.value.size == size
    assert "`compute.store_limit`" in caught.value.obstacle.fix
    assert "thawline store clear" in caught.value.obstacle.fix
    assert size_of_store() == 0


def test_chunks_are_kept_if_another_process_fills_the_store():
    entry, other = Entry(LINE_KEY), Entry(replace(LINE_KEY, line=2))
    limit = 6_000

    def others() -> None:
        fill(other, [f"plot {number}" for number in range(20)], limit=limit)

    with pytest.raises(NoRoom, match=r"6\.0 kB"):
        fill(entry, TEXTS, after_chunk=others, limit=limit)
    assert size_of_store() <= limit
    again = Entry(LINE_KEY)
    assert again.missing(TEXTS) == [4, 5, 6, 7, 8, 9]
    assert fill(again, TEXTS) == 6


def test_default_limit_is_a_share_of_the_disk():
    assert 0 < STORE_SHARE < 1
    entry = Entry(LINE_KEY)
    with entry.filling(), pytest.raises(NoRoom) as caught:
        entry.plan(10**9, 10**16, None, lambda line: None)
    assert caught.value.size == 10**16
    assert "`compute.store_limit`" in caught.value.obstacle.fix
