# %% [markdown]
"""Pretrain a small Qwen3 language model, freeze it, and train an MLP head on its states.

The tutorial builds a small Qwen3 (hidden size 128, 3 blocks), freezes it, and trains a head with
8,386 parameters on film reviews. This example first pretrains such a model for a minute, which is
only a taste, and then compares it with the one that Thawline's authors pretrained on more reviews.

Without arguments it needs no network: the reviews and the second model are part of Thawline. The
tutorial's own job is

    python qwen3_from_scratch.py --data imdb --limit 25000 25000
"""

# %%
import argparse
import sys
from pathlib import Path

import thawline
from thawline import Config, HeadConfig, TextClassifier, TrainingConfig

parser = argparse.ArgumentParser(description="Pretrain a small Qwen3 and classify with it.")
parser.add_argument("--data", default="thawline/reviews", help="File, folder, name or hub id")
parser.add_argument("--limit", type=int, nargs=2, default=[1_000, 500], metavar=("TRAIN", "TEST"))
parser.add_argument("--texts", type=int, default=1_000, help="Number of texts to pretrain on")
parser.add_argument("--epochs", type=int, default=3, help="Epochs of the head")
parser.add_argument("--lr", type=float, default=1e-4, help="Maximum learning rate of the head")
parser.add_argument("--out", type=Path, default=Path("runs/qwen3_from_scratch"))
# In a notebook, write the arguments into the empty list.
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
progress = thawline.TerminalReporter()

# %% [markdown]
"""Pretraining learns a vocabulary, and then to predict the next token of the training texts."""

# %%
config = thawline.PretrainConfig(
    corpus=thawline.CorpusConfig((options.data,), limit=options.texts),
    vocabulary=thawline.VocabularyConfig(4_096),
    training=thawline.PretrainingConfig(epochs=1, window=256, batch_size=8),
)
language = thawline.pretrain_run(config, options.out / "pretrained", progress, resume=True)
print(f"{language.parameters:,} parameters, {language.tokens:,} tokens read")
print(f"{language.saved.validation_bits_per_byte:.2f} bits per byte (packaged model: 1.40)")
writer = thawline.load_language_model("thawline/qwen3-mini")
for written in thawline.write_texts(writer, "The film", thawline.WritingConfig(tokens=30)):
    print(f"the packaged model writes: {written.text}")

# %% [markdown]
"""
The head is `Dropout, Linear(128, 64), ReLU, Dropout, Linear(64, 2)`: 8,386 parameters. The tutorial
gives it the first token, which in a causal model has seen only itself, so `first` stays at 50 %.
"""

# %%
own, packaged = str(options.out / "pretrained" / "model"), "thawline/qwen3-mini"
mean, first = (HeadConfig("mlp:64", pooling=by, standardise=False) for by in ("mean", "first"))
tutorial = TrainingConfig(epochs=options.epochs, batch_size=16, lr=options.lr)
fits = {
    "own-model": (own, mean, tutorial),
    "first-token": (packaged, first, tutorial),
    "packaged-model": (packaged, mean, tutorial),
    "better-settings": (packaged, HeadConfig("mlp:64"), TrainingConfig(epochs=10, lr=1e-3)),
}
data = thawline.DataConfig(options.data, limit=tuple(options.limit))
for name, (backbone, head, training) in fits.items():
    config = Config(backbone, data=data, head=head, training=training)
    record = thawline.fit_run(config, options.out / name, progress, resume=True)
    print(f"{name:16} test accuracy {record.test.accuracy:.1%}")

# %% [markdown]
"""The saved classifier, with the weights of the best epoch, is tested again and then used."""

# %%
print(f"{record.parameters.trainable:,} parameters")
print(thawline.summary(thawline.evaluate_run(options.out / "better-settings"), "scores"))
classifier = TextClassifier.load(options.out / "better-settings")
for text in ("A warm, funny film with a wonderful cast.", "Dull, badly acted and far too long."):
    (row,) = classifier.predict_proba([text])
    print(f"{record.labels.names[row.argmax()]} ({row.max():.3f}) {text}")
