"""The space of a search: how it is written, its defaults, and the settings of a trial."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.compare.plan import rung_config
from thawline.config import Config, HeadConfig, TrainingConfig, TuneConfig
from thawline.config.annotations import flatten_settings
from thawline.errors import ThawlineError
from thawline.strategies import parse_strategy
from thawline.training.effects import settings_without_effect
from thawline.tuning.defaults import Known
from thawline.tuning.dimensions import Dimension, parse_dimension, with_fields, written_fields
from thawline.tuning.plan import fix_written, plan_space
from thawline.tuning.space import as_rung


def parsed(text: str, *strategies: str) -> Dimension:
    known = [parse_strategy(name) for name in strategies or ("last",)]
    return parse_dimension(text, known, Config())


def planned(*strategies: str, search: tuple[str, ...] = (), rows: int = 1_000, **fit):
    config = TuneConfig(strategies=strategies, search=search, fit=Config(**fit))
    return plan_space(config, lambda fit: Known(rows, "bert", 4))


def sampled(space, seed: int) -> Config:
    random = np.random.default_rng(seed)

    def choose(name: str, dimension: Dimension):
        if dimension.low is None:
            return dimension.choices[random.integers(len(dimension.choices))]
        if dimension.is_integer:
            return int(random.integers(dimension.low, dimension.high + 1))
        return float(random.uniform(dimension.low, dimension.high))

    return space.config(choose)[1]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("lr=1e-5..1e-3:log", Dimension("training.lr", 1e-5, 1e-3, log=True, given=True)),
        ("epochs=1..4", Dimension("training.epochs", 1, 4, given=True)),
        ("weight_decay=0..1", Dimension("training.weight_decay", 0.0, 1.0, given=True)),
        ("pooling = mean, first", Dimension("head.pooling", choices=("mean", "first"), given=True)),
        ("head=mlp:8", Dimension("head.head", choices=("mlp:8",), given=True)),
        ("k=1..3", Dimension("strategy.k", 1, 3, given=True)),
        ("strategy.k=1,3", Dimension("strategy.k", choices=(1, 3), given=True)),
        ("training.lr=1,2", Dimension("training.lr", choices=(1.0, 2.0), given=True)),
        ("features=layers,2", Dimension("head.features", choices=("layers", "2"), given=True)),
    ],
)
def test_values_have_the_type_of_their_setting(text, wanted):
    found = parsed(text)
    assert found == wanted
    assert [type(one) for one in found.ends()] == [type(one) for one in wanted.ends()]


def test_the_fields_of_a_strategy_behind_prefixes_are_searched():
    assert parsed("r=2..8", "tapt+lp+lora").key == "strategy.r"
    assert parsed("from=1..3", "lora").key == "strategy.from"
    changed = with_fields(parse_strategy("lp+lora:r=2"), {"from": 3, "alpha": 9.0})
    assert str(changed) == str(parse_strategy("lp+lora:r=2,alpha=9,from=3"))


@pytest.mark.parametrize(
    "text",
    [
        *("lr", "lr=", "=1..2", "leraning_rate=1..2", "lr=1..2:exp", "lr=2..1", "lr=1..1"),
        *("lr=0.1,0.1", "lr=-1..1", "lr=low..high", "weight_decay=0..1:log", "epochs=1.5..3"),
        *("pooling=first..last", "dropout=0..0.5", "keep=loss,accuracy", "seed=0,1", "k=0..2"),
        *("training.keep=loss", "checkpoint_every=1..9", "data.limit=1,2", "r=2..4", "k=a,b"),
        *("penalties=1,2", "exact.penalties=[1,2]", "optimizer=adam", "head=mlp:8..mlp:32"),
    ],
)
def test_a_wrong_search_names_its_setting(text):
    with pytest.raises(ThawlineError) as caught:
        parsed(text)
    assert caught.value.setting in ("search", "strategy")


def test_defaults_that_are_written_are_fixed_too():
    written = {"fit.head.head", "fit.training.batch_size", "fit.training.lr", "fit.seed"}
    config = TuneConfig(strategies=("head", "last"), search=("batch_size=8,16",))
    assert fix_written(config, ()) == config
    assert fix_written(config, written).search == ("batch_size=8,16", "head.head=linear")
    words = TuneConfig(strategies=("head+tfidf", "tfidf"))
    assert fix_written(words, written) == words
    changed = TuneConfig(fit=Config(head=HeadConfig(head="mlp:4")))
    assert fix_written(changed, {"fit.head.head"}) == changed
    twice = fix_written(TuneConfig(strategies=("head head.head=linear",)), {"fit.head.head"})
    dimensions = planned(*twice.strategies, search=twice.search).arms[0].dimensions
    assert "head.head" not in {one.key for one in dimensions}


@pytest.mark.parametrize(
    ("strategies", "search", "training", "key"),
    [
        (("head",), "epochs=1..2", TrainingConfig(epochs=2), "fit.training.epochs"),
        (("head training.epochs=2",), "epochs=1..2", TrainingConfig(), "training.epochs"),
        (("last:2",), "k=1..3", TrainingConfig(), "strategy.k"),
    ],
)
def test_a_setting_is_either_searched_or_fixed(strategies, search, training, key):
    with pytest.raises(ThawlineError) as caught:
        planned(*strategies, search=(search,), training=training)
    assert caught.value.setting == "search"
    assert search.rpartition("=")[2] in caught.value.found
    assert f"`{key}`" in caught.value.expected


@pytest.mark.parametrize("search", [(), ("optimizer=adamw,sgd",)])
def test_sgd_needs_rates_of_its_own(search):
    training = TrainingConfig() if search else TrainingConfig(optimizer="sgd")
    with pytest.raises(ThawlineError) as caught:
        planned("full", search=search, training=training)
    assert caught.value.setting == "search"
    assert planned("full", search=(*search, "lr=0.01..1:log"), training=training)
    assert planned("full training.lr=0.1", search=search, training=training)


def test_what_is_written_behind_a_strategy_is_not_searched_for_it():
    space = planned("head", "last training.epochs=3", search=("epochs=1..5",))
    head, last = ({one.key for one in arm.dimensions} for arm in space.arms)
    assert "training.epochs" in head
    assert "training.epochs" not in last
    assert all(
        sampled(space, seed).training.epochs == 3
        for seed in range(20)
        if sampled(space, seed).strategy != "head"
    )


def test_written_fields():
    assert written_fields("last") == set()
    assert written_fields("lp+last:2") == {"k"}
    assert written_fields("lora:r=2,targets=a+b") == {"r", "targets"}


def test_what_is_written_is_fixed_and_the_rest_is_searched():
    keys = {one.key for one in planned("last").arms[0].dimensions}
    assert {"strategy.k", "training.lr", "training.epochs", "head.pooling"} <= keys
    fixed = planned("last:2 training.epochs=2", head=HeadConfig(pooling="first")).arms[0]
    assert keys - {one.key for one in fixed.dimensions} == {
        *("strategy.k", "training.epochs", "head.pooling"),
    }
    assert parse_strategy(sampled(planned("last:2"), 0).strategy).k == 2
    narrowed = planned("last", search=("lr=1e-4..2e-4", "tokens.max_length=16,32"))
    dimensions = {one.key: one for one in narrowed.arms[0].dimensions}
    assert dimensions["training.lr"].ends() == (1e-4, 2e-4)
    assert dimensions["tokens.max_length"].choices == (16, 32)


@pytest.mark.parametrize(
    "strategy",
    ["head", "head+tfidf", "last", "lora", "full", "bitfit", "gradual", "lp+last", "tapt+lora"],
)
def test_every_sampled_setting_has_an_effect(strategy):
    by_epochs = {"training": TrainingConfig(weight_decay=0.1, keep="loss")}
    space = planned(strategy, **({} if strategy == "head+tfidf" else by_epochs))
    strategies = set()
    for seed in range(20):
        config = sampled(space, seed)
        assert not list(settings_without_effect(config, 4))
        strategies.add(config.strategy)
        flat = {k: v for k, v in flatten_settings(config.to_dict()) if not k.startswith("data.")}
        again = dict(flatten_settings(rung_config(as_rung(config), Config()).to_dict()))
        assert {key: again[key] for key in flat} == flat
    assert (len(strategies) > 1) == (strategy in ("last", "lora", "lp+last", "tapt+lora"))


def test_a_linear_head_on_frozen_states_has_no_rate():
    space = planned("head")
    configs = [sampled(space, seed) for seed in range(30)]
    linear = [one for one in configs if one.head.head == "linear"]
    assert 0 < len(linear) < len(configs)
    assert all(one.training == TrainingConfig() for one in linear)
    by_epochs = planned("head", search=("epochs=1..3", "head=linear"))
    assert all(sampled(by_epochs, seed).training.lr is not None for seed in range(5))


def test_several_strategies_are_searched_together():
    space = planned("head", "last")
    names: list[str] = []

    def choose(name: str, dimension: Dimension):
        names.append(name)
        return dimension.ends()[-1]

    arm, config = space.config(choose)
    assert arm.name == "last"
    assert parse_strategy(config.strategy).k == 4
    assert names[0] == "strategy"
    assert all(name.startswith("last ") for name in names[1:])


@pytest.mark.parametrize(
    ("strategies", "search", "setting"),
    [
        (("last", "last"), (), "strategies"),
        (("tfidf",), (), "strategies"),
        (("head",), ("lr=1e-3..1e-2", "head=linear"), "search"),
        (("head",), ("lr=1e-3..1e-2", "training.lr=1e-3..1e-2"), "search"),
        (("full",), ("features=1,2", "tapt.epochs=1..2"), "search"),
        (("lsat",), (), "strategy"),
        (("head training.epochs",), (), "strategies"),
        (("last 'training.lr=1",), (), "strategies"),
    ],
)
def test_a_space_that_cannot_work_is_refused(strategies, search, setting):
    with pytest.raises(ThawlineError) as caught:
        planned(*strategies, search=search)
    assert caught.value.setting == setting


def test_a_fixed_setting_that_never_has_an_effect_is_refused():
    with pytest.raises(ThawlineError) as caught:
        planned("head+tfidf", training=TrainingConfig(patience=2))
    assert caught.value.setting == "training.patience"


def test_a_setting_behind_a_strategy_that_never_has_an_effect_is_refused():
    with pytest.raises(ThawlineError) as caught:
        planned("head", "full training.muon_lr=1")
    assert caught.value.setting == "training.muon_lr"
    planned("full training.muon_lr=1", search=("optimizer=adamw,muon",))


def test_sampled_numbers_are_rounded_within_their_range():
    dimension = Dimension("training.lr", 0.00012345, 0.1, log=True)
    assert dimension.rounded(0.0123456) == 0.0123
    assert dimension.rounded(0.00012346) == 0.00012345


@pytest.mark.parametrize(
    ("rows", "wanted"), [(10, (4, 8, 16)), (3_600, (128, 256, 512)), (10**6, (128, 256, 512))]
)
def test_the_steps_of_a_head_depend_on_the_rows(rows, wanted):
    dimensions = {one.key: one for one in planned("head", rows=rows).arms[0].dimensions}
    assert dimensions["training.batch_size"].choices == wanted
