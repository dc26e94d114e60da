"""Plan the runs of a ladder: one for each rung, draw and seed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from thawline.config import Config, LadderConfig
from thawline.config.annotations import flat_settings, settings_of
from thawline.config.resolve import change_config, check_config
from thawline.errors import ThawlineError
from thawline.runs.folder import FIT, is_run, plain_settings
from thawline.runs.records import RunRecord
from thawline.runs.records.base import Settings
from thawline.runs.resume import read_run, started_config
from thawline.strategies import parse_strategy
from thawline.training.effects import has_effect, settings_without_effect
from thawline.training.situation import Situation

_SHARED = ("data", "seed", "strategy")
"""Settings that a rung cannot change."""

SEEDS_BETWEEN_DRAWS = 1_000
"""The seeds of a draw are those of the draw before it plus this number.

So each draw has seeds of its own, also if seeds are added to the comparison later.
"""

REFIT = "refit-"
"""The start of the name of a run on train and validation together, which is no run of a rung."""


@dataclass(frozen=True)
class LadderRun:
    """One run of a ladder: a rung with one of the seeds, on one draw of the training rows.

    Attributes:
        rung: The name of the rung: its strategy, or the complete rung with its settings if another
            rung has the same strategy. The name of the backbone comes first if there are several.
        seed: The seed. Runs of a rung that draws no random numbers share one folder, which was
            made with the first seed of the ladder or of an earlier start.
        config: The settings of the run.
        folder: The folder of the run.
        draw: The number of the draw, counting from 0.
    """

    rung: str
    seed: int
    config: Config
    folder: Path
    draw: int = 0

    @property
    def name(self) -> str:
        """The path of the run's folder within the folder of the ladder."""
        return f"{draw_folder(self.draw)}{self.folder.name}"

    @property
    def place(self) -> str:
        """The draw and the seed, for example "draw 1, seed 1000". Draw 0 is not named."""
        return f"draw {self.draw}, seed {self.seed}" if self.draw else f"seed {self.seed}"

    def read(self) -> RunRecord | None:
        """Return the record of the run. None if it has no record yet.

        Raises:
            ThawlineError: If the record cannot be read.
        """
        return read_run(self.folder, FIT)


def draw_folder(draw: int) -> str:
    """Return the folder of the runs on a draw, with a slash, or nothing for draw 0."""
    return f"draw-{draw}/" if draw else ""


def plan_runs(config: LadderConfig, folder: Path) -> list[LadderRun]:
    """Return the runs of a ladder, ordered by rung, then by backbone, by draw and by seed.

    A run with the same settings that the folder already contains keeps its folder, so that it is
    found again if the names of the rungs change because of a new rung or backbone.

    Args:
        config: The settings of the ladder.
        folder: The folder of the ladder.

    Raises:
        ThawlineError: If a rung or a backbone occurs twice, if a rung is not a strategy followed by
            ``key=value``, or if it changes a setting that all rungs must share.
    """
    check_config(config)
    _check_different(config.rungs, "rungs")
    _check_different(config.backbones, "backbones")
    planned = _plan_rungs(config)
    places = [folder.absolute() / draw_folder(draw) for draw in range(config.draws)]
    made = [_made_runs(place) for place in places]
    runs: list[LadderRun] = []
    seeds = list(dict.fromkeys(config.seeds))
    for name, rung_config in planned:
        stem = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")
        # A fit that draws no random numbers is made once, and stands for all seeds.
        is_exact = _is_exact(rung_config)
        for draw, place in enumerate(places):
            data = replace(rung_config.data, draw=rung_config.data.draw + draw)
            of_draw = replace(rung_config, data=data)
            own = [(seed + SEEDS_BETWEEN_DRAWS * draw) % 2**32 for seed in seeds]
            once = _seed_of_exact(of_draw, own, made[draw]) if is_exact else None
            for seed in own:
                seeded = replace(of_draw, seed=seed if once is None else once)
                default = place / f"{stem}-seed-{seeded.seed}"
                there = made[draw].get(_key(seeded), default)
                runs.append(LadderRun(name, seed, seeded, there, draw))
    keys = {(run.rung, run.draw, run.config.seed) for run in runs}
    if len({run.folder for run in runs}) < len(keys):
        raise ThawlineError(
            "rungs that differ in letters or digits, because these are used as folder names",
            ", ".join(map(repr, config.rungs)),
            "write one of the rungs in another way",
            setting="rungs",
        )
    return runs


def same_on_other_backbones(rung: str, runs: Sequence[LadderRun]) -> set[str]:
    """Return the names of the rungs with the same settings as a rung, on all backbones.

    Args:
        rung: The name of the rung, which is returned too.
        runs: The runs of the ladder.
    """
    configs = {run.rung: replace(run.config, backbone="", seed=0) for run in runs}
    return {name for name, config in configs.items() if config == configs[rung]}


def _is_exact(rung: Config) -> bool:
    return Situation.of(rung).is_exact and rung.training.augment is None


def _seed_of_exact(rung: Config, seeds: Sequence[int], made: Mapping[str, Path]) -> int:
    """Return the seed of a run that draws no random numbers: that of a made run if there is one.

    Args:
        rung: The settings of the rung.
        seeds: The seeds of the ladder.
        made: The folders of the made runs, by their settings.
    """
    found = [json.loads(key) for key in made]
    same = _settings(rung)
    others = [one["seed"] for one in found if {**one, "seed": rung.seed} == same]
    return next((seed for seed in (*seeds, *others) if seed in others), seeds[0])


def _check_different(items: Sequence[str], setting: str) -> None:
    """Raise ThawlineError if an item occurs twice."""
    if len(set(items)) < len(items):
        found = ", ".join(map(repr, items))
        raise ThawlineError(f"different {setting}", found, "remove the duplicate", setting=setting)


def _plan_rungs(config: LadderConfig) -> list[tuple[str, Config]]:
    """Return the name and the settings of each rung on each backbone, without the seed."""
    backbones = config.backbones if config.backbones else (config.fit.backbone,)
    shared = [replace(config.fit, backbone=backbone) for backbone in backbones]
    written: dict[str, list[Config]] = {}
    for rung in config.rungs:
        on_each = [
            _without_unused(rung_config(rung, fit), replace(config, fit=fit)) for fit in shared
        ]
        # A rung with a backbone of its own is not repeated for each backbone.
        written[rung] = list({_key(one): one for one in on_each}.values())
    strategies = [configs[0].strategy for configs in written.values()]
    reading = [one for configs in written.values() for one in configs if _has_backbone(one)]
    used = list(dict.fromkeys(one.backbone for one in reading))
    short = _short_names(used)
    planned = []
    for rung, configs in written.items():
        is_unique = strategies.count(configs[0].strategy) == 1
        name = configs[0].strategy if is_unique else rung
        for one in configs:
            has_prefix = len(short) > 1 and _has_backbone(one)
            prefix = f"{short[one.backbone]} " if has_prefix else ""
            planned.append((f"{prefix}{name}", one))
    return planned


def _has_backbone(rung: Config) -> bool:
    return parse_strategy(rung.strategy).reads_states


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Return the last part of the name of each backbone, or all of it if two would be equal."""
    backbones = list(dict.fromkeys(names))
    last = [Path(backbone).name for backbone in backbones]
    return {
        backbone: name if last.count(name) == 1 else backbone
        for backbone, name in zip(backbones, last, strict=True)
    }


def _made_runs(folder: Path) -> dict[str, Path]:
    """Return the folders of the runs in the folder of a ladder, by their settings."""
    made: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and is_run(path) and not path.name.startswith(REFIT):
            with suppress(ThawlineError):  # the run itself reports what is wrong with it
                made.setdefault(_key(started_config(path, Config)), path)
    return made


def _key(config: Config) -> str:
    """Return the settings of a run as one string."""
    return json.dumps(_settings(config), sort_keys=True)


def _settings(config: Config) -> Settings:
    """Return the settings of a run as JSON values, with their defaults written out."""
    return plain_settings(change_config(config, ()))


def _without_unused(rung: Config, ladder: LadderConfig) -> Config:
    """Return a rung in which shared settings that only other rungs use have their defaults.

    A shared setting that no rung uses is left as it is, and `make_plan` refuses it.
    """
    rungs = [rung_config(name, ladder.fit) for name in ladder.rungs]
    shared = flat_settings(ladder.fit)
    for key, value in list(settings_without_effect(rung)):
        used = any(has_effect(key, Situation.of(other)) for other in rungs)
        if used and value == shared[key]:
            table, _, name = key.rpartition(".")
            default = settings_of(Config)[key].default
            changed = replace(getattr(rung, table), **{name: default}) if table else default
            rung = replace(rung, **{table or name: changed})
    return rung


def rung_config(rung: str, shared: Config, setting: str = "rungs") -> Config:
    """Return the settings of a rung: the shared settings, changed as the rung says.

    Args:
        rung: The rung: a strategy, followed by settings in the form ``key=value``.
        shared: The settings that all rungs share.
        setting: The key of the setting that lists the rungs.

    Raises:
        ThawlineError: If the rung has another form, or if it changes what all rungs must share.
    """
    try:
        words = shlex.split(rung)
    except ValueError as error:  # a quotation mark without its partner
        expected = "a strategy and settings with closed quotation marks"
        fix = "write the rung as in 'last:1 training.lr=1e-3'"
        raise ThawlineError(expected, repr(rung), fix, setting=setting) from error
    strategy, overrides = (words[0], words[1:]) if words else ("", [])
    for word in overrides:
        key, equals, _ = word.partition("=")
        if not equals or key.partition(".")[0] in _SHARED:
            raise ThawlineError(
                "a strategy followed by settings in the form key=value, except "
                f"{', '.join(_SHARED[:-1])} and {_SHARED[-1]}",
                f"{word!r} in {rung!r}",
                "write the rung as in 'last:1 training.lr=1e-3'",
                setting=setting,
            )
    return change_config(replace(shared, strategy=strategy), overrides)
