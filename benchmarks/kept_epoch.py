"""Which epoch to keep: by accuracy, by loss, or the last one, at sizes of validation.

Run it from the repository's root, in the environment of ``make install``::

    python -m benchmarks.kept_epoch --sets sst2 imdb=neg,pos --strategies last:1 lora full \
        --rows 240 1000 --json kept.json

Each fit is scored on 1,000 held-out rows after every epoch. Some of these rows, drawn again and
again, then stand for a validation split and choose an epoch by each rule; the others say how good
that epoch is. Of epochs with the same accuracy the rule ``accuracy`` keeps the one with the lowest
loss, ``later`` the last. So one fit answers for every size of the validation split, and the
differences between rules are those of one and the same training. What is in ``docs/results.md`` was
measured with ``--set backbone=minilm``. Nothing here sees a test split.
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
DRAWS = 1_000


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments; ``words`` are those of the command line unless given."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--sets", nargs="+", required=True, metavar="SET[=NAMES]", help="to train and validate on")
    add("--strategies", nargs="+", default=["last:1", "lora", "full"])
    add("--seeds", type=int, default=2, help="how many, from 0 on")
    add("--rows", nargs="+", type=int, default=[240, 1_000], help="to train on")
    add("--pool", type=int, default=1_000, help="held-out rows")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every fit")
    add("--json", type=Path, metavar="FILE", help="write the table's rows there")
    return parser.parse_args(words)


@contextmanager
def listening() -> Iterator[list[NDArray[np.float32]]]:
    """Collect the logits of every evaluation, ``(rows, labels)`` each, the untrained one first."""
    heard: list[NDArray[np.float32]] = []

    def listened(*arguments: Any, **named: Any) -> NDArray[np.float32]:
        heard.append(example_logits(*arguments, **named))
        return heard[-1]

    with patch("thawline.training.objectives.example_logits", listened):
        yield heard


def fewer(dataset: Dataset, rows: int) -> Dataset:
    """Return the set with so many rows of train, always the same."""
    drawn = np.random.default_rng(ROW_SEED).permutation(len(dataset.train))[:rows]
    return replace(dataset, train=dataset.train.take(drawn))


def of_epochs(config: Config, dataset: Dataset) -> tuple[Scores, Scores]:
    """Fit; return whether each row is right, and its loss, ``(epochs, rows)``."""
    with listening() as heard:
        fit(config, dataset)
    labels = np.asarray(dataset.validation.labels)
    logits = log_softmax(np.stack(heard[1:]).astype(np.float64), axis=2)
    right = (logits.argmax(2) == labels).astype(np.float64)
    return right, -logits[:, np.arange(len(labels)), labels]


def chosen(right: Scores, losses: Scores, rule: str) -> int:
    """Return the epoch that a rule keeps."""
    epochs = np.arange(len(right))
    second = {"accuracy": -losses.mean(1), "later": epochs}
    first = {"loss": -losses.mean(1), "last": epochs}
    return int(np.lexsort((second.get(rule, epochs), first.get(rule, right.mean(1))))[-1])


def accuracies(right: Scores, losses: Scores, size: int, seed: int) -> Row:
    """Return each rule's mean accuracy on rows that did not choose, over draws of those that do."""
    random, found = np.random.default_rng((seed, size)), defaultdict(list)
    for _ in range(DRAWS):
        order = random.permutation(right.shape[1])
        choose, judge = order[:size], order[size:]
        epochs = right[:, judge].mean(1)
        for rule in RULES:
            found[rule].append(epochs[chosen(right[:, choose], losses[:, choose], rule)])
        found["best"].append(epochs.max())
    return {rule: mean(values) for rule, values in found.items()}


def measure(arguments: argparse.Namespace) -> Iterator[Row]:
    """Fit every cell; yield a row for each size of a validation split."""
    seeds = range(arguments.seeds)
    for written, rows in product(arguments.sets, arguments.rows):
        pool = load_rows(parse_set(written), max(rows, arguments.pool))
        dataset = fewer(pool, rows)
        for strategy, seed in product(arguments.strategies, seeds):
            config = resolve_config(overrides=arguments.set)
            config = replace(config, data=parse_set(written), strategy=strategy, seed=seed)
            right, losses = of_epochs(config, dataset)
            print(strategy, dataset.name, rows, seed, right.mean(1), losses.mean(1), flush=True)
            for size in (size for size in SIZES if size < right.shape[1]):
                cell = {"set": dataset.name, "strategy": strategy, "rows": rows, "seed": seed}
                yield {**cell, "size": size, **accuracies(right, losses, size, seed), **machine()}


def table(rows: list[Row]) -> str:
    """Return mean accuracies as Markdown: a line for each strategy, rows of train and size."""
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
    """Fit every cell and print the table."""
    arguments = parse(words)
    rows: list[Row] = []
    for row in measure(arguments):
        rows.append(row)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
