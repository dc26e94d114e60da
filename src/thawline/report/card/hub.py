"""Adapt a model card to the repository that it is pushed to."""

from __future__ import annotations

MARK = "<!-- written by thawline push -->"
"""The last line of a card for the hub, which a page does not show."""

OF_FOLDER = {
    "On the command line, if Thawline is installed, for the folder of this file:": (
        "On the command line, after `pip install thawline`:"
    ),
    'thawline predict FOLDER "a text of your own"': (
        'hf download {repository} --local-dir {name}\nthawline predict {name} "a text of your own"'
    ),
    "from thawline import TextClassifier": (
        "from huggingface_hub import snapshot_download\nfrom thawline import TextClassifier"
    ),
    'classifier = TextClassifier.load("FOLDER")': (
        'classifier = TextClassifier.load(snapshot_download("{repository}"))'
    ),
}
"""Lines of a card that name its folder, and what they become for a repository."""

SHORT = """---
library_name: thawline
pipeline_tag: text-classification
tags:
- text-classification
- thawline
---

# {name}

Thawline trained this classifier of texts with the strategy `{strategy}`.

## Use

On the command line, if Thawline is installed, for the folder of this file:

```sh
thawline predict FOLDER "a text of your own"
```

In Python:

```python
from thawline import TextClassifier

classifier = TextClassifier.load("FOLDER")
classifier.predict(["a text of your own"])
classifier.predict_proba(["a text of your own"])
```
"""
"""The card of a classifier that was saved from Python, without a record of its scores."""


def hub_card(card: str | None, repository: str, *, strategy: str) -> str:
    """Return a model card that says how to load the classifier from a repository.

    Args:
        card: The card of the artifact. If None, a short one without scores is used.
        repository: The repository, USER/NAME.
        strategy: The strategy of the classifier.
    """
    name = repository.rpartition("/")[2]
    text = SHORT.format(name=name, strategy=strategy) if card is None else card
    lines = [
        OF_FOLDER[line].format(repository=repository, name=name) if line in OF_FOLDER else line
        for line in text.split("\n")
    ]
    if MARK not in lines:
        lines += [MARK, ""]
    return "\n".join(lines)


def is_hub_card(card: str) -> bool:
    """Return whether `hub_card` has written a model card.

    Args:
        card: The card, which was perhaps written for the folder of a run.
    """
    return MARK in card
