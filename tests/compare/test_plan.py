"""The runs that a ladder is made of, and their names."""

from __future__ import annotations

from pathlib import Path

from thawline.compare.plan import plan_runs
from thawline.config import Config, LadderConfig, TrainingConfig


def test_a_rung_is_named_by_its_strategy_where_that_is_its_own():
    rungs = ("head", "last:1 training.lr=1e-3", "full", "full training.lr=1e-3")
    runs = plan_runs(LadderConfig(rungs=rungs, seeds=(3, 5)), Path("ladder"))
    assert [run.rung for run in runs[::2]] == ["head", "last:1", *rungs[2:]]
    assert [run.folder.name for run in runs[:4]] == [
        *("head-seed-3", "head-seed-5", "last-1-seed-3", "last-1-seed-5")
    ]
    assert runs[-1].folder.name == "full-training.lr-1e-3-seed-5"
    assert runs[2].config.training.lr == 1e-3
    assert runs[3].config.seed == 5


def test_a_shared_setting_applies_to_the_rungs_that_use_it(tmp_path: Path) -> None:
    shared = Config(training=TrainingConfig(batch_size=4, muon_lr=0.1))
    head, last = plan_runs(LadderConfig(rungs=("head", "last:1"), seeds=(0,), fit=shared), tmp_path)
    assert head.config.training.batch_size == TrainingConfig.batch_size
    assert last.config.training.batch_size == 4
    # No rung uses Muon, so that `make_plan` refuses its learning rate.
    assert head.config.training.muon_lr == last.config.training.muon_lr == 0.1


def test_a_setting_of_a_rung_stays_in_it(tmp_path: Path) -> None:
    rungs = ("head training.batch_size=4", "last:1")
    head, _ = plan_runs(LadderConfig(rungs=rungs, seeds=(0,)), tmp_path)
    assert head.config.training.batch_size == 4  # `make_plan` refuses it
