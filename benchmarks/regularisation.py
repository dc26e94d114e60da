"""Measure what methods of regularisation gain, on stored features and in the last block.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.regularisation sst2=neg,pos emotion

It prints, for each case, method and data set, the gain on the test split over the same fit without
the method, with its 95 % interval over new texts and new seeds (`thawline.evaluation.differences`).

It needs the data sets, as local copies or from the hub. Label names follow a ``=`` if the labels
are integers without names.

A case is what is trained: a linear or MLP head by epochs on stored features, or the last block. A
method has one or several strengths. The strength is chosen by the mean accuracy on validation over
the seeds, for each case and data set, and only this one is compared on test. The rule for keeping a
method was fixed before the measurement: in one of the cases, the interval is above 0 on both sets.

Label smoothing is a setting of Thawline. The other methods are implemented here only:

- dropout: of features before the head, in addition to the head's own.
- R-drop (Liang et al., 2021, arXiv 2106.14448): two passes with different dropout, and the
  divergence of their predictions as a penalty. A linear head on stored features has no dropout, so
  this adds that of features with a probability of 0.1.
- mixup (Zhang et al., 2018, arXiv 1710.09412): of the pooled states that the head reads.
- multi-sample dropout (Inoue, 2019, arXiv 1905.09788): the mean loss of eight dropout masks on the
  pooled states that the head reads.
- token dropout: of the states of whole tokens before the last block, except for the first token.

Results are added to the file of ``--json``, and a fit whose result is already there is skipped.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout, kl_div, log_softmax

from benchmarks.learning_rates import Row, machine, parse_set
from thawline.backbones.loading import load_backbone
from thawline.config import Config, HeadConfig, TokensConfig, TrainingConfig
from thawline.data import Dataset, load
from thawline.evaluation.contrasts import DifferenceInterval
from thawline.evaluation.differences import measure_effects
from thawline.inference.examples import Examples, TokenBatch
from thawline.runtime.progress import Reporter
from thawline.runtime.randomness import RandomStream
from thawline.training.adapt import Task, adapt, run_prefix
from thawline.training.objectives import Classification, Pass
from thawline.training.plan import make_plan

FILE = Path(__file__).parent / "results" / "regularisation.json"

CASES = {
    "linear head": ("head", "linear", 10),
    "MLP head": ("head", "mlp:64", 10),
    "last:1": ("last:1", "linear", 3),
}
"""What is trained: the strategy, the head and the number of epochs."""

NONE = "none"

STRENGTHS: dict[str, tuple[float, ...]] = {
    NONE: (0.0,),
    "label smoothing": (0.1,),
    "dropout": (0.1, 0.5),
    "R-drop": (1.0,),
    "mixup": (0.2, 1.0),
    "multi-sample dropout": (0.5,),
    "token dropout": (0.1,),
}
"""The strengths of each method: the share of each label that is smoothed, the probability of
dropout, the weight of the divergence, or both parameters of the Beta distribution of mixup."""

SAMPLES = 8
"""The number of masks of multi-sample dropout."""

KEY = ("set", "case", "method", "strength", "seed", "rows")
"""The fields that identify a fit."""


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
    add("--cases", nargs="+", default=list(CASES), choices=list(CASES), help="Cases")
    add("--methods", nargs="+", default=list(STRENGTHS), choices=list(STRENGTHS), help="Methods")
    add("--seeds", type=int, default=3, help="Number of random seeds")
    add("--rows", type=int, default=1_000, help="Rows of train")
    add("--test-rows", type=int, default=2_000, help="Maximum number of rows of test")
    add("--backbone", default="minilm", help="Backbone, as for `thawline fit`")
    add("--max-length", type=int, default=128, help="Maximum tokens in a text")
    add("--json", type=Path, default=FILE, help="File to which results are added")
    return parser.parse_args(words)


class Regularised(Classification):
    """The objective of classification with a method of regularisation.

    Attributes:
        method: The name of the method.
        strength: Its strength.
    """

    method: str = NONE
    strength: float = 0.0

    def loss(self, module: nn.Module, part: Pass) -> Tensor:
        """Return the loss of a pass. Their sum is the mean over the step."""
        labels, weights = self._train.labels[part.rows], self._weighting.rows[part.rows]
        batch = self._train.examples.take(part.rows)
        compute = LOSSES.get(self.method)
        if compute is None:
            return super().loss(module, part)

        def loss_of(logits: Tensor, labels: Tensor = labels, weights: Tensor = weights) -> Tensor:
            return self._weighting.loss(logits, labels, weights)

        return compute(module, batch, loss_of, labels, self.strength) / part.total


Loss = Callable[[nn.Module, Any, Callable[..., Tensor], Tensor, float], Tensor]
"""Computes the sum of the losses from a module, a batch, a loss of logits, labels and a strength.

The loss of logits takes other labels and weights as further arguments.
"""


def with_dropout(
    module: nn.Module, batch: Any, loss_of: Callable[..., Tensor], labels: Tensor, share: float
) -> Tensor:
    """Drop features before the head."""
    with changed_features(module, lambda features: dropout(features, share)):
        return loss_of(module(batch))


def r_drop(
    module: nn.Module, batch: Any, loss_of: Callable[..., Tensor], labels: Tensor, weight: float
) -> Tensor:
    """Return the mean loss of two passes, and their symmetric divergence.

    The paper sums the losses and divides the divergence by 2, so this is half its loss.
    """
    has_dropout = any(isinstance(part, nn.Dropout) for part in module.modules())
    share = 0.0 if has_dropout else 0.1
    with changed_features(module, lambda features: dropout(features, share)):
        first, second = module(batch), module(batch)
    p, q = log_softmax(first, 1), log_softmax(second, 1)
    divergence = kl_div(p, q, reduction="sum", log_target=True)
    divergence = divergence + kl_div(q, p, reduction="sum", log_target=True)
    return (loss_of(first) + loss_of(second)) / 2 + weight / 4 * divergence


def mixup(
    module: nn.Module, batch: Any, loss_of: Callable[..., Tensor], labels: Tensor, alpha: float
) -> Tensor:
    """Mix the features of each text with those of another text of the pass."""
    seed = int(torch.randint(2**31, ()))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    order = torch.randperm(len(labels))
    with changed_features(module, lambda own: share * own + (1 - share) * own[order]):
        logits = module(batch)
    return share * loss_of(logits) + (1 - share) * loss_of(logits, labels[order])


def multi_sample(
    module: nn.Module, batch: Any, loss_of: Callable[..., Tensor], labels: Tensor, share: float
) -> Tensor:
    """Return the mean loss of several dropout masks on the same features."""
    with changed_features(module, lambda own: dropout(own.repeat(SAMPLES, 1), share)):
        logits = module(batch)
    losses = [loss_of(sample) for sample in logits.chunk(SAMPLES)]
    return torch.stack(losses).mean()


def token_dropout(
    module: nn.Module, batch: Any, loss_of: Callable[..., Tensor], labels: Tensor, share: float
) -> Tensor:
    """Drop the states of whole tokens."""
    return loss_of(module(drop_tokens(batch, share)))


LOSSES: dict[str, Loss] = {
    "dropout": with_dropout,
    "R-drop": r_drop,
    "mixup": mixup,
    "multi-sample dropout": multi_sample,
    "token dropout": token_dropout,
}
"""The loss of each method that Thawline does not have."""


def drop_tokens(batch: TokenBatch, share: float) -> TokenBatch:
    """Remove tokens at random from a batch with states, but never the first token of a text.

    Args:
        batch: The batch.
        share: The probability that a token is removed.
    """
    assert batch.states is not None, "the tokens are removed after the embeddings"
    mask = batch.inputs.get("attention_mask", torch.ones(batch.states.shape[:2], dtype=torch.long))
    keep = (torch.rand(mask.shape) >= share) & (mask != 0)
    keep[:, 0] = True
    counts = keep.sum(1)
    order = torch.argsort((~keep).long(), dim=1, stable=True)[:, : int(counts.max())]
    inputs = {name: tensor.gather(1, order) for name, tensor in batch.inputs.items()}
    inputs["attention_mask"] = (torch.arange(order.shape[1]) < counts[:, None]).to(mask.dtype)
    width = batch.states.shape[2]
    return TokenBatch(inputs, batch.states.gather(1, order[:, :, None].expand(-1, -1, width)))


@contextmanager
def changed_features(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Change the features that the head of a module reads, inside the ``with`` block."""
    suffix: Any = module
    head: nn.Module = module if isinstance(module, nn.Sequential) else suffix.model.head
    handle = head.register_forward_pre_hook(lambda _, inputs: (change(inputs[0]),))
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class RegularisedTask(Task):
    """A task that is trained with a method of regularisation."""

    objective_type: ClassVar[type[Classification]] = Regularised
    method: str = NONE
    strength: float = 0.0

    def objective(
        self,
        module: nn.Module,
        examples: Mapping[str, Examples],
        random: RandomStream | None = None,
    ) -> Classification:
        """Return the objective of the training loop."""
        objective = super().objective(module, examples, random)
        assert isinstance(objective, Regularised)
        objective.method, objective.strength = self.method, self.strength
        return objective


def configured(cell: Row, arguments: argparse.Namespace) -> Config:
    """Return the config of one fit."""
    strategy, head, epochs = CASES[cell["case"]]
    smoothing = cell["strength"] if cell["method"] == "label smoothing" else 0.0
    return Config(
        backbone=arguments.backbone,
        strategy=strategy,
        seed=cell["seed"],
        data=replace(parse_set(cell["written"]), limit=(arguments.rows, arguments.test_rows)),
        head=HeadConfig(head),
        tokens=TokensConfig(max_length=arguments.max_length),
        training=TrainingConfig(epochs=epochs, label_smoothing=smoothing),
    )


def measure(cell: Row, dataset: Dataset, arguments: argparse.Namespace) -> Row:
    """Run one fit and return its row, with the correct predictions on test as packed bits."""
    config = configured(cell, arguments)
    backbone = load_backbone(config.backbone, config.tokens)
    plan, parts = make_plan(backbone, config), dataset.parts
    frozen = run_prefix(backbone, plan, config, parts, Reporter())
    method, strength = cell["method"], cell["strength"]
    base = (backbone, plan, config, dataset.labels, parts, frozen)
    adapted = adapt(RegularisedTask(*base, method=method, strength=strength), Reporter())
    kept = next(row for row in adapted.history if row["kept"])
    logits = torch.from_numpy(adapted.logits("test"))
    labels = torch.from_numpy(parts["test"].labels)
    right = (logits.argmax(1) == labels).numpy()
    return {
        **{name: cell[name] for name in KEY},
        "train_rows": len(parts["train"]),
        "test_rows": len(labels),
        "epoch": kept["epoch"],
        "validation_accuracy": kept["validation_accuracy"],
        "validation_loss": kept["validation_loss"],
        "test_accuracy": float(right.mean()),
        "test_loss": float(cross_entropy(logits, labels)),
        "right": np.packbits(right).tobytes().hex(),
        "seconds": adapted.seconds,
        **machine(),
    }


def cells(arguments: argparse.Namespace) -> Iterator[Row]:
    """Yield the fits. Token dropout is impossible on stored features, which have no tokens."""
    for written, case, method in product(arguments.sets, arguments.cases, arguments.methods):
        if method == "token dropout" and CASES[case][0] == "head":
            continue
        for strength, seed in product(STRENGTHS[method], range(arguments.seeds)):
            yield {
                "written": written,
                "set": Path(written.partition("=")[0]).stem,
                "case": case,
                "method": method,
                "strength": strength,
                "seed": seed,
                "rows": arguments.rows,
            }


def right_of(rows: list[Row]) -> NDArray[np.uint8]:
    """Return which test texts were classified correctly, ``(seeds, texts)``."""
    return np.stack(
        [
            np.unpackbits(np.frombuffer(bytes.fromhex(row["right"]), np.uint8))[: row["test_rows"]]
            for row in sorted(rows, key=lambda row: int(row["seed"]))
        ]
    )


def choose_strength(rows: list[Row]) -> list[Row]:
    """Return the rows of the strength with the highest mean accuracy on validation.

    If two strengths have the same accuracy, the one with the lower mean loss wins.
    """
    by_strength: dict[float, list[Row]] = defaultdict(list)
    for row in rows:
        by_strength[row["strength"]].append(row)

    def merit(tried: list[Row]) -> tuple[float, float]:
        accuracy = mean(row["validation_accuracy"] for row in tried)
        return accuracy, -mean(row["validation_loss"] for row in tried)

    return max(by_strength.values(), key=merit)


def gain(rows: list[Row], base: list[Row]) -> DifferenceInterval:
    """Return the difference of the test accuracies with its interval."""
    return measure_effects([right_of(rows), right_of(base)]).contrast(0, 1).interval()


class Gain(NamedTuple):
    """What a method gained in a case on a data set.

    Attributes:
        strength: The strength that was chosen on validation.
        accuracy: The mean test accuracy with the method.
        interval: The difference to the fits without the method.
    """

    strength: float
    accuracy: float
    interval: DifferenceInterval


def gains(rows: list[Row]) -> dict[tuple[str, str], dict[str, Gain]]:
    """Return the gain on each data set, for each case and method."""
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["case"], row["method"], row["set"]].append(row)
    found: dict[tuple[str, str], dict[str, Gain]] = defaultdict(dict)
    for (case, method, name), tried in groups.items():
        base = groups.get((case, NONE, name))
        if base is not None:
            chosen = choose_strength(tried)
            accuracy = mean(row["test_accuracy"] for row in chosen)
            found[case, method][name] = Gain(chosen[0]["strength"], accuracy, gain(chosen, base))
    return found


def to_keep(rows: list[Row]) -> set[str]:
    """Return the methods whose interval is above 0 on all data sets in one of the cases."""
    sets = {row["set"] for row in rows}
    return {
        method
        for (_, method), found in gains(rows).items()
        if found.keys() == sets and all(each.interval.low > 0 for each in found.values())
    }


def table(rows: list[Row]) -> str:
    """Return a Markdown table with a line for each case and method."""
    sets = list(dict.fromkeys(row["set"] for row in rows))
    lines = [f"| what is trained | method | {' | '.join(sets)} |", f"|---|---|{'---|' * len(sets)}"]
    for (case, method), found in gains(rows).items():
        cells = [describe(method, found[name]) if name in found else "" for name in sets]
        lines.append(f"| {case} | {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def describe(method: str, found: Gain) -> str:
    """Return the accuracy without a method, or the gain of a method in points."""
    if method == NONE:
        return f"{100 * found.accuracy:.1f} %"
    value, low, high = (100 * part for part in found.interval[:3])
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f}), {found.strength:g}"


def main(words: list[str] | None = None) -> None:
    """Run the fits whose results are missing, add them to the file and print the table."""
    arguments = parse(words)
    rows: list[Row] = json.loads(arguments.json.read_text()) if arguments.json.exists() else []
    datasets: dict[str, Dataset] = {}
    for cell in cells(arguments):
        if any(all(row[name] == cell[name] for name in KEY) for row in rows):
            continue
        if cell["written"] not in datasets:
            datasets[cell["written"]] = load(configured(cell, arguments).data)
        rows.append(measure(cell, datasets[cell["written"]], arguments))
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        shown = (*KEY, "validation_accuracy", "test_accuracy", "seconds")
        print(*(rows[-1][key] for key in shown), flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
