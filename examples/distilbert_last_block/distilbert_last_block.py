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
from pathlib import Path

import matplotlib.pyplot as plt

import thawline
from thawline import Config, DataConfig, HeadConfig, TextClassifier, TrainingConfig

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
The blocks below the last one are frozen. They run once for each text, and both fits of the last
block read their stored outputs. Only the learning rate differs between these two. The seconds are
those of a fit that runs alone with an empty store, so the frozen pass counts for each.
"""

# %%
data = DataConfig(options.data, limit=tuple(options.limit))
configs = {"head": Config(options.backbone, data=data)}
for name, lr in {"last-2e-5": 2e-5, "last-1e-3": 1e-3}.items():
    configs[name] = Config(
        backbone=options.backbone,
        strategy="last:1",
        data=data,
        head=HeadConfig("native"),
        training=TrainingConfig(epochs=options.epochs, batch_size=16, weight_decay=0.01, lr=lr),
    )
progress, records = thawline.TerminalReporter(), {}
for name, config in configs.items():
    record = thawline.fit_run(config, options.out / name, progress, resume=True)
    print(f"{name}: {record.parameters.trainable:,} parameters in {record.cost.seconds:.0f} s")
    print(f"  accuracy {record.test.accuracy:.1%}, weighted F1 {record.test.f1_weighted:.1%}")
    records[name] = record
print(thawline.summary(record, "epochs", "scores"))

# %% [markdown]
"""Validation accuracy by epoch at both rates."""

# %%
for name, record in records.items():
    if record.history:  # the exact fit of the head has no epochs
        accuracies = [row.validation_accuracy for row in record.history]
        plt.plot([row.epoch for row in record.history], accuracies, "o-", label=name)
plt.xlabel("epoch (0: untrained)")
plt.ylabel("validation accuracy")
plt.legend()
plt.savefig(options.out / "rates.png", dpi=120)

# %% [markdown]
"""The better model is loaded and classifies new texts."""

# %%
classifier = TextClassifier.load(options.out / "last-1e-3")
texts = ["A warm, funny film with a wonderful cast.", "Dull, badly acted and far too long."]
for answer in classifier.predict_records(texts):
    print(answer)
