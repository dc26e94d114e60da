"""Measure what altered copies of the training texts (``--augment``) gain.

Run it from the root of the repository, in the environment of ``make install``::

    OMP_NUM_THREADS=1 python -m benchmarks.augmentation --sets emotion imdb=neg,pos \
        --rows 500 4000 --strategies head last:1 --json benchmarks/results/augmentation.json

It prints the test accuracy of each variant, and the difference from the variant without copies with
its 95 % interval. ``--table`` only prints the results that the file already has. Fits that the file
contains are not repeated.

It needs the data sets, as local copies or from the hub. Nothing is chosen on test.

Each seed draws training rows of its own, of which a tenth is held out for validation. It is also
the seed of the copies, of the head and of the order of texts. All variants of a seed have the same
rows, and all fits the same test rows, so the intervals are those of the paired difference over new
texts and new seeds (`thawline.evaluation.differences`). The variant ``longer`` has no copies but
twice the epochs, and so the training steps of ``all``. It exists only for training by epochs.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning_rates import Row, machine, parse_set
from thawline.backbones.opening import open_backbone
from thawline.config import EPOCHS, ROW_SEED, Config, TokensConfig, TrainingConfig
from thawline.data import Dataset, carve, load
from thawline.data.copies import number_copies
from thawline.evaluation.differences import measure_effects
from thawline.runtime.progress import Reporter
from thawline.training.adapt import adapt
from thawline.training.preparation import prepare

ALL = "word_dropout=0.1,swap=0.05,synonyms=0.1"

VARIANTS = {
    "none": None,
    "all": ALL,
    "all, 4 copies": f"{ALL},copies=4",
    "word_dropout": "word_dropout=0.1",
    "swap": "swap=0.1",
    "synonyms": "synonyms=0.1",
    "longer": None,
}
"""The setting ``training.augment`` of each variant."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--sets", nargs="+", default=[], metavar="SET[=NAMES]", help="Data sets")
    add("--rows", nargs="+", type=int, default=[500, 4_000], help="Rows of train and validation")
    add("--test-rows", type=int, default=2_000, help="Number of test rows")
    add("--strategies", nargs="+", default=["head", "last:1"], help="Strategies")
    add("--variants", nargs="+", default=["none", "all", "longer"], choices=list(VARIANTS),
        help="Variants")  # fmt: skip
    add("--seeds", type=int, default=3, help="Number of random seeds")
    add("--backbone", default="minilm", help="Backbone, as for `thawline fit`")
    add("--max-length", type=int, default=128, help="Maximum tokens in a text")
    add("--json", type=Path, metavar="FILE", help="File for the results")
    add("--table", action="store_true", help="Only print the results in the file")
    return parser.parse_args(words)


def draw(dataset: Dataset, rows: int, seed: int) -> Dataset:
    """Return the data set with random training rows, of which a tenth is held out.

    Args:
        dataset: The data set. Its validation split is not used.
        rows: The number of rows of train and validation together.
        seed: The random seed.
    """
    chosen = np.random.default_rng([ROW_SEED, seed]).permutation(len(dataset.train))[:rows]
    given = dataset.train.take(np.sort(chosen))
    kept, held_out = carve(given.labels, 0.1, ROW_SEED, number_copies(given.texts))
    return replace(dataset, train=given.take(kept), validation=given.take(held_out))


def configured(options: argparse.Namespace, strategy: str, variant: str, seed: int) -> Config:
    """Return the config of one fit."""
    epochs = 2 * EPOCHS if variant == "longer" else None
    training = TrainingConfig(augment=VARIANTS[variant], epochs=epochs)
    if strategy == "tfidf":  # it has no backbone
        return Config(strategy=strategy, seed=seed, training=training)
    tokens = TokensConfig(max_length=options.max_length)
    return Config(options.backbone, strategy, seed, tokens=tokens, training=training)


def fit(config: Config, dataset: Dataset) -> Row:
    """Fit, and return whether each test text is classified correctly, with the cost."""
    prepared = prepare(
        config, lambda: open_backbone(config, lambda: dataset.train.texts, Reporter())
    )
    start = time.process_time()
    task, frozen = prepared.task(dataset.labels, dataset.parts, Reporter())
    adapted = adapt(task, Reporter())
    right = adapted.logits("test").argmax(1) == dataset.test.labels
    return {
        "cpu_seconds": time.process_time() - start,
        "texts_read": frozen.report.texts,
        "training_seconds": adapted.seconds,
        "accuracy": float(right.mean()),
        "right": base64.b64encode(np.packbits(right).tobytes()).decode(),
        "test_rows": len(right),
    }


def measure(options: argparse.Namespace, rows: list[Row]) -> Iterator[Row]:
    """Yield each fit that the results lack."""
    known = {tuple(row[key] for key in IDENTITY) for row in rows}
    for written in options.sets:
        dataset, name = None, Path(written.partition("=")[0]).name
        cells = product(options.rows, range(options.seeds), options.strategies, options.variants)
        for size, seed, strategy, variant in cells:
            identity = (name, size, strategy, variant, seed)
            if identity in known or (variant == "longer" and strategy in ("head", "tfidf")):
                continue
            if dataset is None:
                dataset = load(replace(parse_set(written), limit=(10**6, options.test_rows)))
            config = configured(options, strategy, variant, seed)
            yield {
                **dict(zip(IDENTITY, identity, strict=True)),
                "augment": VARIANTS[variant],
                "backbone": options.backbone,
                "max_length": options.max_length,
                **fit(config, draw(dataset, size, seed)),
                **machine(),
            }


IDENTITY = ("set", "rows", "strategy", "variant", "seed")
"""The fields that are different in all rows."""


def right_of(row: Row) -> NDArray[np.float64]:
    """Return 1 for each test text that is classified correctly and 0 for the others."""
    packed = np.frombuffer(base64.b64decode(row["right"]), dtype=np.uint8)
    return np.unpackbits(packed)[: row["test_rows"]].astype(float)


def table(rows: list[Row]) -> str:
    """Return a Markdown table of accuracies and differences from the variant without copies."""
    lines = [
        "| set | rows | strategy | variant | accuracy | gain in points | 95 % interval | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[Any, ...], dict[str, dict[int, Row]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for row in rows:
        key = tuple(row[name] for name in ("set", "rows", "strategy"))
        groups[key][row["variant"]][row["seed"]] = row
    for (name, size, strategy), variants in groups.items():
        base = variants.get("none", {})
        for variant, fits in variants.items():
            cells = [name, f"{size:,}", f"`{strategy}`", variant]
            cells += [f"{100 * mean(row['accuracy'] for row in fits.values()):.1f} %"]
            seeds = sorted(fits.keys() & base.keys())
            if variant == "none" or len(seeds) < 2:
                cells += ["-", "-"]
            else:
                gains = np.stack([right_of(fits[seed]) - right_of(base[seed]) for seed in seeds])
                found = measure_effects([gains, np.zeros_like(gains)]).contrast(0, 1).interval()
                cells += [f"{100 * found.value:+.1f}",
                          f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"]  # fmt: skip
            cells.append(f"{mean(row['cpu_seconds'] for row in fits.values()):,.0f}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    """Run every fit and print the table."""
    options = parse(words)
    rows: list[Row] = []
    if options.json is not None and options.json.exists():
        rows = json.loads(options.json.read_text(encoding="utf-8"))
    if not options.table:
        for row in measure(options, rows):
            rows.append(row)
            print(*(row[key] for key in IDENTITY), f"{row['accuracy']:.4f}", flush=True)
            if options.json is not None:
                options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
