"""The runs of a ladder: each rung, with settings of its own, with each of the seeds."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from thawline.config import Config, LadderConfig
from thawline.config.resolve import change_config, check_config
from thawline.errors import ThawlineError
from thawline.runs.layout import read_whole_record

_SHARED = ("data", "seed", "strategy")
"""Settings that a rung cannot have of its own."""


@dataclass(frozen=True)
class Climb:
    """One run of a ladder: a rung with one of the seeds.

    Attributes:
        rung: its name: as it is written, or its strategy alone where no other rung has that.
        config: of the run.
        folder: the run's.
    """

    rung: str
    config: Config
    folder: Path

    @property
    def finished(self) -> bool:
        """Whether the run is there, whole."""
        return read_whole_record(self.folder).get("status") == "finished"


def plan_climbs(config: LadderConfig, folder: Path) -> list[Climb]:
    """Return the runs of a ladder, rung by rung and seed by seed.

    Raises:
        ThawlineError: a rung stands there twice, is no strategy with ``key=value`` behind it, or
            has a setting of its own that all rungs must share.
    """
    check_config(config)
    if len(set(config.rungs)) < len(config.rungs):
        fix = "leave one of two alike out"
        raise ThawlineError("each rung once", ", ".join(map(repr, config.rungs)), fix)
    configs = [_rung_config(rung, config.fit) for rung in config.rungs]
    strategies = [own.strategy for own in configs]
    climbs: list[Climb] = []
    for rung, own in zip(config.rungs, configs, strict=True):
        name = own.strategy if strategies.count(own.strategy) == 1 else rung
        place = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")
        climbs += [
            Climb(name, replace(own, seed=seed), folder.absolute() / f"{place}-seed-{seed}")
            for seed in dict.fromkeys(config.seeds)
        ]
    if len({climb.folder for climb in climbs}) < len(climbs):
        named = ", ".join(map(repr, config.rungs))
        raise ThawlineError("rungs that differ in letters or digits", named, "write one otherwise")
    return climbs


def _rung_config(rung: str, shared: Config) -> Config:
    words = shlex.split(rung)
    strategy, overrides = (words[0], words[1:]) if words else ("", [])
    for word in overrides:
        key, equals, _ = word.partition("=")
        if not equals or key.partition(".")[0] in _SHARED:
            raise ThawlineError(
                "a rung as a strategy and then settings of its own, key=value, other than "
                f"{', '.join(_SHARED[:-1])} and {_SHARED[-1]}",
                f"{word!r} in {rung!r}",
                "write 'last:1 training.lr=1e-3', for one",
            )
    return change_config(replace(shared, strategy=strategy), overrides)
