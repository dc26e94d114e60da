# %% [markdown]
"""Pretrain a small Qwen3 language model, freeze it, and train an MLP head on its states.

The tutorial builds a small Qwen3 (hidden size 128, 3 blocks), freezes it, and trains a head with
8,386 parameters on film reviews. This example first pretrains such a model for a minute, which is
only a taste, and then compares it with the one that Thawline's authors pretrained on more reviews.

Without arguments it needs no network: the reviews and the second model are part of Thawline. The
tutorial's own job is

    python qwen3_from_scratch.py --data imdb
"""

# %%
import argparse
import sys
from dataclasses import replace
from pathlib import Path

from thawline import (
    Config,
    CorpusConfig,
    DataConfig,
    HeadConfig,
    PretrainConfig,
    PretrainingConfig,
    TerminalReporter,
    TextClassifier,
    TrainingConfig,
    VocabularyConfig,
    WritingConfig,
    evaluate_run,
    fit_run,
    load_language_model,
    pretrain_run,
    write_texts,
)

parser = argparse.ArgumentParser(description="Pretrain a small Qwen3 and classify with it.")
parser.add_argument("--data", default="thawline/reviews", help="File, folder, name or hub id")
parser.add_argument("--limit", type=int, nargs=2, default=[1_000, 500], metavar=("TRAIN", "TEST"))
parser.add_argument("--texts", type=int, default=1_000, help="Number of texts to pretrain on")
parser.add_argument("--epochs", type=int, default=3, help="Epochs of the head")
parser.add_argument("--lr", type=float, default=1e-4, help="Maximum learning rate of the head")
parser.add_argument("--out", type=Path, default=Path("runs/qwen3_from_scratch"))
# In a notebook, write the arguments into the empty list.
options = parser.parse_args([] if "ipykernel" in sys.modules else None)

# %% [markdown]
"""Pretraining learns a vocabulary, and then to predict the next token of the training texts."""

# %%
pretraining = PretrainConfig(
    corpus=CorpusConfig((options.data,), limit=options.texts),
    vocabulary=VocabularyConfig(4_096),
    training=PretrainingConfig(epochs=1, window=256, batch_size=8),
)
language = pretrain_run(pretraining, options.out / "pretrained", TerminalReporter(), resume=True)
print(f"{language.parameters:,} parameters, {language.tokens:,} tokens read")
print(f"{language.saved.validation_bits_per_byte:.2f} bits per byte (embedded model: 1.40)")
writer = load_language_model("thawline/qwen3-mini")
for written in write_texts(writer, "The film", WritingConfig(tokens=30)):
    print(f"the embedded model writes: {written.text}")

# %% [markdown]
"""
The head is `Dropout, Linear(128, 64), ReLU, Dropout, Linear(64, 2)`: 8,386 parameters. The tutorial
gives it the first token, which in a causal model has seen only itself, so `first` stays at 50 %.
"""

# %%
tutorial = Config(
    data=DataConfig(options.data, limit=tuple(options.limit)),
    head=HeadConfig("mlp:64", pooling="mean", standardise=False),
    training=TrainingConfig(epochs=options.epochs, batch_size=16, lr=options.lr),
)
first = replace(tutorial, head=replace(tutorial.head, pooling="first"))
better = TrainingConfig(epochs=10, lr=1e-3)
configs = {
    "own-model": replace(tutorial, backbone=str(options.out / "pretrained" / "model")),
    "first-token": first,
    "embedded-model": tutorial,
    "better-settings": replace(tutorial, head=HeadConfig("mlp:64"), training=better),
}
for name, config in configs.items():
    record = fit_run(config, options.out / name, TerminalReporter(), resume=True)
    score = record.test.accuracy
    print(
        f"{name:16} {record.parameters.trainable:,} parameters, test accuracy {score.value:.1%} "
        f"({score.low:.1%} to {score.high:.1%})"
    )

# %% [markdown]
"""The saved classifier, with the weights of the best epoch, is tested again and then used."""

# %%
scores = evaluate_run(options.out / "better-settings", split="test")
print(f"{scores.rows:,} test reviews: accuracy {scores.accuracy.value:.1%}")
classifier = TextClassifier.load(options.out / "better-settings")
texts = ["A warm, funny film with a wonderful cast.", "Dull, badly acted and far too long."]
for text, row in zip(texts, classifier.predict_proba(texts), strict=True):
    print(f"{record.labels.names[row.argmax()]} ({row.max():.3f}) {text}")
