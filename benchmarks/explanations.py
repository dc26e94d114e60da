"""Check that the words which `explain` marks decide predictions, by removing them.

    python -m benchmarks.explanations RUN TEXTS.parquet [--number 200] [--share 0.1]
        [--dtype float32] [--json FILE]

For each text, the share of parts with the highest scores is removed, and as many parts at random.
The result is the mean loss of the probability of the predicted class, with its 95 % interval over
texts. With --json, the losses are saved after each text, and a stopped run continues.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from thawline import TextClassifier
from thawline.inference.explaining import Probabilities, TextPart, explain


def without(text: str, parts: list[TextPart]) -> str:
    """Return a text without some of its parts."""
    for part in sorted(parts, key=lambda part: -part.start):
        text = text[: part.start] + text[part.end :]
    return text


def losses_of(
    text: str, probabilities: Probabilities, share: float, random: np.random.Generator
) -> list[float]:
    """Return what the probability of the predicted class loses without marked and random parts."""
    before = probabilities([text])[0]
    parts = explain(text, probabilities, int(before.argmax()))
    number = max(1, round(share * len(parts)))
    ranked = sorted(parts, key=lambda part: -part.score)
    chosen = random.choice(len(parts), number, replace=False)
    cut = [without(text, ranked[:number]), without(text, [parts[i] for i in chosen])]
    after = probabilities(cut)[:, before.argmax()]
    return [float(loss) for loss in before.max() - after]


def mean_and_interval(values: NDArray[np.float64]) -> list[float]:
    """Return the mean of values, and the ends of its 95 % interval by Student's t."""
    mean, error = values.mean(), stats.sem(values)
    half = stats.t.ppf(0.975, len(values) - 1) * error
    return [float(mean), float(mean - half), float(mean + half)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    result: dict[str, Any] = {"share": given.share, "losses": []}
    if given.json is not None and given.json.is_file():
        result = json.loads(given.json.read_text(encoding="utf-8"))
    probabilities = partial(TextClassifier.load(given.run).predict_proba, dtype=given.dtype)
    texts = pd.read_parquet(given.texts).sample(given.number, random_state=0)["text"].tolist()
    for number in range(len(result["losses"]), len(texts)):
        random = np.random.default_rng(number)  # the same parts if the run was stopped
        result["losses"].append(losses_of(texts[number], probabilities, given.share, random))
        if given.json is not None:
            given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    losses = np.array(result["losses"])
    summary = {
        "texts": len(losses),
        "marked": mean_and_interval(losses[:, 0]),
        "random": mean_and_interval(losses[:, 1]),
        "difference": mean_and_interval(losses[:, 0] - losses[:, 1]),
    }
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
