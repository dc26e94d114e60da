"""Choose the default learning rate of each strategy by validation accuracy on several data sets.

Run it from the root of the repository, in the environment of ``make install``::

    python benchmarks/learning_rates.py sst2 emotion imdb=neg,pos
    python benchmarks/learning_rates.py sst2 --rows 4000 --strategies lora --rates 1e-3 2e-3

It prints the validation accuracy of each strategy, data set and rate, with the best rate in bold.

It needs the data sets, as local copies or from the hub. Label names follow a ``=`` if the labels
are integers without names.

The validation split has as many rows as the train split, or as many as exist. They come from the
data set's own validation split, or from its train split if it has none. A job is a data set at one
length, one number of rows and one number of epochs. The best rate of a strategy has the highest
validation accuracy of the best epoch, on average over the jobs. ``last:1`` and ``last:2`` share
their rate.

Results are added to ``benchmarks/learning_rates.json``, and a fit whose result is already there is
skipped. A test compares the defaults in ``config/`` with this file.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from thawline.backbones.loading import load_backbone
from thawline.config import Config, DataConfig, HeadConfig, TokensConfig, TrainingConfig
from thawline.data import Dataset, load
from thawline.runtime import hardware
from thawline.runtime.progress import Reporter
from thawline.training.adapt import Task, adapt, run_prefix
from thawline.training.plan import Plan, make_plan

Row = dict[str, Any]

FILE = Path(__file__).with_suffix(".json")

GRID: dict[str, tuple[float, ...]] = {
    "head": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "last:1": (2e-5, 1e-4, 5e-4, 1e-3, 2e-3, 5e-3),
    "last:2": (1e-4, 5e-4, 1e-3, 2e-3, 5e-3),
    "lora": (5e-4, 1e-3, 2e-3, 5e-3, 1e-2),
    "full": (5e-5, 1e-4, 2e-4, 5e-4),
    "bitfit": (5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2),
    "gradual": (5e-4, 1e-3, 2e-3, 5e-3),
}
"""The rates to try for each strategy. ``head`` is a linear head that is trained by epochs."""

JOB = ("set", "strategy", "rows", "max_length", "epochs")
"""The fields that are equal in all rows of a job."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "sets", nargs="+", metavar="SET[=NAMES]", help="Data sets: paths, names or hub ids"
    )
    parser.add_argument(
        "--strategies", nargs="+", default=list(GRID), choices=list(GRID), help="Strategies"
    )
    parser.add_argument(
        "--rates", type=float, nargs="+", help="Learning rates. If omitted, those of the grid"
    )
    parser.add_argument("--backbone", default="minilm", help="Backbone, as for `thawline fit`")
    parser.add_argument("--head", default=HeadConfig.head, help="Head of every strategy")
    parser.add_argument("--rows", type=int, default=1_000, help="Rows of train and of validation")
    parser.add_argument("--max-length", type=int, default=128, help="Maximum tokens in a text")
    parser.add_argument("--epochs", type=int, default=3, help="Number of epochs")
    parser.add_argument("--json", type=Path, default=FILE, help="File to which results are added")
    return parser.parse_args(words)


def parse_set(written: str) -> DataConfig:
    """Return the data settings of ``path=neg,pos``, or of ``path`` if the labels have names."""
    name, _, names = written.partition("=")
    return DataConfig(name, labels=tuple(names.split(",")) if names else None)


def configured(written: str, strategy: str, rate: float, arguments: argparse.Namespace) -> Config:
    """Return the config of one fit."""
    return Config(
        backbone=arguments.backbone,
        strategy=strategy,
        data=parse_set(written),
        head=HeadConfig(arguments.head),
        tokens=TokensConfig(max_length=arguments.max_length),
        training=TrainingConfig(epochs=arguments.epochs, lr=rate),
    )


def load_rows(data: DataConfig, rows: int) -> Dataset:
    """Return a data set with the same number of train and validation rows, if it has enough."""
    dataset = load(replace(data, limit=(rows, rows)))
    if dataset.protocol["splits"]["validation"]["source"] == dataset.train.source:
        return load(replace(data, limit=(2 * rows, rows), validation_share=0.5))
    return dataset


def fit(config: Config, dataset: Dataset) -> tuple[Plan, list[Row]]:
    """Train by epochs without the test split, and return the plan and the history."""
    backbone = load_backbone(config.backbone, config.tokens)
    plan = make_plan(backbone, config)
    parts = {"train": dataset.train, "validation": dataset.validation}
    frozen = run_prefix(backbone, plan, config, parts, Reporter())
    task = Task(backbone, plan, config, dataset.labels, parts, frozen)
    return plan, adapt(task, Reporter()).history


def best_of(history: list[Row]) -> Row:
    """Return the epoch and the validation scores of the weights that were kept."""
    best = next(row for row in history if row["kept"])
    return {name: best[name] for name in ("epoch", "validation_accuracy", "validation_loss")}


def machine() -> Row:
    """Return the processor and the versions of the libraries."""
    return {
        "hardware": hardware.describe_machine()["cpu"],
        "versions": {name: hardware.versions()[name] for name in ("torch", "transformers")},
    }


def measure(config: Config, rows: int) -> Row:
    """Run one fit and return its row: the settings and the scores of the best epoch."""
    dataset = load_rows(config.data, rows)
    plan, history = fit(config, dataset)
    return {
        "set": dataset.name,
        "strategy": config.strategy,
        "lr": config.training.lr,
        "head": str(plan.head),
        "rows": len(dataset.train),
        "max_length": plan.max_length,
        "epochs": config.training.epochs,
        "validation_rows": len(dataset.validation),
        "untrained_accuracy": history[0]["validation_accuracy"],
        **best_of(history),
        **machine(),
    }


def same_fit(row: Row, config: Config, arguments: argparse.Namespace, name: str) -> bool:
    """Return whether a row has the result of this fit."""
    options = {key: getattr(arguments, key) for key in ("head", "max_length", "epochs", "rows")}
    wanted = {"set": name, "strategy": config.strategy, "lr": config.training.lr, **options}
    return {key: row[key] for key in wanted} == wanted


def winners(rows: list[Row]) -> dict[str, float]:
    """Return the rate with the highest mean accuracy over all jobs, for each kind of strategy.

    Only rates that were tried on every job of their kind count. If two rates have the same
    accuracy, the one with the lower mean loss wins. A kind without such a rate is left out.
    """
    found: dict[str, dict[float, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[kind_of(row)][row["lr"]].append(row)
    best = {kind: winner(rates) for kind, rates in found.items()}
    return {kind: lr for kind, lr in best.items() if lr is not None}


def winner(rates: dict[float, list[Row]]) -> float | None:
    """Return the best rate among those tried on every job, or None if there is none."""
    jobs = {lr: {job_of(row) for row in tried} for lr, tried in rates.items()}
    every = set().union(*jobs.values())

    def merit(lr: float) -> tuple[float, float]:
        tried = rates[lr]
        accuracy = mean(row["validation_accuracy"] for row in tried)
        return accuracy, -mean(row["validation_loss"] for row in tried)

    return max((lr for lr in rates if jobs[lr] == every), key=merit, default=None)


def kind_of(row: Row) -> str:
    """Return the kind of a strategy, whose members share a rate: the part before the colon."""
    return str(row["strategy"]).partition(":")[0]


def job_of(row: Row) -> tuple[Any, ...]:
    """Return the job of a row."""
    return tuple(row[name] for name in JOB)


def print_table(rows: list[Row]) -> None:
    """Print the validation accuracies as Markdown, one table per kind and one line per job."""
    best = winners(rows)
    for kind in dict.fromkeys(map(kind_of, rows)):
        of_kind = [row for row in rows if kind_of(row) == kind]
        rates = sorted({row["lr"] for row in of_kind})
        heads = (f"**{lr:g}**" if lr == best.get(kind) else f"{lr:g}" for lr in rates)
        print(f"\n| {kind} | rows x epochs | {' | '.join(heads)} |")
        print(f"|---|---|{'---|' * len(rates)}")
        for job in sorted({job_of(row) for row in of_kind}):
            cells = {
                row["lr"]: f"{100 * row['validation_accuracy']:.1f}"
                for row in of_kind
                if job_of(row) == job
            }
            name, strategy, size, _, epochs = job
            shown = " | ".join(cells.get(lr, "-") for lr in rates)
            print(f"| {strategy}, {name} | {size} x {epochs} | {shown} |")


def main(words: list[str] | None = None) -> None:
    """Run the fits whose results are missing, add them to the file and print the tables."""
    arguments = parse(words)
    rows: list[Row] = json.loads(arguments.json.read_text()) if arguments.json.exists() else []
    for strategy in arguments.strategies:
        for written in arguments.sets:
            for rate in arguments.rates or GRID[strategy]:
                config = configured(written, strategy, rate, arguments)
                name = Path(written.partition("=")[0]).stem
                if any(same_fit(row, config, arguments, name) for row in rows):
                    continue
                rows.append(measure(config, arguments.rows))
                arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
                shown = ("strategy", "set", "lr", "epoch", "validation_accuracy")
                print(*(rows[-1][key] for key in shown), flush=True)
    print_table(rows)


if __name__ == "__main__":
    main()
