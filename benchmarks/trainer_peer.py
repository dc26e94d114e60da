"""Compare `thawline fit` with the usual Trainer script, with the same strategy and the same rows.

Run it from the root of the repository, in the environment of ``make install``::

    python benchmarks/trainer_peer.py --data thawline/reviews --labels neg,pos --strategy last:1

It prints the test accuracy, the macro F1, the seconds and the speed of three runs: the Trainer
script, Thawline with an empty store, and Thawline with the store of its first run.

It needs the data set, as a local copy or from the hub. The set ``thawline/reviews`` comes with
Thawline.

Each run is a new process and is timed from start to end, including imports and tokenisation. So no
run profits from another, except from the store. Thawline runs first because it is faster, so that
invalid arguments are found early.

If the strategy trains blocks, both sides train the native head for the same epochs, with the same
batch size and the same learning rate, and keep the last epoch. The rate is Thawline's default for
the strategy. Under ``head``, Thawline solves the head exactly, and the Trainer gets the rate that
was best for it. That was measured with the pooled MiniLM features of 1,200 reviews (256 tokens, 675
steps of 16 texts, five seeds). The mean accuracy on 600 other reviews of the train split was 53 %
at the Trainer's default of 5e-5, 60 % at 2e-4, 63 % at 1e-3, 65 % at 5e-3 and 65 % at 2e-2.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from thawline.config import (
    DEFAULT_MAX_LENGTH,
    LEARNING_RATES,
    SMALL_RUN,
    Config,
    DataConfig,
    TrainingConfig,
)

Result = dict[str, Any]

STRATEGIES = ("head", "last:1", "last:2", "lora", "full")
HEAD_LR = 2e-2

SIDES = {
    "trainer": "Trainer script",
    "thawline": "thawline fit",
    "thawline_again": "thawline fit, store filled",
}


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
    add("--labels", required=True, help="Names of the labels, separated by commas")
    add("--backbone", default="minilm", help="A folder, a packaged name or a hub id")
    add("--train", type=int, default=SMALL_RUN[0], help="Rows of train, including validation")
    add("--test", type=int, default=SMALL_RUN[1], help="Rows of test")
    add("--max-length", type=int, default=DEFAULT_MAX_LENGTH, help="Maximum tokens in a text")
    add("--strategy", default=Config.strategy, choices=STRATEGIES, help="Strategy of both sides")
    add("--seed", type=int, default=Config.seed, help="Random seed of both sides")
    add("--epochs", type=int, default=3, help="Epochs, except for an exact head")
    add("--batch-size", type=int, default=TrainingConfig.batch_size, help="Texts in a step")
    add(
        "--lr",
        type=float,
        help=f"Learning rate. If omitted, Thawline's default, or {HEAD_LR} for head",
    )
    add("--json", type=Path, metavar="FILE", help="File for the results")
    add("--trainer-side", type=Path, help=argparse.SUPPRESS)  # set in the process of the Trainer
    return parser.parse_args(words)


def rate(options: argparse.Namespace) -> float:
    """Return the learning rate of the Trainer. Thawline uses it too, unless it fits exactly."""
    if options.lr is not None:
        return float(options.lr)
    name = options.strategy.partition(":")[0]
    return HEAD_LR if name == "head" else LEARNING_RATES[name]


def freeze(model: Any, strategy: str) -> Any:
    """Freeze the blocks of a classifier as the usual scripts do, or wrap it with peft."""
    from peft import LoraConfig, TaskType, get_peft_model

    from thawline.backbones.stack import Stack
    from thawline.strategies import parse_strategy

    stack, parsed = Stack(model.base_model), parse_strategy(strategy)
    if parsed.adapters is not None:
        config = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=parsed.adapters.r,
            lora_alpha=parsed.adapters.alpha,
            lora_dropout=parsed.adapters.dropout,
            target_modules=[stack.family.query],
        )
        return get_peft_model(model, config)
    for stage in range(parsed.line(stack.depth)):
        for module in stack.modules_of(stage):
            module.requires_grad_(False)
    return model


def train_with_trainer(options: argparse.Namespace, scratch: Path) -> Result:
    """Train as the common tutorials do: freeze a part of the model, train the rest with Trainer.

    The batches are random, padded to their longest text and computed in fp32. Every epoch runs the
    frozen part over all texts again and ends with an evaluation on the validation split.

    Args:
        options: The arguments of the command line.
        scratch: A folder for the output of the Trainer.

    Returns:
        ``accuracy`` and ``f1_macro`` on test, each with its interval; ``training_seconds`` of
        ``Trainer.train``; ``validation_accuracy`` after each epoch; and the rows, the number of
        trained parameters and the peak memory in bytes.
    """
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        EvalPrediction,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from thawline.backbones.finding import find_backbone
    from thawline.data import load
    from thawline.evaluation.metrics import evaluate
    from thawline.runtime.hardware import peak_memory_bytes

    set_seed(options.seed)
    names = tuple(options.labels.split(","))
    source = load(DataConfig(data=options.data, labels=names, limit=(options.train, options.test)))
    path = find_backbone(options.backbone)
    tokenizer = AutoTokenizer.from_pretrained(path)

    def tokenise(rows: dict[str, list[Any]]) -> Any:
        return tokenizer(rows["text"], truncation=True, max_length=options.max_length)

    def accuracy(prediction: EvalPrediction) -> dict[str, float]:
        return {
            "accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())
        }

    parts = {"train": source.train, "validation": source.validation, "test": source.test}
    splits = {
        name: Dataset.from_dict({"text": part.texts, "label": part.labels}).map(
            tokenise, batched=True
        )
        for name, part in parts.items()
    }
    model = AutoModelForSequenceClassification.from_pretrained(
        path, num_labels=len(source.labels), dtype=torch.float32
    )
    model = freeze(model, options.strategy)

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(scratch),
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch_size,
            per_device_eval_batch_size=options.batch_size,
            learning_rate=rate(options),
            eval_strategy="epoch",
            save_strategy="no",
            report_to="none",
            seed=options.seed,
        ),
        train_dataset=splits["train"],
        eval_dataset=splits["validation"],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=accuracy,
    )
    training = trainer.train()
    prediction = trainer.predict(splits["test"])
    scores = evaluate(prediction.predictions, prediction.label_ids)
    history = trainer.state.log_history
    return {
        "accuracy": scores.accuracy.to_dict(),
        "f1_macro": scores.f1_macro.to_dict(),
        "validation_accuracy": [log["eval_accuracy"] for log in history if "eval_accuracy" in log],
        "training_seconds": training.metrics["train_runtime"],
        "trainable": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "peak_memory_bytes": peak_memory_bytes(),
        "rows": {name: len(split) for name, split in splits.items()},
    }


def from_record(record: Result) -> Result:
    """Return the values for the table from the record that ``thawline fit --json`` printed.

    The seconds of training include the pass through the frozen blocks.
    """
    return {
        "accuracy": record["test"]["accuracy"],
        "f1_macro": record["test"]["f1_macro"],
        "training_seconds": record["seconds"]["prefix"] + record["seconds"]["training"],
        "trainable": record["parameters"]["trainable"],
        "peak_memory_bytes": record["peak_memory_bytes"],
        "seconds": record["seconds"],
    }


def timed(command: list[str], side: str, environment: dict[str, str]) -> tuple[str, float]:
    """Run a command in a new process and return its standard output and its wall time."""
    print(f"{SIDES[side]} …", file=sys.stderr, flush=True)
    start = time.perf_counter()
    done = subprocess.run(
        command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{SIDES[side]} failed with exit code {done.returncode}. See its error above.")
    return done.stdout, seconds


def run_trainer(options: argparse.Namespace, words: list[str], scratch: Path) -> Result:
    """Time the Trainer script, by running this script in another process."""
    answer = scratch / "trainer.json"
    command = [sys.executable, str(Path(__file__).resolve()), *words]
    _, seconds = timed([*command, "--trainer-side", str(answer)], "trainer", {})
    return {**json.loads(answer.read_text(encoding="utf-8")), "process_seconds": seconds}


def run_thawline(options: argparse.Namespace, side: str, scratch: Path) -> Result:
    """Time the command ``thawline fit``. All runs with the same scratch folder share a store."""
    program = shutil.which("thawline", path=sysconfig.get_path("scripts"))
    if program is None:
        sys.exit("The command `thawline` is not installed in this environment. Run `make install`.")
    command = [program, "fit", "--json", "--out", str(scratch / side)]
    for name in ("data", "labels", "backbone", "strategy", "max_length", "seed"):
        command += ["--" + name.replace("_", "-"), str(getattr(options, name))]
    command += ["--limit", f"{options.train},{options.test}"]
    if options.strategy != "head":
        command += ["--head", "native", "--epochs", str(options.epochs)]
        command += ["--batch-size", str(options.batch_size)]
        command += ["--lr", str(rate(options)), "--set", "training.keep=last"]
    printed, seconds = timed(command, side, {"THAWLINE_HOME": str(scratch / "home")})
    return {**from_record(json.loads(printed)), "process_seconds": seconds}


def compare(options: argparse.Namespace, words: list[str]) -> dict[str, Result]:
    """Run all sides one after the other and add their speed relative to the Trainer."""
    with tempfile.TemporaryDirectory(prefix="trainer_peer_") as folder:
        scratch = Path(folder)
        results = {
            side: run_thawline(options, side, scratch) for side in ("thawline", "thawline_again")
        }
        results = {"trainer": run_trainer(options, words, scratch), **results}
    texts = sum(results["trainer"]["rows"].values())
    for result in results.values():
        result["texts_per_second"] = texts / result["process_seconds"]
        result["speed_ratio"] = results["trainer"]["process_seconds"] / result["process_seconds"]
    return results


def report(options: argparse.Namespace, results: dict[str, Result]) -> Result:
    """Return the results with the config, the versions and the hardware, as JSON values."""
    from thawline.runtime.hardware import describe_machine, versions

    config = {
        name: value for name, value in vars(options).items() if name not in ("json", "trainer_side")
    }
    peers = {name: metadata.version(name) for name in ("accelerate", "datasets")}
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": config,
        "results": results,
        "versions": versions() | peers,
        "hardware": describe_machine(),
    }


def print_table(results: dict[str, Result]) -> None:
    """Print the scores in per cent with 95 % intervals, the seconds and the relative speed."""
    from rich.console import Console
    from rich.table import Table

    def interval(score: dict[str, float]) -> str:
        value, low, high = (100 * score[end] for end in ("value", "low", "high"))
        return f"{value:.2f} ({low:.2f}-{high:.2f})"

    table = Table("", "accuracy, %", "macro-F1, %", "training, s", "in all, s", "texts/s", "ratio")
    for column in table.columns[1:]:
        column.justify = "right"
    for side, result in results.items():
        table.add_row(
            SIDES[side],
            interval(result["accuracy"]),
            interval(result["f1_macro"]),
            f"{result['training_seconds']:,.1f}",
            f"{result['process_seconds']:,.1f}",
            f"{result['texts_per_second']:,.1f}",
            f"{result['speed_ratio']:,.1f} x",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def main() -> None:
    """Run and compare all sides, or only the Trainer script if ``--trainer-side`` is given."""
    words = sys.argv[1:]
    options = parse(words)
    if options.trainer_side is not None:
        result = train_with_trainer(options, options.trainer_side.parent)
        options.trainer_side.write_text(json.dumps(result), encoding="utf-8")
        return
    results = compare(options, words)
    print_table(results)
    if options.json is not None:
        text = json.dumps(report(options, results), indent=2, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
