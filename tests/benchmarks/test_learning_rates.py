"""The default learning rates are the best ones in the results under `benchmarks/`."""

from __future__ import annotations

import json

from benchmarks import learning_rates
from thawline.config import LEARNING_RATES

ROWS = json.loads(learning_rates.FILE.read_text(encoding="utf-8"))


def row(strategy: str, name: str, lr: float, accuracy: float, loss: float = 0.5) -> dict:
    scores = {"validation_accuracy": accuracy, "validation_loss": loss}
    sizes = {"rows": 1_000, "max_length": 128, "epochs": 3}
    return {"strategy": strategy, "set": name, "lr": lr, **sizes, **scores}


def test_each_default_is_the_winner_of_its_strategy_over_at_least_two_sets():
    assert learning_rates.winners(ROWS) == LEARNING_RATES
    for strategy, rates in learning_rates.GRID.items():
        own = [row for row in ROWS if row["strategy"] == strategy]
        assert len({row["set"] for row in own}) >= 2
        assert {row["lr"] for row in own} <= set(rates)
        assert all(row["rows"] >= 1_000 and row["validation_rows"] >= 800 for row in own)


def test_the_winner_has_the_highest_mean_and_then_the_lowest_loss():
    rows = [
        row("full", "a", 1e-4, 0.9), row("full", "b", 1e-4, 0.6),
        row("full", "a", 1e-3, 0.8), row("full", "b", 1e-3, 0.8),
        row("head", "a", 1e-2, 0.7, loss=0.6), row("head", "a", 1e-3, 0.7, loss=0.5),
    ]  # fmt: skip
    assert learning_rates.winners(rows) == {"full": 1e-3, "head": 1e-3}


def test_the_last_strategies_share_a_rate_that_was_tried_for_each():
    rows = [
        row("last:1", "a", 1e-3, 0.8), row("last:2", "a", 1e-3, 0.8),
        row("last:1", "a", 5e-3, 0.9), row("last:2", "a", 5e-3, 0.5),
        row("last:1", "a", 2e-5, 0.99),
    ]  # fmt: skip
    assert learning_rates.winners(rows) == {"last": 1e-3}


def test_a_rate_that_was_not_tried_on_every_set_cannot_win():
    rows = [row("full", "a", 1e-4, 0.6), row("full", "b", 1e-4, 0.6), row("full", "a", 1e-3, 0.9)]
    assert learning_rates.winners(rows) == {"full": 1e-4}


def test_if_no_rate_was_tried_on_every_job_the_table_has_no_winner(capsys):
    rows = [row("full", "a", 1e-4, 0.6), row("full", "b", 1e-3, 0.7)]
    assert learning_rates.winners(rows) == {}
    learning_rates.print_table(rows)
    printed = capsys.readouterr().out
    assert "| full, a | 1000 x 3 | 60.0 | - |" in printed
    assert "**" not in printed
