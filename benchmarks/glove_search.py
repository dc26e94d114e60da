"""Search for settings of the backbone ``glove`` with 90 % validation accuracy on IMDb.

Run it from the root of the repository, in the environment of ``make install`` with the extra
``vectors``. First write the texts for the word vectors, and train the vectors::

    python -m benchmarks.glove_search --data imdb --labels neg,pos --unlabelled unsup.parquet \
        --texts reviews.parquet
    thawline vectors --data reviews.parquet --width 100 --out own100.txt

Then fit each candidate on train and score it on validation::

    OMP_NUM_THREADS=1 python -m benchmarks.glove_search --data imdb --labels neg,pos \
        --set encoder.vectors=own100.txt --candidates default longer --seeds 0 \
        --work runs/glove_search --json benchmarks/results/glove_search.json

It prints a table of the candidates. Candidates that the file ``--json`` already contains are not
fitted again, and a stopped fit continues at its last checkpoint.

Every choice is made on validation. ``--test`` also scores the candidates on the test split, and is
meant for the chosen one.

The file of texts has the training rows and the unlabelled reviews, but no copy of a text of
validation or test. The seconds are those of the CPU in all threads of the training, including the
evaluations on validation. Twenty minutes on two cores are 2,400 CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from thawline import artifact
from thawline.backbones.opening import open_backbone
from thawline.config import ComputeConfig, Config
from thawline.config.resolve import resolve_config
from thawline.data import Dataset, load
from thawline.data.texts import copy_key
from thawline.evaluation.intervals import wilson
from thawline.inference.predictor import Predictor
from thawline.runtime import hardware
from thawline.runtime.progress import Reporter
from thawline.training.adapt import adapt
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.preparation import prepare

Row = dict[str, Any]

LONG = ("tokens.max_length=512",)

CANDIDATES: dict[str, tuple[str, ...]] = {
    "default": (),
    "longer": LONG,
    "dropout": (*LONG, "encoder.dropout=0.3"),
    "frozen": (*LONG, "encoder.freeze_vectors=true"),
    "wider": (*LONG, "encoder.width=256", "encoder.feed_forward=512"),
    "deeper": (*LONG, "encoder.layers=3"),
    "end": (*LONG, "tokens.truncation_side=left"),
    "slower": (*LONG, "training.lr=5e-4"),
    "smoothed": (*LONG, "training.label_smoothing=0.1"),
}
"""The settings of each candidate, in addition to those of every candidate."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", default="imdb", help="Data set")
    add("--labels", help="Names of its labels, separated by commas")
    add("--limit", metavar="N,M", help="Train and test rows to use. If omitted, all rows")
    add("--unlabelled", type=Path, metavar="FILE", help="Parquet file with a column of texts")
    add("--texts", type=Path, metavar="FILE", help="Write the texts for word vectors, and stop")
    add("--candidates", nargs="*", default=[], choices=list(CANDIDATES), help="Candidates to fit")
    add("--epochs", type=int, default=2, help="Number of epochs")
    add("--seeds", type=int, nargs="+", default=[0], help="Random seeds")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="Setting of every fit")
    add("--test", action="store_true", help="Also score the candidates on test")
    add("--work", type=Path, default=Path("runs/glove_search"), help="Folder for classifiers")
    add("--json", type=Path, metavar="FILE", help="File for the results")
    return parser.parse_args(words)


def base_settings(options: argparse.Namespace) -> list[str]:
    """Return the settings of every fit."""
    settings = [f"data.data={options.data}", "backbone=glove", "strategy=full"]
    settings += [f"data.labels={json.dumps(options.labels.split(','))}"] if options.labels else []
    settings += [f"data.limit=[{options.limit}]"] if options.limit else []
    return [*settings, f"training.epochs={options.epochs}", *options.set]


def write_texts(dataset: Dataset, unlabelled: Path, out: Path) -> int:
    """Write the texts for word vectors to a Parquet file, and return their number.

    Args:
        dataset: The data set. Its training texts are used.
        unlabelled: A Parquet file with more texts in the column ``text``.
        out: The file to write.
    """
    import pandas

    held_out = {
        copy_key(text) for part in (dataset.validation, dataset.test) for text in part.texts
    }
    more = pandas.read_parquet(unlabelled)["text"].tolist()
    kept = [text for text in [*dataset.train.texts, *more] if copy_key(text) not in held_out]
    pandas.DataFrame({"text": kept}).to_parquet(out, index=False)
    return len(kept)


def fit(config: Config, dataset: Dataset, folder: Path) -> Row:
    """Fit a candidate without the test split, save it, and return its scores and its cost.

    Args:
        config: The settings.
        dataset: The data set.
        folder: The folder for the checkpoints and the classifier.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = CheckpointFolder(folder / "checkpoints")
    reporter, parts = Reporter(), {"train": dataset.train, "validation": dataset.validation}
    prepared = prepare(config, lambda: open_backbone(config, lambda: dataset.train.texts, reporter))
    task, _ = prepared.task(dataset.labels, parts, reporter)
    start = time.process_time()
    adapted = adapt(task, reporter, checkpoints)
    seconds = time.process_time() - start
    artifact.save(adapted.fitted, folder / artifact.FOLDER)
    checkpoints.clear()
    history = adapted.history
    kept = next(row for row in history if row["kept"])
    return {
        "validation_accuracy": kept["validation_accuracy"],
        "epoch": kept["epoch"],
        "cpu_seconds": seconds,
        "seconds_before_restart": checkpoints.earlier_seconds,
        "parameters": adapted.parameters["trainable"],
        "rows": len(dataset.train),
        "validation_rows": len(dataset.validation),
        "history": history,
    }


def score_test(dataset: Dataset, folder: Path) -> Row:
    """Return the number of correct texts of the test split, with the number of texts."""
    fitted = artifact.load(folder / artifact.FOLDER)
    predictor = Predictor(fitted, ComputeConfig(), use_store=False)
    logits = predictor.logits(dataset.test.texts)
    return {"test_correct": int((logits.argmax(1) == np.asarray(dataset.test.labels)).sum()),
            "test_rows": len(dataset.test)}  # fmt: skip


def interval_of(accuracies: list[float], rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a mean accuracy over new texts.

    The number of correct texts is rounded from the mean. The seeds share their texts, so that more
    seeds do not make this interval smaller.
    """
    found = wilson(round(mean(accuracies) * rows), rows)
    return found.low, found.high


def table(rows: list[Row]) -> str:
    """Return a Markdown table of the candidates, the best one on validation first."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[f"{row['name']}, {row['epochs']} epochs"].append(row)
    lines = [
        "| candidate | settings | seeds | validation accuracy | 95 % interval | CPU seconds |",
        "|---|---|---|---|---|---|",
    ]
    for name, fits in sorted(groups.items(), key=lambda group: -_accuracy(group[1])):
        scores = [fit["validation_accuracy"] for fit in fits]
        spread = f" ± {100 * stdev(scores):.1f}" if len(scores) > 1 else ""
        low, high = interval_of(scores, fits[0]["validation_rows"])
        settings = " ".join(fits[0]["settings"]) or "defaults"
        seconds = mean(fit["cpu_seconds"] for fit in fits)
        cells = [name, f"`{settings}`", str(len(fits)), f"{100 * mean(scores):.1f} %{spread}"]
        cells += [f"{100 * low:.1f} to {100 * high:.1f}", f"{seconds:,.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _accuracy(fits: list[Row]) -> float:
    return float(mean(fit["validation_accuracy"] for fit in fits))


def main(words: list[str] | None = None) -> None:
    """Write the texts for word vectors, or fit all candidates and print the table."""
    options = parse(words)
    every = base_settings(options)
    dataset = load(resolve_config(overrides=every).data)
    if options.texts is not None:
        print(f"{options.texts}: {write_texts(dataset, options.unlabelled, options.texts):,} texts")
        return
    rows: list[Row] = []
    if options.json is not None and options.json.exists():
        rows = json.loads(options.json.read_text(encoding="utf-8"))["fits"]
    for seed in options.seeds:
        for name in options.candidates:
            identity = {"name": name, "settings": [*options.set, *CANDIDATES[name]],
                        "epochs": options.epochs, "seed": seed}  # fmt: skip
            known = next((r for r in rows if identity.items() <= r.items()), None)
            folder = options.work / f"{name}-{options.epochs}-{seed}"
            if known is None:
                config = resolve_config(overrides=[*every, *CANDIDATES[name]])
                known = identity | fit(replace(config, seed=seed), dataset, folder)
                rows.append(known)
            if options.test and "test_rows" not in known:
                known |= score_test(dataset, folder)
            print(name, seed, f"{known['validation_accuracy']:.4f}", flush=True)
            if options.json is not None:
                content = {"fits": rows, "hardware": hardware.describe_machine(),
                           "versions": hardware.versions()}  # fmt: skip
                options.json.write_text(json.dumps(content, indent=1), encoding="utf-8")
    print(table(rows))
    for row in rows:
        if "test_rows" in row:
            share = row["test_correct"] / row["test_rows"]
            low, high = interval_of([share], row["test_rows"])
            name = f"{row['name']}, seed {row['seed']}, test"
            print(f"{name}: {share:.1%} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
