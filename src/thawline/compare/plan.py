"""Plan the runs of a ladder: one for each rung and seed."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from thawline.config import Config, LadderConfig
from thawline.config.annotations import flatten_settings, settings_of
from thawline.config.resolve import change_config, check_config
from thawline.errors import ThawlineError
from thawline.runs.folder import FIT
from thawline.runs.records import RunRecord
from thawline.runs.resume import read_run
from thawline.training.effects import Situation, has_effect, settings_without_effect

_SHARED = ("data", "seed", "strategy")
"""Settings that a rung cannot change."""


@dataclass(frozen=True)
class LadderRun:
    """One run of a ladder: a rung with one of the seeds.

    Attributes:
        rung: The name of the rung: its strategy, or the complete rung with its settings if another
            rung has the same strategy.
        config: The settings of the run.
        folder: The folder of the run.
    """

    rung: str
    config: Config
    folder: Path

    def read(self) -> RunRecord | None:
        """Return the record of the run. None if it has no record yet.

        Raises:
            ThawlineError: If the record cannot be read.
        """
        return read_run(self.folder, FIT)


def plan_runs(config: LadderConfig, folder: Path) -> list[LadderRun]:
    """Return the runs of a ladder, ordered by rung and then by seed.

    Args:
        config: The settings of the ladder.
        folder: The folder of the ladder.

    Raises:
        ThawlineError: If a rung occurs twice, if it is not a strategy followed by ``key=value``, or
            if it changes a setting that all rungs must share.
    """
    check_config(config)
    if len(set(config.rungs)) < len(config.rungs):
        found = ", ".join(map(repr, config.rungs))
        raise ThawlineError("different rungs", found, "remove the duplicate", setting="rungs")
    configs = [_without_unused(_rung_config(rung, config.fit), config) for rung in config.rungs]
    strategies = [rung_config.strategy for rung_config in configs]
    runs: list[LadderRun] = []
    for rung, rung_config in zip(config.rungs, configs, strict=True):
        is_unique = strategies.count(rung_config.strategy) == 1
        name = rung_config.strategy if is_unique else rung
        stem = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")
        runs += [
            LadderRun(
                name, replace(rung_config, seed=seed), folder.absolute() / f"{stem}-seed-{seed}"
            )
            for seed in dict.fromkeys(config.seeds)
        ]
    if len({run.folder for run in runs}) < len(runs):
        raise ThawlineError(
            "rungs that differ in letters or digits, because these are used as folder names",
            ", ".join(map(repr, config.rungs)),
            "write one of the rungs in another way",
            setting="rungs",
        )
    return runs


def _without_unused(rung: Config, ladder: LadderConfig) -> Config:
    """Return a rung in which shared settings that only other rungs use have their defaults.

    A shared setting that no rung uses is left as it is, and `make_plan` refuses it.
    """
    rungs = [_rung_config(name, ladder.fit) for name in ladder.rungs]
    shared = dict(flatten_settings(ladder.fit.to_dict()))
    for key, value in list(settings_without_effect(rung)):
        used = any(has_effect(key, Situation.of(other)) for other in rungs)
        if used and value == shared[key]:
            table, _, name = key.rpartition(".")
            default = settings_of(Config)[key].default
            changed = replace(getattr(rung, table), **{name: default}) if table else default
            rung = replace(rung, **{table or name: changed})
    return rung


def _rung_config(rung: str, shared: Config) -> Config:
    """Return the settings of a rung: the shared settings, changed as the rung says."""
    words = shlex.split(rung)
    strategy, overrides = (words[0], words[1:]) if words else ("", [])
    for word in overrides:
        key, equals, _ = word.partition("=")
        if not equals or key.partition(".")[0] in _SHARED:
            raise ThawlineError(
                "a strategy followed by settings in the form key=value, except "
                f"{', '.join(_SHARED[:-1])} and {_SHARED[-1]}",
                f"{word!r} in {rung!r}",
                "write the rung as in 'last:1 training.lr=1e-3'",
                setting="rungs",
            )
    return change_config(replace(shared, strategy=strategy), overrides)
