"""Compare the rules for keeping an epoch: the best accuracy, the lowest loss, or the last one.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.kept_epoch --sets sst2 imdb=neg,pos --strategies last:1 lora full \
        --rows 240 1000 --json kept.json

It prints the mean accuracy of each rule, by strategy, number of train rows and size of the
validation split. The column ``best`` has the accuracy of the best epoch.

It needs the data sets, as local copies or from the hub. It never uses a test split.

Each fit is scored on 1,000 held-out rows after every epoch. Then random samples of these rows serve
as the validation split, on which each rule chooses an epoch. The remaining rows measure the
accuracy of that epoch. So one fit covers all sizes of the validation split, and all rules are
compared on the same training. If several epochs have the same accuracy, the rule ``accuracy`` keeps
the one with the lowest loss, and ``later`` keeps the last. The figures in ``docs/results.md`` were
measured with ``--set backbone=minilm``.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from benchmarks.learning_rates import Row, fit, load_rows, machine, parse_set
from thawline.config import ROW_SEED, Config
from thawline.config.resolve import resolve_config
from thawline.data import Dataset
from thawline.inference.predictor import example_logits

Scores = NDArray[np.float64]

RULES = ("accuracy", "later", "loss", "last")

SIZES = (24, 50, 100, 200, 400)
"""The sizes of the validation split, in rows."""

DRAWS = 1_000
"""The number of random validation splits of each size."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add(
        "--sets",
        nargs="+",
        required=True,
        metavar="SET[=NAMES]",
        help="Data sets to train and validate on",
    )
    add("--strategies", nargs="+", default=["last:1", "lora", "full"], help="Strategies")
    add("--seeds", type=int, default=2, help="Number of random seeds")
    add("--rows", nargs="+", type=int, default=[240, 1_000], help="Numbers of train rows")
    add("--pool", type=int, default=1_000, help="Number of held-out rows")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="Setting of every fit")
    add("--json", type=Path, metavar="FILE", help="File for the results")
    return parser.parse_args(words)


@contextmanager
def collected_logits() -> Iterator[list[NDArray[np.float32]]]:
    """Collect the logits of each evaluation, ``(rows, labels)``, starting before the training."""
    collected: list[NDArray[np.float32]] = []

    def collect(*arguments: Any, **named: Any) -> NDArray[np.float32]:
        collected.append(example_logits(*arguments, **named))
        return collected[-1]

    with patch("thawline.training.objectives.example_logits", collect):
        yield collected


def with_train_rows(dataset: Dataset, rows: int) -> Dataset:
    """Return the data set with some of its train rows, which depend only on their number."""
    positions = np.random.default_rng(ROW_SEED).permutation(len(dataset.train))[:rows]
    return replace(dataset, train=dataset.train.take(positions))


def score_epochs(config: Config, dataset: Dataset) -> tuple[Scores, Scores]:
    """Fit, and return the correctness (0 or 1) and the loss of each row, ``(epochs, rows)``."""
    with collected_logits() as collected:
        fit(config, dataset)
    labels = np.asarray(dataset.validation.labels)
    logits = log_softmax(np.stack(collected[1:]).astype(np.float64), axis=2)
    right = (logits.argmax(2) == labels).astype(np.float64)
    return right, -logits[:, np.arange(len(labels)), labels]


def chosen(right: Scores, losses: Scores, rule: str) -> int:
    """Return the index of the epoch that a rule keeps.

    Args:
        right: Whether each row is classified correctly (0 or 1), ``(epochs, rows)``.
        losses: The loss of each row, ``(epochs, rows)``.
        rule: One of `RULES`.
    """
    epochs = np.arange(len(right))
    second = {"accuracy": -losses.mean(1), "later": epochs}
    first = {"loss": -losses.mean(1), "last": epochs}
    return int(np.lexsort((second.get(rule, epochs), first.get(rule, right.mean(1))))[-1])


def accuracies(right: Scores, losses: Scores, size: int, seed: int) -> Row:
    """Return the mean accuracy of the epochs that each rule keeps, and that of the best epochs.

    In each draw, some rows choose the epoch and the other rows measure its accuracy.

    Args:
        right: Whether each row is classified correctly (0 or 1), ``(epochs, rows)``.
        losses: The loss of each row, ``(epochs, rows)``.
        size: The number of rows that choose.
        seed: The random seed of the draws.
    """
    random, found = np.random.default_rng((seed, size)), defaultdict(list)
    for _ in range(DRAWS):
        order = random.permutation(right.shape[1])
        chooses, measures = order[:size], order[size:]
        by_epoch = right[:, measures].mean(1)
        for rule in RULES:
            found[rule].append(by_epoch[chosen(right[:, chooses], losses[:, chooses], rule)])
        found["best"].append(by_epoch.max())
    return {rule: mean(values) for rule, values in found.items()}


def measure(arguments: argparse.Namespace) -> Iterator[Row]:
    """Run every fit and yield a row for each size of the validation split."""
    seeds = range(arguments.seeds)
    for written, rows in product(arguments.sets, arguments.rows):
        pool = load_rows(parse_set(written), max(rows, arguments.pool))
        dataset = with_train_rows(pool, rows)
        for strategy, seed in product(arguments.strategies, seeds):
            config = resolve_config(overrides=arguments.set)
            config = replace(config, data=parse_set(written), strategy=strategy, seed=seed)
            right, losses = score_epochs(config, dataset)
            print(strategy, dataset.name, rows, seed, right.mean(1), losses.mean(1), flush=True)
            for size in (size for size in SIZES if size < right.shape[1]):
                cell = {"set": dataset.name, "strategy": strategy, "rows": rows, "seed": seed}
                yield {**cell, "size": size, **accuracies(right, losses, size, seed), **machine()}


def table(rows: list[Row]) -> str:
    """Return the mean accuracies as Markdown, by strategy, train rows and validation rows."""
    columns = (*RULES, "best")
    lines = [f"| strategy | train | validation | {' | '.join(columns)} |", "|---|" + "---|" * 7]
    groups: dict[tuple[str, int, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["strategy"], row["rows"], row["size"]].append(row)
        groups["all", row["rows"], row["size"]].append(row)
    for (strategy, train, size), fits in sorted(groups.items()):
        cells = [f"{100 * mean(row[column] for row in fits):.2f}" for column in columns]
        lines.append(f"| `{strategy}` | {train:,} | {size} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    """Run every fit and print the table."""
    arguments = parse(words)
    rows: list[Row] = []
    for row in measure(arguments):
        rows.append(row)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
