from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional

from thawline.runtime.randomness import RandomStream, building

X = torch.ones(4, 50)
HEADS = torch.linspace(0, 1, 1 * 2 * 5 * 4).view(1, 2, 5, 4)
DRAWS = {
    "dropout": lambda: functional.dropout(X, 0.5),
    "module": lambda: nn.Dropout(0.3)(X),
    "attention": lambda: functional.scaled_dot_product_attention(
        HEADS, HEADS, HEADS, dropout_p=0.5
    ),
    "attention by position": lambda: functional.scaled_dot_product_attention(
        HEADS, HEADS, HEADS, None, 0.5
    ),
    "rand": lambda: torch.rand(5),
    "bernoulli_": lambda: torch.empty(50).bernoulli_(0.5),
    "random_": lambda: torch.empty(50, dtype=torch.int64).random_(-5, None),
    "multinomial": lambda: torch.multinomial(torch.ones(3, 9), 4),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("way", ["drawing", "training"])
def test_a_stream_gives_the_numbers_of_a_seeded_global_generator(name, way):
    torch.manual_seed(7)
    expected = [DRAWS[name]() for _ in range(3)]
    stream, before = RandomStream(7), torch.get_rng_state()
    found = []
    for _ in range(3):
        with getattr(stream, way)():
            found.append(DRAWS[name]())
    assert all(map(torch.equal, found, expected))
    assert torch.equal(torch.get_rng_state(), before)


def test_attention_without_dropout_draws_nothing():
    stream = RandomStream(7)
    with stream.training():
        functional.scaled_dot_product_attention(HEADS, HEADS, HEADS)
    assert torch.equal(stream.states()["random.cpu"], RandomStream(7).states()["random.cpu"])


def test_a_stream_continues_from_a_saved_state():
    stream = RandomStream(7)
    with stream.training():
        torch.rand(5)
        saved = stream.states()
        expected = torch.rand(5)
    other = RandomStream(8)
    other.restore({name.removeprefix("random."): state for name, state in saved.items()})
    with other.training():
        assert torch.equal(torch.rand(5), expected)


def test_streams_in_threads_do_not_disturb_each_other():
    def draw(seed: int) -> list[float]:
        stream, found = RandomStream(seed), []
        for _ in range(200):
            with stream.training():
                found.append(float(functional.dropout(X, 0.5).sum()))
            with stream.drawing():
                found.append(float(torch.rand(())))
        return found

    expected = [draw(seed) for seed in range(4)]
    before = torch.get_rng_state()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(draw, [0, 1, 2, 3] * 2)) == expected * 2
    assert torch.equal(torch.get_rng_state(), before)


def test_an_error_restores_the_global_generator():
    def fail() -> None:
        with building():
            torch.rand(3)
            raise KeyError

    before = torch.get_rng_state()
    with pytest.raises(KeyError):
        fail()
    assert torch.equal(torch.get_rng_state(), before)
