"""A ladder: several strategies on identical splits and seeds, compared, with a verdict."""

from __future__ import annotations

import gc
import re
import shlex
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from thawline import artifact, compat, settings
from thawline.backbones import load_backbone
from thawline.comparison import against_best
from thawline.config import Config, LadderConfig
from thawline.data import Dataset, load
from thawline.errors import ThawlineError
from thawline.job import Shared, check_same_rows, fit_run
from thawline.plan import make_plan
from thawline.progress import Advance, Reporter
from thawline.report.curves import draw_curves
from thawline.report.rungs import draw_rungs
from thawline.runs import check_begun, check_folder, is_run, read_whole_record, write_json

LADDER = "ladder.json"

SCORES = ("accuracy", "f1_macro", "f1_weighted", "loss", "calibration_error")
"""What a ladder keeps of a run's scores; the run's own record has all of them."""

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


def run_ladder(config: LadderConfig, folder: Path, reporter: Reporter) -> dict[str, Any]:
    """Fit every rung with every seed, compare them and say which is worth its cost.

    All runs are made in this process, on one reading of the set, with one fresh process that proves
    their artifacts; whatever a rung needs of the store, an earlier one may have put there. A ladder
    that was stopped goes on when it is run again: finished runs are kept. So are those of a ladder
    to which rungs or seeds are added.

    Args:
        config: the rungs, the seeds, and what all of them share.
        folder: of the ladder; each run has a folder in it.
        reporter: told of progress.

    Returns:
        What is also in ``ladder.json``: ``rungs``, each with its test scores (means over the
        seeds, with intervals and deviations), its cost, and ``against_best``, row by row on test;
        the ``best``, by accuracy on test; the ``verdict``, the cheapest rung that cannot be told
        from it; and ``chosen``, the run with the highest accuracy on validation: the one to use,
        since nothing was chosen on test for it.

    Raises:
        ThawlineError: a rung cannot work, the folder holds something else or runs with other
            settings, or an artifact could not be proven.
    """
    start = time.perf_counter()
    climbs = plan_climbs(config, folder)
    _check(climbs, folder)
    dataset = load(config.fit.data)
    for climb in climbs:
        check_same_rows(read_whole_record(climb.folder), dataset, climb.folder)
    record: dict[str, Any] = {
        "status": "running",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": config.to_dict(),
        "versions": compat.versions(),
        "hardware": compat.hardware(),
        "data": {
            "name": dataset.name,
            "sha256": dataset.digest,
            "protocol": dataset.protocol,
            "labels": dataset.labels.to_dict(),
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / LADDER, record)
    with _told(record, folder / LADDER):
        records = _fit(climbs, dataset, _Once(reporter))
        record |= compared(config, climbs, records)
        record["plots"] = _draw(record, folder)
        record["seconds"] = {"total": time.perf_counter() - start}
        record["status"] = "finished"
    return record


@contextmanager
def _told(record: dict[str, Any], file: Path) -> Iterator[None]:
    """Write the record when a ladder ends, in whichever way."""
    try:
        yield
    except KeyboardInterrupt:
        record["status"] = "stopped"
        raise
    except BaseException as error:
        record |= {"status": "failed", "error": f"{type(error).__name__}: {error}"}
        raise
    finally:
        write_json(file, record)


# -- before anything is fitted --------------------------------------------------------------------


def plan_climbs(config: LadderConfig, folder: Path) -> list[Climb]:
    """Return the runs of a ladder, rung by rung and seed by seed.

    Raises:
        ThawlineError: a rung stands there twice, is no strategy with ``key=value`` behind it, or
            has a setting of its own that all rungs must share.
    """
    settings.check(config)
    if len(set(config.rungs)) < len(config.rungs):
        mend = "leave one of two alike out"
        raise ThawlineError("each rung once", ", ".join(map(repr, config.rungs)), mend)
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
    return settings.changed(replace(shared, strategy=strategy), overrides)


def _check(climbs: Sequence[Climb], folder: Path) -> None:
    """Check every run against its backbone and against what is in the folder."""
    if not (folder / LADDER).is_file():
        check_folder(folder)
    for climb in climbs:
        if is_run(climb.folder):
            check_begun(climb.folder, climb.config)
    backbones: dict[Any, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each run warns for itself
        for climb in climbs:
            if not climb.finished:
                named = climb.config.backbone, climb.config.tokens
                if named not in backbones:
                    backbones[named] = load_backbone(*named)
                make_plan(backbones[named], climb.config)


# -- fitting --------------------------------------------------------------------------------------


class _Once(Reporter):
    """Tells each note once: what is true of the set is the same for every rung."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._told: set[str] = set()

    def note(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._reporter.note(text)

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        with self._reporter.task(description, total) as advance:
            yield advance


def _fit(climbs: Sequence[Climb], dataset: Dataset, reporter: Reporter) -> list[dict[str, Any]]:
    """Make the runs that are not finished; return the records of all."""
    records = []
    with ExitStack() as stack:
        prover = None
        if not all(climb.finished for climb in climbs):
            device = climbs[0].config.compute.device
            prover = stack.enter_context(artifact.Prover(device))
            prover.wait()  # or its start would count among the first rung's seconds
        shared = Shared(dataset, prover)
        for number, climb in enumerate(climbs, 1):
            seed = climb.config.seed
            reporter.note(f"-- {climb.rung}, seed {seed} ({number} of {len(climbs)})")
            _forget_the_last()
            run = fit_run(climb.config, climb.folder, reporter, resume=True, shared=shared)
            records.append(run)
    return records


def _forget_the_last() -> None:
    """Let the next run's peak of memory be its own, as far as the system can."""
    gc.collect()
    compat.release_memory()
    compat.forget_peak_memory()


# -- comparing ------------------------------------------------------------------------------------


def compared(
    config: LadderConfig, climbs: Sequence[Climb], records: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return ``rungs``, ``best``, ``verdict`` and ``chosen`` of a ladder, from its runs' records.

    Args:
        config: of the ladder.
        climbs: its runs.
        records: of the runs, in the same order.
    """
    by_rung: dict[str, list[tuple[Climb, Mapping[str, Any]]]] = {}
    for climb, record in zip(climbs, records, strict=True):
        by_rung.setdefault(climb.rung, []).append((climb, record))
    rungs = [_described(rung, runs) for rung, runs in by_rung.items()]
    best = max(range(len(rungs)), key=lambda index: _accuracy(rungs[index], "test"))
    wrong = [[record["mistakes"]["rows"] for _, record in runs] for runs in by_rung.values()]
    for rung, found in zip(rungs, against_best(wrong, best), strict=True):
        rung["against_best"] = found
    return {
        "rungs": rungs,
        "best": rungs[best]["rung"],
        "verdict": verdict(rungs, rungs[best], config.significance),
        "chosen": _chosen(rungs),
    }


def _described(rung: str, runs: Sequence[tuple[Climb, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return a rung over its seeds."""
    first = runs[0][1]
    return {
        "rung": rung,
        **{name: first[name] for name in ("strategy", "line", "head", "pooling", "epochs", "lr")},
        "parameters": first["parameters"],
        "test": _means([record["test"] for _, record in runs]),
        "validation": _means([record["validation"] for _, record in runs]),
        "seconds": {"total": fmean(record["seconds"]["total"] for _, record in runs)},
        "peak_memory_bytes": max(record["peak_memory_bytes"] for _, record in runs),
        "runs": [
            {
                "seed": climb.config.seed,
                "run": climb.folder.name,
                "features": record["features"],
                "test": _kept(record["test"]),
                "validation": _kept(record["validation"]),
                "history": record["history"],
                "seconds": record["seconds"],
                "peak_memory_bytes": record["peak_memory_bytes"],
                "proof": record["proof"],
            }
            for climb, record in runs
        ],
    }


def _kept(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {name: scores[name] for name in ("rows", "confidence_level", *SCORES)}


def _means(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean of scores over seeds.

    Each has its ``deviation`` over the seeds, None for one; its ends are means too: they say how
    sure the score is for the rows, not for the seeds.
    """

    def mean(name: str) -> dict[str, float | None]:
        ends = {end: fmean(scores[name][end] for scores in seeds) for end in seeds[0][name]}
        values = [scores[name]["value"] for scores in seeds]
        return {**ends, "deviation": stdev(values) if len(values) > 1 else None}

    first = seeds[0]
    kept = {name: first[name] for name in ("rows", "confidence_level")}
    return {**kept, **{name: mean(name) for name in SCORES}}


def _accuracy(rung: Mapping[str, Any], part: str) -> float:
    return float(rung[part]["accuracy"]["value"])


def verdict(
    rungs: Sequence[Mapping[str, Any]], best: Mapping[str, Any], significance: float
) -> dict[str, Any]:
    """Return the cheapest ``rung`` that cannot be told from the best on test, and ``words``.

    Rungs cannot be told apart where the corrected p-value is not below ``significance``. That is
    no proof that they are equal: on few rows almost nothing can be told apart.
    """
    alike = [
        rung
        for rung in rungs
        if rung["against_best"] is None or rung["against_best"]["p_corrected"] >= significance
    ]
    cheapest = min(alike, key=lambda rung: float(rung["seconds"]["total"]))
    rows, against = best["test"]["rows"], cheapest["against_best"]
    if against is None:
        others = (
            "the only rung" if len(rungs) == 1 else "the best, and none that is cheaper is as good"
        )
        words = f"{best['rung']} is {others}, on {rows:,} test texts"
    else:
        accuracies = [f"{100 * _accuracy(rung, 'test'):.1f} %" for rung in (cheapest, best)]
        seconds = [f"{rung['seconds']['total']:,.0f}" for rung in (cheapest, best)]
        words = (
            f"{cheapest['rung']} cannot be told from the best, {best['rung']}, on {rows:,} test "
            f"texts ({accuracies[0]} against {accuracies[1]}, corrected p "
            f"{against['p_corrected']:.2g}), and takes {seconds[0]} s in place of {seconds[1]}"
        )
    return {"rung": cheapest["rung"], "words": words}


def _chosen(rungs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the run to use: by validation the rung, then the seed; of equals the cheaper."""

    def merit(one: Mapping[str, Any]) -> tuple[float, float]:
        return _accuracy(one, "validation"), -float(one["seconds"]["total"])

    rung = max(rungs, key=merit)
    run = max(rung["runs"], key=merit)
    by = "the highest accuracy on validation"
    return {"rung": rung["rung"], "seed": run["seed"], "run": run["run"], "by": by}


def _draw(record: Mapping[str, Any], folder: Path) -> list[str]:
    """Draw bars and, where a rung has epochs, lines; return the files' names."""
    backbone = Path(record["config"]["fit"]["backbone"]).name
    title = f"{record['data']['name']}: strategies on {backbone}"
    rungs = record["rungs"]
    with compat.system_errors(folder):
        plots = draw_rungs(rungs, folder, title=title, names=[rung["rung"] for rung in rungs])
        if any(run["history"] for rung in rungs for run in rung["runs"]):
            plots += draw_curves(rungs, folder, title=title)
    return [path.name for path in plots]
