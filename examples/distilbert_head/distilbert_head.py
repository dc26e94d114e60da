# %% [markdown]
"""Train a new head on a frozen transformer, and compare it with the untrained head.

The tutorial takes DistilBERT, freezes it, and trains its new classification head for three epochs
on 4,000 film reviews. This example does the same, and then solves a linear head exactly.

Without arguments it needs no network: the reviews are part of Thawline, and MiniLM, a BERT with
6 blocks, comes with the extra `minilm`. The tutorial's own job is

    python distilbert_head.py --backbone distilbert-base-uncased --data imdb --limit 4000 2000
"""

# %%
import argparse
import sys
from pathlib import Path

import thawline
from thawline import Config, DataConfig, HeadConfig, TextClassifier, TrainingConfig

parser = argparse.ArgumentParser(description="Train a new head on a frozen transformer.")
parser.add_argument("--backbone", default="minilm", help="Packaged name, folder or hub id")
parser.add_argument("--data", default="thawline/reviews", help="File, folder, name or hub id")
parser.add_argument("--limit", type=int, nargs=2, default=[1_000, 500], metavar=("TRAIN", "TEST"))
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--lr", type=float, default=3e-2, help="Maximum learning rate")
parser.add_argument("--out", type=Path, default=Path("runs/distilbert_head"))
# In a notebook, write the arguments into the empty list.
options = parser.parse_args([] if "ipykernel" in sys.modules else None)

# %% [markdown]
"""
The head is the model's own, which reads the first token. The frozen blocks run once for each text,
and the three epochs train the head on the stored outputs. `fit_run` scores the random head, trains,
scores again on the test split, draws both, saves the model and loads it in a fresh process.
"""

# %%
data = DataConfig(options.data, limit=tuple(options.limit))
training = TrainingConfig(epochs=options.epochs, batch_size=16, lr=options.lr)
config = Config(options.backbone, data=data, head=HeadConfig("native"), training=training)
progress = thawline.TerminalReporter()
record = thawline.fit_run(config, options.out / "by_epochs", progress, resume=True)
print(f"{record.parameters.trainable:,} of {record.parameters.total:,} parameters are trained")
print(thawline.summary(record, "epochs", "scores"))

# %% tags=["active-ipynb"]
# from IPython.display import Image
#
# Image(options.out / "by_epochs" / "before_after.png", width=600)

# %% [markdown]
"""
A linear head on the mean of all tokens needs no epochs: it is solved exactly, with the stage and
the penalty chosen on validation. The states are in the store already, so this takes seconds.
"""

# %%
config = Config(options.backbone, data=data)
exact = thawline.fit_run(config, options.out / "exact", progress, resume=True)
print(f"native head by epochs: {record.test.accuracy:.1%}")
print(f"linear head, exact:    {exact.test.accuracy:.1%}")

# %% [markdown]
"""The better model is loaded from its folder and classifies new texts."""

# %%
classifier = TextClassifier.load(options.out / "exact")
texts = ["A warm, funny film with a wonderful cast.", "Dull, badly acted and far too long."]
for answer in classifier.predict_records(texts):
    print(answer)
