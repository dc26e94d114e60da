"""The runs that a ladder is made of, and their names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from thawline.compare.plan import plan_runs
from thawline.config import Config, LadderConfig, TrainingConfig
from thawline.config.resolve import config_to_toml
from thawline.errors import ThawlineError
from thawline.runs.folder import CONFIG


def test_a_rung_is_named_by_its_strategy_where_that_is_its_own():
    rungs = ("head", "last:1 training.lr=1e-3", "full", "full training.lr=1e-3")
    runs = plan_runs(LadderConfig(rungs=rungs, seeds=(3, 5)), Path("ladder"))
    assert [run.rung for run in runs[::2]] == ["head", "last:1", *rungs[2:]]
    assert [run.folder.name for run in runs[:4]] == [
        *("head-seed-3", "head-seed-3", "last-1-seed-3", "last-1-seed-5")
    ]
    assert runs[-1].folder.name == "full-training.lr-1e-3-seed-5"
    assert runs[2].config.training.lr == 1e-3
    assert runs[3].config.seed == runs[3].seed == 5


def test_a_rung_that_draws_no_random_numbers_has_one_run_for_all_seeds() -> None:
    rungs = ("tfidf", "head", "head training.epochs=2")
    runs = plan_runs(LadderConfig(rungs=rungs, seeds=(4, 9)), Path("ladder"))
    assert [run.seed for run in runs] == [4, 9] * 3
    assert [run.config.seed for run in runs] == [4, 4, 4, 4, 4, 9]
    assert len({run.folder for run in runs}) == 4


def test_altered_copies_differ_between_seeds() -> None:
    rungs = ("tfidf training.augment=swap=0.1,copies=2", "head")
    runs = plan_runs(LadderConfig(rungs=rungs, seeds=(4, 9)), Path("ladder"))
    assert [run.config.seed for run in runs] == [4, 9, 4, 4]
    assert runs[0].config.training.augment == "swap=0.1,copies=2"


def test_every_rung_is_compared_on_every_backbone_that_it_reads() -> None:
    backbones = ("minilm", "some/where/else")
    config = LadderConfig(rungs=("tfidf", "head", "last:1"), backbones=backbones, seeds=(0,))
    runs = plan_runs(config, Path("ladder"))
    assert [run.rung for run in runs] == [
        *("tfidf", "minilm head", "else head", "minilm last:1", "else last:1")
    ]
    assert [run.config.backbone for run in runs[1:3]] == list(backbones)
    assert len({run.folder for run in runs}) == len(runs)
    alike = replace(config, rungs=("head",), backbones=("one/base", "two/base"))
    assert [run.rung for run in plan_runs(alike, Path("ladder"))] == [
        *("one/base head", "two/base head")
    ]
    own = replace(config, rungs=("head", "last:1 backbone=minilm"), backbones=("else",))
    assert [run.rung for run in plan_runs(own, Path("ladder"))] == ["else head", "minilm last:1"]


@pytest.mark.parametrize("setting", ["rungs", "backbones"])
def test_nothing_is_compared_twice(setting: str) -> None:
    with pytest.raises(ThawlineError) as caught:
        plan_runs(LadderConfig(**{setting: ("head", "head")}), Path("ladder"))
    assert caught.value.setting == setting


def test_a_run_on_train_and_validation_is_no_run_of_a_rung(tmp_path: Path) -> None:
    config = LadderConfig(rungs=("tapt+last:1",), backbones=("minilm",), seeds=(0,))
    (planned,) = plan_runs(config, tmp_path)
    for name in (planned.folder.name, f"refit-{planned.folder.name}"):
        (tmp_path / name).mkdir()
        (tmp_path / name / CONFIG).write_text(config_to_toml(planned.config), encoding="utf-8")
    assert [run.folder for run in plan_runs(config, tmp_path)] == [planned.folder]


def test_a_run_is_found_again_if_its_rung_has_another_name_now(tmp_path: Path) -> None:
    config = LadderConfig(rungs=("head", "last:1"), backbones=("minilm",), seeds=(0, 1))
    before = plan_runs(config, tmp_path)
    for run in before:
        run.folder.mkdir(exist_ok=True)
        (run.folder / CONFIG).write_text(config_to_toml(run.config), encoding="utf-8")
    more = replace(
        config, backbones=("minilm", "other"), rungs=("head", "last:1", "last:1 training.lr=1")
    )
    after = {run.rung: run.folder for run in plan_runs(more, tmp_path) if run.seed == 1}
    assert after["minilm head"] == before[1].folder
    assert after["minilm last:1"] == before[3].folder
    assert len(set(after.values())) == len(after) == 6


def test_a_run_without_random_numbers_is_found_again_with_other_seeds(tmp_path: Path) -> None:
    config = LadderConfig(rungs=("tfidf", "last:1"), seeds=(0, 1))
    for run in plan_runs(config, tmp_path):
        run.folder.mkdir(exist_ok=True)
        (run.folder / CONFIG).write_text(config_to_toml(run.config), encoding="utf-8")
    runs = plan_runs(replace(config, seeds=(1, 2)), tmp_path)
    assert [run.seed for run in runs] == [1, 2, 1, 2]
    names = [run.folder.name for run in runs]
    assert names == ["tfidf-seed-0", "tfidf-seed-0", "last-1-seed-1", "last-1-seed-2"]
    assert [run.config.seed for run in runs] == [0, 0, 1, 2]


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
