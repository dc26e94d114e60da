"""The learning rate of each step."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from thawline.config import TrainingConfig
from thawline.training.schedules import decay


def rates(
    total: int,
    warmup_share: float = 0.0,
    schedule: Any = "linear",
    per_epoch: int = 1,
    **settings: Any,
) -> list[float]:
    config = TrainingConfig(warmup_share=warmup_share, schedule=schedule, **settings)
    return [decay(step, total, config, per_epoch) for step in range(total + 1)]


class TestRate:
    def test_without_warm_up_it_falls_from_1_to_0(self) -> None:
        assert rates(4) == [1.0, 0.75, 0.5, 0.25, 0.0]

    def test_with_warm_up_it_rises_first(self) -> None:
        assert rates(10, 0.4)[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
        assert rates(10, 0.4)[4:] == pytest.approx([1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0.0])

    def test_a_cosine_falls_slowly_at_both_ends(self) -> None:
        half = math.sqrt(2) / 2
        cosine = [1.0, (1 + half) / 2, 0.5, (1 - half) / 2, 0.0]
        assert rates(4, schedule="cosine") == pytest.approx(cosine)
        assert rates(8, 0.5, "cosine") == pytest.approx([0.25, 0.5, 0.75, 1.0, *cosine])

    @given(
        st.integers(1, 500),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["linear", "cosine"]),
    )
    def test_it_stays_between_0_and_1_and_is_0_only_at_the_end(
        self, total: int, share: float, schedule: str
    ) -> None:
        *factors, last = rates(total, share, schedule)
        assert all(0 < factor <= 1 for factor in factors)
        assert last == 0

    def test_a_constant_rate_stays_after_the_warm_up(self) -> None:
        assert rates(5, schedule="constant") == [1.0] * 6
        assert rates(10, 0.4, "constant")[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
        assert rates(10, 0.4, "constant")[5:] == [1.0] * 6

    @pytest.mark.parametrize(("epochs", "factor"), [(1, 0.1), (2, 0.5), (3, 1.0)])
    def test_steps_are_those_of_torch(self, epochs: int, factor: float) -> None:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        theirs = torch.optim.lr_scheduler.StepLR(optimizer, epochs, factor)
        wanted = []
        for _ in range(6):
            wanted += theirs.get_last_lr() * 4
            optimizer.step()
            theirs.step()
        settings = {"step_epochs": epochs, "step_factor": factor}
        assert rates(24, 0.0, "step", 4, **settings)[:-1] == pytest.approx(wanted)
