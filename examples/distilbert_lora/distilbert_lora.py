# %% [markdown]
"""Train low-rank adapters (LoRA) in every block of a transformer.

The tutorial trains LoRA adapters of rank 4 with alpha 32 and dropout 0.1 on the query projections
of DistilBERT for ten epochs, and cuts long reviews off on the left. This example does the same with
early stopping, looks at the mistakes, and tries other ranks.

Without arguments it needs no network: the reviews and a small Qwen3 are part of Thawline. All
blocks of this model can be trained in minutes on a CPU. The tutorial's own job is

    python distilbert_lora.py --backbone distilbert-base-uncased --data imdb --limit 4000 2000 \
        --head native
"""

# %%
import argparse
import sys
from pathlib import Path

import thawline
from thawline import Config, DataConfig, HeadConfig, Lora, TextClassifier, TokensConfig

parser = argparse.ArgumentParser(description="Train low-rank adapters in a transformer.")
parser.add_argument("--backbone", default="thawline/qwen3-mini", help="Name, folder or hub id")
parser.add_argument("--data", default="thawline/reviews", help="File, folder, name or hub id")
parser.add_argument("--limit", type=int, nargs=2, default=[1_000, 500], metavar=("TRAIN", "TEST"))
parser.add_argument("--head", default="linear", help="linear, mlp:H or native")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--patience", type=int, default=3, help="Epochs without improvement to stop at")
parser.add_argument("--lr", type=float, default=1e-3, help="Maximum learning rate")
parser.add_argument("--ranks", type=int, nargs="*", default=[1, 16], help="Ranks to try as well")
parser.add_argument("--out", type=Path, default=Path("runs/distilbert_lora"))
# In a notebook, write the arguments into the empty list.
options = parser.parse_args([] if "ipykernel" in sys.modules else None)

# %%
sentences = ("A warm, funny film with a wonderful cast.", "Dull, badly acted and far too long.")
config = Config(
    backbone=options.backbone,
    strategy=str(Lora(r=4, alpha=32, dropout=0.1)),  # on the query projections
    data=DataConfig(options.data, limit=tuple(options.limit)),
    tokens=TokensConfig(truncation_side="left"),
    head=HeadConfig(options.head),
    training=thawline.TrainingConfig(
        epochs=options.epochs, patience=options.patience, lr=options.lr
    ),
    report=thawline.ReportConfig(show=sentences),
)
record = thawline.fit_run(config, options.out, thawline.TerminalReporter(), resume=True)
print(f"{record.parameters.trainable:,} of {record.parameters.total:,} parameters are trained")

# %% [markdown]
"""
The epochs, of which the best one on validation is kept, and the scores. Then the answers of the
untrained and of the trained model to two sentences, and the mistakes.
"""

# %%
print(thawline.summary(record, "epochs", "scores", "classes", "texts", "mistakes"))

# %% tags=["active-ipynb"]
# from IPython.display import Image
#
# Image(options.out / "confusion.png", width=500)

# %% [markdown]
"""A small search over the rank, on half of the texts. It looks at validation only."""

# %%
train = thawline.load_data(options.data, limit=config.data.limit).train
half = len(train.texts) // 2
for rank in (*options.ranks, 4):
    tried = TextClassifier(options.backbone, Lora(r=rank), lr=options.lr, validation_share=0.2)
    tried.fit(train.texts[:half], train.labels[:half])
    best = max(row["validation_accuracy"] for row in tried.history_)
    print(f"rank {rank}: {tried.parameters_['trainable']:,} parameters, validation {best:.1%}")
