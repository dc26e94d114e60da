"""Measure which rate and how many epochs suit ``tapt+S``, and what it gains.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.tapt emotion sst2=neg,pos --rates 1e-4 2e-4 5e-4 1e-3 --unlabelled 12000
    python -m benchmarks.tapt emotion sst2=neg,pos --rates 2e-4 --unlabelled 12000 --seeds 3 --test

It prints, for each data set, rate and number of epochs: the loss of the backbone's own objective on
held-out texts, and the validation accuracy of each strategy afterwards. With ``--test`` it also
prints what each strategy gained on test over the same strategy without tapt, with the 95 % interval
over new texts and new seeds. The backbone is trained once, whatever the seed of the strategy, so
the interval does not contain the effect of a seed of tapt itself.

It needs the data sets, as local copies or from the hub. Label names follow a ``=`` if the labels
are integers without names. The rates and epochs are chosen without ``--test``.

Results are added to the file of ``--json``, and a fit whose result is already there is skipped. The
adapted backbones are kept in Thawline's cache, and a training that was stopped is continued.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from benchmarks.learning_rates import Row, machine, parse_set
from benchmarks.regularisation import gain
from thawline.backbones.loading import load_backbone
from thawline.config import Config, TokensConfig
from thawline.config.tapt import TaptConfig
from thawline.data import Dataset, load
from thawline.pretraining.tapt import adapt_backbone, plan_adaptation
from thawline.runtime.progress import Reporter
from thawline.training.adapt import Adapted, Task, adapt, run_prefix
from thawline.training.plan import make_plan

FILE = Path(__file__).parent / "results" / "tapt.json"

KEY = (
    *("set", "strategy", "seed", "lr", "epochs", "head_first_epochs"),
    *("rows", "unlabelled", "max_length", "backbone"),
)
"""The fields that identify a fit. Without tapt, the rate and the epochs are None."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("sets", nargs="+", metavar="SET[=NAMES]", help="Data sets: paths, names or hub ids")
    add("--rates", type=float, nargs="+", default=[TaptConfig.lr], help="Learning rates of tapt")
    add("--epochs", type=int, nargs="+", default=[TaptConfig.epochs], help="Epochs of tapt")
    add("--head-first-epochs", type=int, nargs="+", default=[TaptConfig.head_first_epochs],
        metavar="EPOCHS", help="Epochs of a new head that trains alone")  # fmt: skip
    add("--strategies", nargs="+", default=["head", "last:1"], help="Strategies after tapt")
    add("--rows", type=int, default=4_000, help="Rows of train")
    add("--unlabelled", type=int, default=0, help="Further texts of train, without their labels")
    add("--max-length", type=int, default=128, help="Maximum tokens in a text")
    add("--backbone", default="minilm", help="Backbone, as for `thawline fit`")
    add("--seeds", type=int, default=1, help="Number of random seeds of the strategies")
    add("--test", action="store_true", help="Score the test split too")
    add("--test-rows", type=int, default=2_000, help="Maximum number of rows of test")
    add("--json", type=Path, default=FILE, help="File to which results are added")
    return parser.parse_args(words)


def cells(written: str, arguments: argparse.Namespace) -> Iterator[Row]:
    """Yield the fits of a data set, first those without tapt."""
    settings = product(arguments.rates, arguments.epochs, arguments.head_first_epochs)
    ways = [(None, None, None), *settings]
    for way, strategy, seed in product(ways, arguments.strategies, range(arguments.seeds)):
        lr, epochs, head_first_epochs = way
        yield {
            "set": Path(written.partition("=")[0]).stem,
            "strategy": strategy,
            "seed": seed,
            "lr": lr,
            "epochs": epochs,
            "head_first_epochs": head_first_epochs,
            "rows": arguments.rows,
            "unlabelled": 0 if lr is None else arguments.unlabelled,
            "max_length": arguments.max_length,
            "backbone": arguments.backbone,
        }


def configured(cell: Row, written: str, unlabelled: Path, arguments: argparse.Namespace) -> Config:
    """Return the config of one fit.

    Args:
        cell: The fit.
        written: The data set as it was written.
        unlabelled: The file with unlabelled texts.
        arguments: The arguments.
    """
    config = Config(
        backbone=cell["backbone"],
        strategy=cell["strategy"],
        seed=cell["seed"],
        data=replace(parse_set(written), limit=(arguments.rows, arguments.test_rows)),
        tokens=TokensConfig(max_length=cell["max_length"]),
    )
    if cell["lr"] is None:
        return config
    files = (str(unlabelled),) if cell["unlabelled"] else ()
    tapt = TaptConfig(
        unlabelled=files,
        epochs=cell["epochs"],
        lr=cell["lr"],
        head_first_epochs=cell["head_first_epochs"],
    )
    return replace(config, strategy=f"tapt+{cell['strategy']}", tapt=tapt)


def write_unlabelled(written: str, dataset: Dataset, number: int, file: Path) -> None:
    """Write further texts of the train split of a data set to a JSON Lines file.

    Args:
        written: The data set as it was written.
        dataset: The labelled rows, whose training texts are left out.
        number: The number of texts.
        file: The file.
    """
    known = {*dataset.train.texts}
    others = [text for text in load(parse_set(written)).train.texts if text not in known]
    chosen = np.random.default_rng(0).permutation(len(others))[:number].tolist()
    lines = (json.dumps({"text": others[row]}) + "\n" for row in chosen)
    file.write_text("".join(lines), encoding="utf-8")


def measure(cell: Row, config: Config, dataset: Dataset, *, test: bool) -> Row:
    """Run one fit and return its row.

    Args:
        cell: The fit.
        config: Its settings.
        dataset: The data set.
        test: Whether to score the test split.
    """
    backbone = load_backbone(config.backbone, config.tokens)
    plan = make_plan(backbone, config)
    adaptation = plan_adaptation(backbone, plan, config, dataset.parts)
    found: Row = {}
    if adaptation is not None:
        backbone, record = adapt_backbone(adaptation, Reporter())
        found = {
            "texts": record.train,
            "head_losses": [row.validation_loss for row in record.head_history],
            "held_out_losses": [row.validation_loss for row in record.history],
            "held_out_accuracies": [row.validation_accuracy for row in record.history],
            "pretrained_head": record.pretrained_head,
        }
    parts = {name: part for name, part in dataset.parts.items() if test or name != "test"}
    frozen = run_prefix(backbone, plan, config, parts, Reporter())
    adapted = adapt(Task(backbone, plan, config, dataset.labels, parts, frozen), Reporter())
    row = {**cell, "train_rows": len(parts["train"]), **found, **validation_scores(adapted)}
    if test:
        labels = parts["test"].labels
        right = adapted.logits("test").argmax(1) == labels
        packed = np.packbits(right).tobytes().hex()
        row |= {"test_accuracy": float(right.mean()), "test_rows": len(labels), "right": packed}
    return {**row, **machine()}


def validation_scores(adapted: Adapted) -> Row:
    """Return the accuracy and the loss on validation of the weights that were kept."""
    if adapted.history:
        kept = next(row for row in adapted.history if row["kept"])
        return {name: kept[name] for name in ("validation_accuracy", "validation_loss")}
    step = min(adapted.choice, key=lambda step: float(step["loss"]))
    return {"validation_accuracy": step["accuracy"], "validation_loss": step["loss"]}


def table(rows: list[Row]) -> str:
    """Return a Markdown table with a line for each way to train on a data set."""
    lines = [
        "| set | strategy | head alone, rate x epochs | unlabelled | held-out loss | validation "
        "| gain on test |",
        "|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    same = [name for name in KEY if name != "seed"]
    for row in rows:
        groups[tuple(row[name] for name in same)].append(row)
    for own in groups.values():
        first = own[0]
        way, losses, shown = "without", "", ""
        if first["lr"] is not None:
            way = f"{first['head_first_epochs']}, {first['lr']:g} x {first['epochs']}"
            losses = " → ".join(f"{loss:.3f}" for loss in first["held_out_losses"])
            base = [row for row in rows if row["lr"] is None and matches(row, first)]
            shown = describe_gain(own, base)
        elif "right" in first:
            shown = f"({100 * mean(row['test_accuracy'] for row in own):.1f} %)"
        accuracy = 100 * mean(row["validation_accuracy"] for row in own)
        cells = (first["set"], first["strategy"], way, f"{first['unlabelled']:,}", losses)
        lines.append(f"| {' | '.join(cells)} | {accuracy:.1f} % | {shown} |")
    return "\n".join(lines)


def matches(row: Row, other: Row) -> bool:
    """Return whether two fits differ only in tapt and in the seed."""
    return all(
        row[name] == other[name] for name in ("set", "strategy", "rows", "max_length", "backbone")
    )


def describe_gain(own: list[Row], base: list[Row]) -> str:
    """Return the gain on test in points with its interval, or nothing if test was not scored."""
    own, base = ([row for row in side if "right" in row] for side in (own, base))
    if not own or not base:
        return ""
    value, low, high = (100 * part for part in gain(own, base)[:3])
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def main(words: list[str] | None = None) -> None:
    """Run the fits whose results are missing, add them to the file and print the table."""
    torch.manual_seed(0)
    arguments = parse(words)
    rows: list[Row] = json.loads(arguments.json.read_text()) if arguments.json.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        for written in arguments.sets:
            dataset: Dataset | None = None
            for cell in cells(written, arguments):
                found = [row for row in rows if all(row[name] == cell[name] for name in KEY)]
                if any("right" in row or not arguments.test for row in found):
                    continue
                file = Path(folder, f"{cell['set']}.jsonl")
                config = configured(cell, written, file, arguments)
                if dataset is None:
                    dataset = load(config.data)
                    write_unlabelled(written, dataset, arguments.unlabelled, file)
                rows = [row for row in rows if row not in found]
                rows.append(measure(cell, config, dataset, test=arguments.test))
                arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
                print(*(rows[-1][name] for name in (*KEY, "validation_accuracy")), flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
