"""Examples: batches of stored features, or of tokens with the states at the line."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.loops import HIDDEN, stored
from tests.support.tasks import make_task
from tests.support.toys import WIDTH
from thawline.inference.examples import PooledExamples, TokenExamples
from thawline.models.heads import Standardisation


class TestPooled:
    def test_rows_are_standardised(self) -> None:
        values = torch.randn(30, HIDDEN) * 7 + 3
        features = stored(values)
        examples = PooledExamples(features, Standardisation.of(features.blocks(8)))
        assert len(examples) == 30
        taken = examples.take(np.array([4, 0, 4]))
        expected = (values - values.mean(0)) / values.std(0, correction=0)
        torch.testing.assert_close(taken, expected[[4, 0, 4]], rtol=1e-4, atol=1e-5)

    def test_batches_are_blocks_without_padding(self) -> None:
        examples = PooledExamples(stored(torch.zeros(10_000, HIDDEN)), Standardisation.none())
        positions = np.random.default_rng(0).permutation(10_000)
        batches = examples.batches(positions, 0.8)
        assert [len(batch) for batch in batches] == [4_096, 4_096, 1_808]
        assert np.array_equal(np.concatenate(batches), positions)
        assert examples.density(batches) == 1.0

    def test_any_order_will_do(self) -> None:
        examples = PooledExamples(stored(torch.zeros(50, HIDDEN)), Standardisation.none())
        order = examples.order(np.random.default_rng(3), 8, 2)
        assert np.array_equal(order, np.random.default_rng(3).permutation(50))


@pytest.fixture
def parts(
    toy_backbone: Callable[[str], Path], toy_reviews: Callable[..., tuple[list[str], list[int]]]
) -> Callable[[str], dict[str, TokenExamples]]:
    """Return a function that makes the examples of train and validation for a strategy."""

    def make(strategy: str) -> dict[str, TokenExamples]:
        reviews = {"train": toy_reviews(20, 1), "validation": toy_reviews(9, 2)}
        return dict(make_task(toy_backbone("bert"), reviews, strategy).frozen.examples)

    return make


class TestTokens:
    @pytest.mark.parametrize("strategy", ["full", "last:2"])
    def test_each_part_has_its_own_rows(self, parts, strategy: str) -> None:
        examples = parts(strategy)
        train, validation = examples["train"], examples["validation"]
        assert (len(train), len(validation)) == (20, 9)
        assert train.tokens is validation.tokens
        assert np.array_equal(np.concatenate([train.rows, validation.rows]), np.arange(29))
        first = validation.take(np.array([0]))
        (ids,) = first.inputs["input_ids"].tolist()
        offsets = validation.tokens.offsets
        assert ids == validation.tokens.ids[offsets[20] : offsets[21]].tolist()

    @pytest.mark.parametrize("strategy", ["full", "lora"])
    def test_at_line_0_and_1_there_are_no_states(self, parts, strategy: str) -> None:
        assert parts(strategy)["train"].take(np.arange(3)).states is None

    def test_above_them_the_states_come_padded_with_zeros(self, parts) -> None:
        train = parts("last:1")["train"]
        positions = np.array([7, 2, 11])
        batch = train.take(positions)
        lengths = train.tokens.lengths[positions]
        assert batch.states is not None
        assert batch.states.shape == (3, lengths.max(), WIDTH)
        assert batch.inputs["input_ids"].shape == (3, lengths.max())
        assert not batch.states.requires_grad
        assert not batch.states.is_inference()
        for row, length in enumerate(lengths):
            assert not batch.states[row, length:].any()
            alone = train.take(positions[row : row + 1]).states
            assert torch.equal(batch.states[row, :length], alone[0])

    def test_batches_are_of_like_length_and_within_the_budget(self, parts) -> None:
        train = parts("full")["train"]
        lengths = train.tokens.lengths
        positions = np.random.default_rng(0).permutation(20)[:15]
        for density in (0.5, 0.9, 1.0):
            batches = train.batches(positions, density)
            assert sorted(np.concatenate(batches)) == sorted(positions)
            shares = [lengths[b].sum() / (len(b) * lengths[b].max()) for b in batches]
            assert min(shares) >= density
        small = TokenExamples(train.tokens, None, train.rows, tokens_per_batch=60)
        padded = [len(batch) * lengths[batch].max() for batch in small.batches(positions, 0.01)]
        assert len(padded) > 5
        assert max(padded) <= 60

    @pytest.mark.parametrize("pool", [1, 2, 3, 100])
    @pytest.mark.parametrize("step", [1, 4, 6, 20, 50])
    def test_an_order_holds_every_text_once(self, parts, step: int, pool: int) -> None:
        train = parts("full")["train"]
        orders = [train.order(np.random.default_rng(seed), step, pool) for seed in (0, 0, 1)]
        assert np.array_equal(orders[0], orders[1])
        assert all(sorted(order) == list(range(20)) for order in orders)
        assert not np.array_equal(orders[0], orders[2])

    def test_the_texts_of_a_step_are_of_like_length(self, parts) -> None:
        train = parts("full")["train"]
        lengths = train.tokens.lengths[train.rows]

        def steps(pool: int) -> list[np.ndarray]:
            return np.split(lengths[train.order(np.random.default_rng(0), 4, pool)], 5)

        whole = sorted(steps(5), key=min)  # one pool holds all texts
        assert all(max(one) <= min(other) for one, other in pairwise(whole))
        assert [min(step) for step in steps(5)] != [min(step) for step in whole]  # in any order
        spread = {pool: sum(int(np.ptp(step)) for step in steps(pool)) for pool in (1, 2, 5)}
        assert spread[5] < spread[2] < spread[1]

    def test_texts_that_fill_no_step_come_last(self, parts) -> None:
        train = parts("full")["train"]
        order = train.order(np.random.default_rng(0), 6, 3)
        assert set(order[18:]) == set(np.random.default_rng(0).permutation(20)[18:])

    def test_density_counts_padding(self, parts) -> None:
        validation = parts("full")["validation"]
        lengths = validation.tokens.lengths[validation.rows]
        batches = [np.arange(4), np.arange(4, 9)]
        padded = 4 * lengths[:4].max() + 5 * lengths[4:].max()
        assert validation.density(batches) == pytest.approx(lengths.sum() / padded)
        assert validation.density([]) == 1.0
