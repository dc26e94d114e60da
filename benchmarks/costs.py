"""Measure fits, and find the seconds by which `thawline compare` predicts them.

Run it from the root of the repository, in the environment of ``make install``, while no other
program computes::

    python -m benchmarks.costs measure emotion:2000,500 thawline/reviews:160,80 --backbone minilm
    python -m benchmarks.costs fit

``measure`` fits every strategy on every set, each with an empty store, and adds the work and the
seconds of each part to ``benchmarks/results/costs.json``. A fit that the file already has is
skipped. Fits that are measured with ``--check`` are not used to find the seconds, only to compare
predictions with them.

``fit`` prints the seconds of each thing, which belong into `thawline.compare.seconds.SECONDS`. They
are found by least squares without negative values, with relative errors. It also prints how far the
predictions are from the measured seconds: with the seconds in the source, and after one finished
fit of the same set has corrected them, as in a comparison.

The sets are local copies or come from the hub, except ``thawline/reviews``, which comes with
Thawline.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from thawline import artifact
from thawline.backbones.opening import open_backbone
from thawline.compare.costs import count_work, estimate_lengths
from thawline.compare.forecast import Forecast, RungForecast, measured_parts
from thawline.compare.seconds import (
    SECONDS,
    Parts,
    is_product,
    measure_slowdown,
    on_machine,
    predict_seconds,
)
from thawline.config import Config, DataConfig
from thawline.data import Dataset, load
from thawline.jobs.fit import Shared, fit_run
from thawline.pretraining.tapt import plan_adaptation
from thawline.runs.records import FitRecord
from thawline.runtime.hardware import (
    describe_machine,
    keep_freed_memory,
    limit_kernel_cache,
    versions,
)
from thawline.runtime.progress import Reporter
from thawline.training.preparation import Prepared, prepare

Result = dict[str, Any]

RESULTS = Path(__file__).parent / "results" / "costs.json"
STRATEGIES = ("tfidf", "head", "head+tfidf", "last:1", "lora", "full", "lp+last:1")
LEAST = 0.2
"""Seconds below which an error counts as if the part had taken this long."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="Results")
    verbs = parser.add_subparsers(dest="verb", required=True)
    measure = verbs.add_parser("measure", help="Measure fits")
    measure.add_argument("sets", nargs="+", metavar="SET:N,M", help="Set, train and test rows")
    measure.add_argument("--backbone", nargs="+", default=["minilm", "thawline/qwen3-mini"])
    measure.add_argument("--strategy", nargs="+", default=list(STRATEGIES))
    measure.add_argument("--max-length", type=int, help="Maximum number of tokens per text")
    measure.add_argument("--check", action="store_true", help="Only compare with predictions")
    measure.add_argument("--seconds", type=float, default=1e9, help="Stop after this time")
    verbs.add_parser("fit", help="Find the seconds of each thing, and compare predictions")
    return parser.parse_args(words)


# -- measuring ------------------------------------------------------------------------------------


def measure(options: argparse.Namespace) -> Iterator[Result]:
    """Yield the work and the seconds of each fit that the file does not have."""
    machine = _machine()
    known = {_key(result) for result in read(options.json) if result["machine"] == machine}
    start, dataset, loaded = time.perf_counter(), None, ""
    with artifact.Prover("cpu") as prover:
        prover.wait()
        for job in _jobs(options):
            if _key(job) in known:
                continue
            if time.perf_counter() - start > options.seconds:
                return
            if loaded != job["set"] or dataset is None:
                dataset, loaded = load(_data(job["source"], job["rows"])), job["set"]
            yield _fit(job, dataset, prover)


def _jobs(options: argparse.Namespace) -> Iterator[Result]:
    for written in options.sets:
        source, _, rows = written.rpartition(":")
        name = Path(source).name if Path(source).exists() else source
        for strategy in options.strategy:
            backbones = [None] if strategy == "tfidf" else options.backbone
            for backbone in backbones:
                yield {
                    "set": f"{name}:{rows}",
                    "source": source,
                    "rows": rows,
                    "backbone": backbone,
                    "strategy": strategy,
                    "max_length": None if backbone is None else options.max_length,
                    "check": options.check,
                }


def _key(result: Result) -> tuple[Any, ...]:
    return tuple(result[name] for name in ("set", "backbone", "strategy", "max_length"))


def _data(source: str, rows: str) -> DataConfig:
    train, test = map(int, rows.split(","))
    return DataConfig(data=source, limit=(train, test))


def _fit(job: Result, dataset: Dataset, prover: artifact.Prover) -> Result:
    """Return the work and the seconds of a fit with an empty store."""
    overrides = {} if job["backbone"] is None else {"backbone": job["backbone"]}
    config = Config(strategy=job["strategy"], data=_data(job["source"], job["rows"]), **overrides)
    if job["max_length"] is not None:
        config = replace(config, tokens=replace(config.tokens, max_length=job["max_length"]))
    with tempfile.TemporaryDirectory(prefix="costs_") as folder:
        os.environ["THAWLINE_HOME"] = str(Path(folder, "home"))
        fit = prepare(
            config, lambda: open_backbone(config, lambda: dataset.train.texts, Reporter())
        )
        adaptation = None
        if isinstance(fit, Prepared):
            adaptation = plan_adaptation(fit.backbone, fit.plan, config, dataset.parts)
        work = count_work(fit, dataset, estimate_lengths(fit, dataset), adaptation)
        slowdown = measure_slowdown()
        shared = Shared(dataset, prover)
        record = fit_run(config, Path(folder, "run"), Reporter(), shared=shared)
    assert isinstance(record, FitRecord)
    job = {name: value for name, value in job.items() if name not in ("source", "rows")}
    return job | {
        "work": work,
        "seconds": measured_parts(record),
        "total": record.seconds.total,
        "matrix_rate": record.prefix.matrix_rate,
        "slowdown": slowdown,
        "machine": _machine(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }


def _machine() -> dict[str, Any]:
    described = describe_machine()
    return {name: described[name] for name in ("cpu", "cores", "threads", "instructions")}


def read(file: Path) -> list[Result]:
    """Return the results that the file already has."""
    if not file.is_file():
        return []
    results: list[Result] = json.loads(file.read_text(encoding="utf-8"))["results"]
    return results


def write(file: Path, results: list[Result]) -> None:
    """Write the results."""
    written = {"results": results}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


# -- fitting --------------------------------------------------------------------------------------


def find_seconds(results: list[Result]) -> dict[str, dict[str, float]]:
    """Find the seconds of each thing by least squares with relative errors.

    Matrix products take at least their seconds at the matrix rate.

    Args:
        results: The measured fits. Things that none of them does are left out.
    """
    found: dict[str, dict[str, float]] = {}
    for part in SECONDS:
        # The training of a backbone on its own objective has the seconds of other training.
        same = [one for one in SECONDS if SECONDS[one] is SECONDS[part]]
        rows = [
            (on_machine(result["work"][one], result["slowdown"]), result["seconds"][one])
            for result in results
            for one in same
            if one in result["work"] and one in result["seconds"]
        ]
        things = [thing for thing in SECONDS[part] if any(work.get(thing) for work, _ in rows)]
        if not things:
            continue
        amounts = np.array([[work.get(thing, 0.0) for thing in things] for work, _ in rows])
        seconds = np.array([seconds for _, seconds in rows])
        weights = 1 / np.maximum(seconds, LEAST)
        least = np.array([float(is_product(thing)) for thing in things])
        scale = amounts.max(axis=0)  # for numerical accuracy
        wanted = (seconds - amounts @ least) * weights
        factors, _ = nnls(amounts / scale * weights[:, None], wanted)
        found[part] = dict(zip(things, (factors / scale + least).tolist(), strict=True))
    return found


def _predict(result: Result) -> Parts:
    return predict_seconds(result["work"], result["slowdown"])


def corrected(results: list[Result]) -> Iterator[tuple[Result, float]]:
    """Yield each fit with its prediction after cheaper fits of its set have corrected it."""
    groups: dict[tuple[Any, ...], list[Result]] = defaultdict(list)
    for result in results:
        groups[result["set"], result["max_length"], str(result["machine"])].append(result)
    for group in groups.values():
        parts = {str(_key(one)): _predict(one) for one in group}
        forecast = Forecast({key: RungForecast(of, {}) for key, of in parts.items()})
        for result in sorted(group, key=lambda one: sum(parts[str(_key(one))].values())):
            key = str(_key(result))
            yield result, forecast.seconds(key)
            forecast.learn_parts(key, result["seconds"])


def table(results: list[Result]) -> Iterator[str]:
    """Yield the lines of a Markdown table of predicted and measured seconds."""
    columns = ["set", "processor", "backbone", "strategy", "seconds"]
    columns += ["predicted", "error", "corrected", "error"]
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for result, after in corrected(results):
        before, true = sum(_predict(result).values()), result["total"]
        errors = [f"{100 * (one / true - 1):+.0f} %" for one in (before, after)]
        backbone = "" if result["backbone"] is None else result["backbone"]
        length = "" if result["max_length"] is None else f" ({result['max_length']} tokens)"
        cells = [
            f"{result['set']}{length}{' *' * result['check']}",
            result["machine"]["instructions"],
            backbone,
        ]
        cells += [f"`{result['strategy']}`", f"{true:.1f}"]
        cells += [f"{before:.1f}", errors[0], f"{after:.1f}", errors[1]]
        yield f"| {' | '.join(cells)} |"


def share_within(results: list[Result], tolerance: float = 0.25) -> tuple[float, float]:
    """Return the share of fits whose prediction is within a tolerance, before and after correction.

    Args:
        results: The measured fits.
        tolerance: The largest relative error.
    """
    pairs = [
        (sum(_predict(result).values()), after, result["total"])
        for result, after in corrected(results)
    ]
    before, after, true = np.array(pairs).T
    within = [float((abs(one / true - 1) <= tolerance).mean()) for one in (before, after)]
    return within[0], within[1]


def main(words: list[str] | None = None) -> None:
    """Measure fits, or find the seconds and compare predictions."""
    options = parse(words)
    if options.verb == "measure":
        limit_kernel_cache()
        keep_freed_memory()
        results = read(options.json)
        for result in measure(options):
            results.append(result)
            write(options.json, results)
            print(*_key(result), f"{result['total']:.1f}", flush=True)
        return
    results = read(options.json)
    print(json.dumps(find_seconds([one for one in results if not one["check"]]), indent=1))
    print("\n".join(table(results)))
    for (processor, checked), group in _by_use(results).items():
        before, after = share_within(group)
        use = "checked (*)" if checked else "fitted"
        print(
            f"{processor}, {use}: within 25 % {before:.0%}, corrected {after:.0%} of {len(group)}"
        )
    before, after = share_within(results)
    print(f"all: within 25 % {before:.0%}, corrected {after:.0%} of {len(results)}")


def _by_use(results: list[Result]) -> dict[tuple[str, bool], list[Result]]:
    """Return the results by processor, and by whether they only check the predictions."""
    groups: dict[tuple[str, bool], list[Result]] = defaultdict(list)
    for one in results:
        groups[one["machine"]["instructions"], one["check"]].append(one)
    return groups


if __name__ == "__main__":
    main()
