"""Threads that compute alone: their number, and torch's number of threads after them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from thawline.runtime.threads import Workers, single_blas_thread


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("most", "number"), [(None, 3), (2, 2), (9, 3), (0, 1)])
def test_there_are_as_many_threads_as_torch_uses(most: int | None, number: int) -> None:
    with Workers().started(most) as (pool, found):
        assert found == number
        assert pool.submit(torch.get_num_threads).result() == 1
    assert torch.get_num_threads() == 3


def test_the_number_is_restored_when_nothing_runs_any_more() -> None:
    workers = Workers()
    with workers.started() as (pool, _):
        pool.submit(int).result()
        with workers.started() as (inner, number):
            assert number == 3
            assert inner.submit(torch.get_num_threads).result() == 1
    assert torch.get_num_threads() == 3


def test_the_number_is_restored_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), Workers().started() as (pool, _):
        pool.submit(lambda: 1 // 0).result()
    assert torch.get_num_threads() == 3


def test_blas_has_one_thread_while_anyone_asks_for_it() -> None:
    import numpy as np
    from threadpoolctl import threadpool_info

    def numbers() -> set[int]:
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    np.ones((2, 2)) @ np.ones((2, 2))
    before = numbers()
    with single_blas_thread:
        assert numbers() <= {1}
        with single_blas_thread:
            assert numbers() <= {1}
        assert numbers() <= {1}
    assert numbers() == before
