"""The command line names settings in messages by its options."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import pytest

from thawline.cli.commands import SMALL
from thawline.cli.naming import fit_naming, rungs_named, verb_naming
from thawline.cli.options import SettingOption, small
from thawline.cli.verbs import compare, evaluate, tune
from thawline.config import Config, LadderConfig, TuneConfig
from thawline.config.annotations import settings_of
from thawline.errors import Naming, ThawlineError


def naming(
    config: type, settings: Iterable[str], *, has_set: bool = True, written: str = ""
) -> Naming:
    known, keys = settings_of(config), list(settings)
    options = [small(known) if key == SMALL else SettingOption(known[key]) for key in keys]
    return verb_naming(known, options, has_set=has_set, written=written.split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`training.lr`", "--lr"),
        ("`training.lr=0.1`", "--lr 0.1"),
        ("`tokens.max_length=40`", "--max-length 40"),
        ("`training.optimizer`", "training.optimizer"),
        ("`training.optimizer=sgd`", "--set training.optimizer=sgd"),
        ("`artifact.merge=true`", "--merge"),
        ("`artifact.merge=false`", "--set artifact.merge=false"),
        ("`head.standardise=false`", "--no-standardise"),
        ("`head.standardise=true`", "--standardise"),
        ("`data.limit=[4000, 2000]`", "--limit 4000,2000"),
        ('`report.show=["a b", "c"]`', "--show 'a b' --show c"),
        ("`exact.penalties=[1.0]`", "--set 'exact.penalties=[1.0]'"),
        ("`data.data=it's here.csv`", """--data 'it'"'"'s here.csv'"""),
        ("`exact.penalties=…`", "--set exact.penalties=…"),
        ("`training.lrr=1` of `k`", "`training.lrr=1` of `k`"),
    ],
)
def test_fit_shows_its_options(text: str, shown: str) -> None:
    assert fit_naming().render(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`training.lr=0.1`", "--set fit.training.lr=0.1"),
        ("`fit.training.lr=0.1`", "--set fit.training.lr=0.1"),
        ("`training.lr`", "fit.training.lr"),
        ("`training.epochs=3`", "--epochs 3"),
        ("`artifact.merge=true`", "--set fit.artifact.merge=true"),
        ("`strategy=last:1`", "--strategy last:1"),
        ("`budget`", "--budget"),
    ],
)
def test_compare_shows_settings_of_its_fits(text: str, shown: str) -> None:
    assert naming(LadderConfig, chain(*compare.SETTINGS.values())).render(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`training.lr=0.1`", "--lr 0.1"),
        ("`backbone=minilm`", "--backbone minilm"),
        ('`search=["lr=0.01..1:log"]`', "--search lr=0.01..1:log"),
        ("`fit.training.keep=…`", "--set fit.training.keep=…"),
    ],
)
def test_tune_shows_its_options(text: str, shown: str) -> None:
    assert naming(TuneConfig, chain(*tune.SETTINGS.values())).render(text) == shown


def test_a_verb_without_a_setting_names_it_as_fit_does() -> None:
    shown = naming(Config, evaluate.SETTINGS, has_set=False).render(
        "run fit with a lower `training.lr` and `training.keep=loss`"
    )
    assert shown == "run fit with a lower --lr and --set training.keep=loss"


def test_a_setting_in_a_file_keeps_its_key() -> None:
    one = naming(
        LadderConfig,
        chain(*compare.SETTINGS.values()),
        written="fit.training.epochs fit.training.lr",
    )
    text = "`training.epochs` of `training.epochs=3`, `training.lr=1`, `head.head=linear`"
    rendered = "fit.training.epochs of fit.training.epochs=3, fit.training.lr=1, --head linear"
    assert one.render(text) == rendered


@pytest.mark.parametrize(
    ("rung", "fix"),
    [
        ("full training.lr=1e-3", "use head and training.epochs=3"),
        ("full training.optimizer=sgd", "use `strategy=head` and `training.epochs=3`"),
    ],
)
def test_an_error_about_a_setting_in_a_rung_proposes_what_a_rung_can_have(
    rung: str, fix: str
) -> None:
    with pytest.raises(ThawlineError) as caught, rungs_named(["head", rung]):
        raise ThawlineError(
            "epochs with `training.lr=0.001`", "none", "use `strategy=head` and `training.epochs=3`"
        )
    assert caught.value.fix == fix
