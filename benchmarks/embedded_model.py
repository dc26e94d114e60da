"""Compare poolings, heads and strategies on the embedded language model, on the same rows.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.embedded_model --data imdb --limit 4000,2000 --seeds 0 1 2 \
        --out runs/small --json benchmarks/embedded_model.json --plot docs/images

It prints the table of the ladder: test accuracy, parameters and seconds of each rung. It writes the
results as JSON and the learning curves as a picture, if a place is given for them.

It needs IMDb, as a local copy or from the hub. The default rungs are those of docs/qwen3-mini.md.

The ladder runs in one process with one store. The seconds of a rung are those of a run alone. A
second run with the same --out skips the finished rungs, so seeds can be added later.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from thawline.config import Config, DataConfig, LadderConfig
from thawline.runtime.hardware import let_idle_threads_sleep, limit_kernel_cache

if TYPE_CHECKING:
    from thawline.runs.records import LadderRecord

ORIGINAL = "head.head=mlp:64 training.epochs=3 training.lr=1e-4 head.standardise=false"
"""The settings of the head with 8,386 parameters, as the original lesson trains it."""

POOLINGS = ("", " head.pooling=last", " head.pooling=first")
"""The settings of the three poolings. The default is the mean."""

RUNGS = (
    "head",
    "head head.features=layers",
    *(f"head head.features=last{pooling}" for pooling in POOLINGS),
    *(f"head {ORIGINAL}{pooling}" for pooling in POOLINGS),
    "head head.head=mlp:64 training.epochs=10 training.lr=1e-3",
    *("last:1", "last:2", "lora", "full", "lp+full"),
)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--data", required=True, help="IMDb: a folder, a file, the name of a set or a hub id")
    add(
        "--labels",
        default="neg,pos",
        help="Names of the labels, separated by commas. Default: neg,pos",
    )
    add("--limit", help="Number of train and test rows, N,M. Default: all rows")
    add(
        "--backbone",
        default="thawline/qwen3-mini",
        help="Backbone: a folder, a packaged name or a hub id. Default: thawline/qwen3-mini",
    )
    add(
        "--rungs",
        nargs="+",
        default=RUNGS,
        help="Strategies, each followed by its settings. Default: those of docs/qwen3-mini.md",
    )
    add("--seeds", nargs="+", type=int, default=[0], help="Random seeds. Default: 0")
    add("--out", type=Path, required=True, help="Folder of the ladder")
    add("--json", type=Path, help="File for the results. Default: none is written")
    add("--plot", type=Path, help="Folder for mini_curves.png. Default: no picture is drawn")
    return parser.parse_args(words)


def ladder_of(options: argparse.Namespace) -> LadderConfig:
    """Return the config of the ladder."""
    limit = None
    if options.limit is not None:
        train, test = (int(rows) for rows in options.limit.split(","))
        limit = (train, test)
    data = DataConfig(data=options.data, labels=tuple(options.labels.split(",")), limit=limit)
    fit = Config(backbone=options.backbone, data=data)
    return LadderConfig(rungs=tuple(options.rungs), seeds=tuple(options.seeds), budget=0, fit=fit)


def slim(record: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a ladder's record that the tables need, without paths of this machine."""
    kept = ("versions", "hardware", "data", "pairs", "verdict", "chosen", "started")
    of_rung = ("rung", "strategy", "line", "parameters", "test", "cost", "standing")
    return {key: record[key] for key in kept} | {
        "seeds": record["config"]["seeds"],
        "rungs": [{key: rung[key] for key in of_rung if key in rung} for rung in record["rungs"]],
    }


def main(words: list[str] | None = None) -> None:
    """Run the ladder, print its table, and write the results and the picture."""
    let_idle_threads_sleep()
    limit_kernel_cache()
    options = parse(words)

    from thawline.compare.ladder import run_ladder
    from thawline.report.terminal import print_ladder
    from thawline.runs.records import write_json
    from thawline.runtime.progress import TerminalReporter

    record = run_ladder(ladder_of(options), options.out, TerminalReporter())
    print_ladder(record, options.out)
    if options.json is not None:
        write_json(options.json, slim(record.to_dict()))
    if options.plot is not None:
        draw(record, options.plot)


def draw(record: LadderRecord, folder: Path) -> None:
    """Draw ``mini_curves.png`` with the rungs that have only default settings."""
    from thawline.report.curves import draw_curves

    plain = [rung for rung in record.rungs if "=" not in rung.rung]
    title = f"{record.data.name}: strategies on qwen3-mini"
    with TemporaryDirectory() as scratch:
        folder.mkdir(parents=True, exist_ok=True)
        draw_curves(plain, Path(scratch), title=title)
        shutil.copyfile(Path(scratch) / "curves.png", folder / "mini_curves.png")


if __name__ == "__main__":
    main()
