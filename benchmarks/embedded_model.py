"""What the embedded language model is worth: poolings, heads and strategies on the same rows.

Run it from the repository's root, in the environment of ``make install``::

    python -m benchmarks.embedded_model --data imdb --limit 4000,2000 --seeds 0 1 2 \
        --out runs/small --json benchmarks/embedded_model.json --plot docs/images

It is a ladder in one process and one store: the frozen part is read once, so the seconds of a rung
are those after the ones above it. Run again, it keeps what is finished; more seeds can be added.
The rungs that are not named with --rungs are those of docs/qwen3-mini.md.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from thawline.config import Config, DataConfig, LadderConfig
from thawline.runtime.hardware import let_idle_threads_sleep, limit_kernel_cache

ORIGINAL = "head.head=mlp:64 training.epochs=3 training.lr=1e-4 head.standardise=false"
"""The head of 8,386 parameters as the original lesson trains it."""

POOLINGS = ("", " head.pooling=last", " head.pooling=first")
"""The mean unless told."""

RUNGS = (
    "head",
    "head head.features=layers",
    *(f"head head.features=last{pooling}" for pooling in POOLINGS),
    *(f"head {ORIGINAL}{pooling}" for pooling in POOLINGS),
    "head head.head=mlp:64 training.epochs=10 training.lr=1e-3",
    *("last:1", "last:2", "lora", "full", "lp+full"),
)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments; ``words`` are those of the command line unless given."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--data", required=True, help="IMDb as a folder, a file, a set's name or a hub id")
    add("--labels", default="neg,pos", help="names of the labels, separated by commas")
    add("--limit", help="N,M: draw N train and M test rows; without, the whole set")
    add("--backbone", default="thawline/qwen3-mini", help="a folder, a packaged name or a hub id")
    add("--rungs", nargs="+", default=RUNGS, help="strategies, each with settings of its own")
    add("--seeds", nargs="+", type=int, default=[0])
    add("--out", type=Path, required=True, help="the ladder's folder")
    add("--json", type=Path, help="where the results go")
    add("--plot", type=Path, help="where mini_curves.png goes")
    return parser.parse_args(words)


def ladder_of(options: argparse.Namespace) -> LadderConfig:
    """Return the ladder that the arguments ask for."""
    limit = None
    if options.limit is not None:
        train, test = (int(rows) for rows in options.limit.split(","))
        limit = (train, test)
    data = DataConfig(data=options.data, labels=tuple(options.labels.split(",")), limit=limit)
    fit = Config(backbone=options.backbone, data=data)
    return LadderConfig(rungs=tuple(options.rungs), seeds=tuple(options.seeds), fit=fit)


def slim(record: dict[str, Any]) -> dict[str, Any]:
    """Return of a ladder's record what a table is made from; no path of this machine is in it."""
    kept = ("versions", "hardware", "data", "verdict", "chosen", "started")
    of_rung = ("rung", "strategy", "line", "parameters", "test", "seconds", "against_best")
    return {key: record[key] for key in kept} | {
        "seeds": record["config"]["seeds"],
        "rungs": [{key: rung[key] for key in of_rung if key in rung} for rung in record["rungs"]],
    }


def main(words: list[str] | None = None) -> None:
    """Climb the ladder, print its table, write results and pictures."""
    let_idle_threads_sleep()
    limit_kernel_cache()
    options = parse(words)

    from thawline.compare.ladder import run_ladder
    from thawline.report.terminal import print_ladder
    from thawline.runs.folder import write_json
    from thawline.runtime.progress import TerminalReporter

    record = run_ladder(ladder_of(options), options.out, TerminalReporter())
    print_ladder(record, options.out)
    if options.json is not None:
        write_json(options.json, slim(record))
    if options.plot is not None:
        draw(record, options.plot)


def draw(record: dict[str, Any], folder: Path) -> None:
    """Draw the rungs without settings of their own as ``mini_curves.png``: of all, few are told."""
    from thawline.report.curves import draw_curves

    plain = [rung for rung in record["rungs"] if "=" not in rung["rung"]]
    title = f"{record['data']['name']}: strategies on qwen3-mini"
    with TemporaryDirectory() as made:
        folder.mkdir(parents=True, exist_ok=True)
        draw_curves(plain, Path(made), title=title)
        shutil.copyfile(Path(made) / "curves.png", folder / "mini_curves.png")


if __name__ == "__main__":
    main()
