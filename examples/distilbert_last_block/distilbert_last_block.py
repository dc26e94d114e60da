# %% [markdown]
"""Train the last block of a transformer together with its head.

The tutorial trains the last block of DistilBERT and its head for three epochs at a learning rate of
2e-5 with a weight decay of 0.01. This example does the same at that rate and at Thawline's default,
and compares both with a head alone.

Without arguments it needs no network: the reviews are part of Thawline, and MiniLM, a BERT with
6 blocks, comes with the extra `minilm`. The tutorial's own job is

    python distilbert_last_block.py --backbone distilbert-base-uncased --data imdb \
        --limit 4000 2000
"""

# %%
import argparse
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt

from thawline import (
    Config,
    DataConfig,
    HeadConfig,
    TerminalReporter,
    TextClassifier,
    TrainingConfig,
    fit_run,
)

parser = argparse.ArgumentParser(description="Train the last block of a transformer.")
parser.add_argument("--backbone", default="minilm", help="Packaged name, folder or hub id")
parser.add_argument("--data", default="thawline/reviews", help="File, folder, name or hub id")
parser.add_argument("--limit", type=int, nargs=2, default=[1_000, 500], metavar=("TRAIN", "TEST"))
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--out", type=Path, default=Path("runs/distilbert_last_block"))
# In a notebook, write the arguments into the empty list.
options = parser.parse_args([] if "ipykernel" in sys.modules else None)

# %% [markdown]
"""
The blocks below the last one are frozen. They run once for each text, and all three fits read their
stored outputs. Only the learning rate differs between the first two fits.
"""

# %%
tutorial = Config(
    backbone=options.backbone,
    strategy="last:1",
    data=DataConfig(options.data, limit=tuple(options.limit)),
    head=HeadConfig("native"),
    training=TrainingConfig(epochs=options.epochs, batch_size=16, weight_decay=0.01, lr=2e-5),
)
configs = {
    "last-2e-5": tutorial,
    "last-1e-3": replace(tutorial, training=replace(tutorial.training, lr=1e-3)),
    "head": Config(options.backbone, data=tutorial.data),
}
records = {
    name: fit_run(config, options.out / name, TerminalReporter(), resume=True)
    for name, config in configs.items()
}

# %% [markdown]
"""
The test scores with 95 % intervals. The seconds are those of a fit that runs alone with an empty
store, so the pass through the frozen blocks counts for each.
"""

# %%
for name, record in records.items():
    score, f1 = record.test.accuracy, record.test.f1_weighted
    print(
        f"{name:9} accuracy {score.value:.1%} ({score.low:.1%} to {score.high:.1%}), "
        f"weighted F1 {f1.value:.1%}, {record.parameters.trainable:,} parameters, "
        f"{record.cost.seconds:.0f} s"
    )
untrained = records["last-2e-5"].baseline
print(f"untrained accuracy {untrained.accuracy.value:.1%}")

# %% [markdown]
"""Validation accuracy by epoch at both rates, and what each fit costs."""

# %%
figure, (epochs, cost) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for name, record in records.items():
    if record.history:
        accuracies = [row.validation_accuracy for row in record.history]
        epochs.plot([row.epoch for row in record.history], accuracies, "o-", label=name)
    score = record.test.accuracy
    ends = [[score.value - score.low], [score.high - score.value]]
    cost.errorbar(record.cost.seconds, score.value, ends, fmt="o", capsize=3, label=name)
epochs.set(xlabel="epoch (0: untrained)", ylabel="validation accuracy")
cost.set(xlabel="seconds of the fit", ylabel="test accuracy")
for axes in (epochs, cost):
    axes.legend()
figure.savefig(options.out / "rates.png", dpi=120)

# %% [markdown]
"""The better model is loaded and classifies new texts."""

# %%
classifier = TextClassifier.load(options.out / "last-1e-3")
texts = ["A warm, funny film with a wonderful cast.", "Dull, badly acted and far too long."]
for answer in classifier.predict_records(texts):
    print(answer)
