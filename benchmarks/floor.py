"""Print the floor of a fit: the seconds that its operations take at the rate of this machine.

Run it from the root of the repository, in the environment of ``make install``::

    python benchmarks/floor.py --data imdb --labels neg,pos --train 4000 --test 2000

It prints a row for each backbone and strategy: the operations and the floor of the frozen pass, of
the training with its evaluations, and of the scores on test. The backbones are both packaged ones
and the layout of DistilBERT, whose weights are not needed.

The operations are those of the matrix products (`thawline.backbones.operations`), and the rate is
that of large square matrix products on this machine, in the dtype that a fit uses. A fit also
tokenises, writes files and starts processes, and it computes norms, activations, the optimiser and
the exact fit of a head. None of that is in the floor.

Every sequence of tokens is counted without padding. A training has an evaluation on validation
before the first epoch and after each epoch. The scores are those of the untrained and of the
trained classifier on test.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import DistilBertConfig

from thawline.backbones.loading import Backbone, load_backbone
from thawline.backbones.operations import (
    forward_operations,
    prefix_operations,
    trained_stages,
    training_operations,
)
from thawline.backbones.stack import Stack
from thawline.compare.costs import trained_stack
from thawline.config import DEFAULT_MAX_LENGTH, SMALL_RUN, DataConfig
from thawline.data import load
from thawline.data.tokens import tokenize
from thawline.runs.records import SPLIT_NAMES
from thawline.runtime.devices import pick_device, pick_dtype
from thawline.runtime.hardware import describe_machine, matrix_rate, versions
from thawline.strategies import HeadFirst, Strategy, parse_strategy

Lengths = dict[str, NDArray[np.int64]]
Result = dict[str, Any]

RESULTS = Path(__file__).parent / "results" / "floor.json"
STRATEGIES = ("head", "last:1", "last:2", "lora", "full", "lp+full")
BACKBONES = ("minilm", "thawline/qwen3-mini", "distilbert")
"""The backbones by name. The last one is a layout without weights, read by MiniLM's tokenizer.

That tokenizer has the vocabulary of DistilBERT.
"""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", required=True, help="A folder, a file, the name of a set or a hub id")
    add("--labels", help="Names of the labels, separated by commas")
    add("--train", type=int, default=SMALL_RUN[0], help="Rows of train, including validation")
    add("--test", type=int, default=SMALL_RUN[1], help="Rows of test")
    add("--max-length", type=int, default=DEFAULT_MAX_LENGTH, help="Maximum tokens in a text")
    add("--epochs", type=int, default=3, help="Epochs of a training")
    add("--backbones", nargs="+", default=list(BACKBONES), help="Backbones")
    add("--strategies", nargs="+", default=list(STRATEGIES), help="Strategies")
    add(
        "--json",
        type=Path,
        default=RESULTS,
        metavar="FILE",
        help="File for the results, which keeps the results of other data",
    )
    add("--table", type=Path, metavar="PAGE", help="Page that gets the tables of all results")
    return parser.parse_args(words)


def classifier(name: str, strategy: Strategy, backbone: Backbone) -> Stack:
    """Return a classifier's backbone without weights, with the parameters that train marked."""
    layout = DistilBertConfig() if name == "distilbert" else None
    return trained_stack(strategy, backbone, layout)


def count(stack: Stack, strategy: Strategy, lengths: Lengths, epochs: int) -> dict[str, float]:
    """Return the operations of each part of a fit."""
    line = strategy.line(stack.depth)
    everything = np.concatenate(list(lengths.values()))
    stages = trained_stages(line, stack.depth)

    def forward(split: str) -> float:
        return forward_operations(stack, lengths[split], stages)

    pooled = isinstance(strategy, HeadFirst)
    prefix = prefix_operations(stack, everything, line, pooled=pooled)
    training = evaluation = 0.0
    if line <= stack.depth:
        training = epochs * training_operations(stack, lengths["train"], line)
        training += (epochs + 1) * forward("validation")
        evaluation = 2 * forward("test")
    return {"prefix": prefix, "training": training, "scores": evaluation}


def measure(options: argparse.Namespace) -> Iterator[Result]:
    """Yield the operations and the floor of each backbone and strategy."""
    device = pick_device("auto")
    rate = matrix_rate(pick_dtype("auto", device), device)
    labels = None if options.labels is None else tuple(options.labels.split(","))
    limit = (options.train, options.test)
    data = load(DataConfig(options.data, labels=labels, limit=limit))
    for name in options.backbones:
        backbone = load_backbone("minilm" if name == "distilbert" else name)
        limits = {"max_length": min(options.max_length, backbone.limit), "truncation_side": "right"}
        lengths: Lengths = {
            split: tokenize(backbone.tokenizer, data.parts[split].texts, **limits).lengths
            for split in SPLIT_NAMES
        }
        for written in options.strategies:
            strategy = parse_strategy(written)
            stack = classifier(name, strategy, backbone)
            operations = count(stack, strategy, lengths, options.epochs)
            seconds = {part: number / rate for part, number in operations.items()}
            yield {
                "backbone": name,
                "strategy": written,
                "tokens": {split: int(rows.sum()) for split, rows in lengths.items()},
                "operations": operations,
                "floor_seconds": seconds | {"total": sum(seconds.values())},
            }


def report(options: argparse.Namespace, results: list[Result]) -> Result:
    """Return the results with the config, the versions and the hardware, as JSON values."""
    device = pick_device("auto")
    dtype = pick_dtype("auto", device)
    config = {name: value for name, value in vars(options).items() if name not in ("json", "table")}
    config |= {"data": Path(options.data).name if Path(options.data).exists() else options.data}
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": config,
        "device": device,
        "dtype": dtype,
        "matrix_rate": matrix_rate(dtype, device),
        "results": results,
        "versions": versions(),
        "hardware": describe_machine(),
    }


def table(written: Result) -> list[str]:
    """Return the lines of a Markdown table of some results, as `report` returns them."""
    lines = [
        "| backbone | strategy | TFLOP | prefix, s | training, s | scores, s | floor, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in written["results"]:
        operations = sum(result["operations"].values()) / 1e12
        seconds = [f"{value:,.1f}" for value in result["floor_seconds"].values()]
        names = (f"`{result['backbone']}`", f"`{result['strategy']}`")
        lines.append(f"| {' | '.join((*names, f'{operations:,.1f}', *seconds))} |")
    return lines


def caption(written: Result) -> str:
    """Return a sentence on the data and the rate of some results."""
    rows, config = written["results"][0]["tokens"], written["config"]
    tokens = sum(rows.values())
    rate = f"{written['matrix_rate'] / 1e9:,.0f} GFLOP/s in {written['dtype']}"
    size = f"{config['train']:,} and {config['test']:,} rows, {tokens:,} tokens"
    return (
        f"`{config['data']}` with {size} of {config['backbones'][0]}, {config['epochs']} epochs; "
        f"the matrix rate was {rate}:"
    )


def write_page(page: Path, written: list[Result]) -> None:
    """Write the tables of results into a page, between the comments ``floor`` and ``/floor``."""
    before, start, rest = page.read_text(encoding="utf-8").partition("<!-- floor -->\n")
    _, end, after = rest.partition("<!-- /floor -->")
    tables = ["\n".join([caption(one), "", *table(one), ""]) for one in written]
    page.write_text(before + start + "\n".join(tables) + end + after, encoding="utf-8")


def write(options: argparse.Namespace, own: Result) -> None:
    """Write the results to the file, in place of earlier results with the same config."""
    written: list[Result] = []
    if options.json.is_file():
        written = json.loads(options.json.read_text(encoding="utf-8"))
    kept = [other for other in written if other["config"] != own["config"]]
    options.json.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([*kept, own], indent=2, ensure_ascii=False)
    options.json.write_text(text + "\n", encoding="utf-8")
    if options.table is not None:
        write_page(options.table, [*kept, own])


def main() -> None:
    """Count, print the table and write the results."""
    options = parse()
    own = report(options, list(measure(options)))
    print(caption(own))
    print("\n".join(table(own)))
    write(options, own)


if __name__ == "__main__":
    main()
