"""Check that the words which `explain` marks decide predictions, by removing them.

    python -m benchmarks.explanations RUN TEXTS.parquet [--texts 200] [--share 0.1] [--json FILE]

For each text, the share of parts with the highest scores is removed, and as many parts at random.
The result is the mean loss of the probability of the predicted class, with its standard error.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from thawline import TextClassifier
from thawline.inference.explaining import TextPart


def without(text: str, parts: list[TextPart]) -> str:
    """Return a text without some of its parts."""
    for part in sorted(parts, key=lambda part: -part.start):
        text = text[: part.start] + text[part.end :]
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    classifier = TextClassifier.load(given.run)
    texts = pd.read_parquet(given.texts).sample(given.number, random_state=0)["text"].tolist()
    random, rows = np.random.default_rng(0), []
    for text in texts:
        before = classifier.predict_proba([text])[0]
        parts = classifier.explain(text)
        number = max(1, round(given.share * len(parts)))
        ranked = sorted(parts, key=lambda part: -part.score)
        chosen = random.choice(len(parts), number, replace=False)
        cut = [without(text, ranked[:number]), without(text, [parts[i] for i in chosen])]
        rows.append(before.max() - classifier.predict_proba(cut)[:, before.argmax()])
    losses = np.array(rows)
    names = ("marked", "random")
    result = {
        "texts": len(texts),
        "share": given.share,
        **{name: float(losses[:, i].mean()) for i, name in enumerate(names)},
        "difference": float((losses[:, 0] - losses[:, 1]).mean()),
        "standard_error": float((losses[:, 0] - losses[:, 1]).std(ddof=1) / len(texts) ** 0.5),
    }
    print(json.dumps(result, indent=1))
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
