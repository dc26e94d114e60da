"""Compare the time that one text takes in a run and in its exports.

    thawline export RUN --out FLOAT32
    thawline export RUN --int8 --out INT8
    python -m benchmarks.export RUN FLOAT32 INT8 [--repeats 200]

The classifiers run in one process and take turns. For each, the output has the least time and
quantiles of the times, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from thawline import artifact
from thawline.config import ComputeConfig
from thawline.inference.predictor import Predictor

TEXT = (
    "I went to see this film with low expectations and left the cinema with a smile. The story is "
    "simple, but the actors are wonderful, the music fits every scene, and the end surprised me. A "
    "few jokes fall flat in the middle, yet I would watch it again now."
)
"""A review of 50 words."""

UNTIMED = 5
"""The number of first rounds that are not counted, because they prepare threads and memory."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="Folders of runs or exports")
    parser.add_argument("--repeats", type=int, default=200)
    given = parser.parse_args()
    compute = ComputeConfig(device="cpu", dtype="float32")
    predictors = {
        folder.name: Predictor(artifact.load(folder), compute, use_store=False)
        for folder in given.folders
    }
    times: dict[str, list[float]] = {name: [] for name in predictors}
    for repeat in range(given.repeats + UNTIMED):
        for name, predictor in predictors.items():
            start = time.perf_counter()
            predictor.logits([TEXT])
            if repeat >= UNTIMED:
                times[name].append(1000 * (time.perf_counter() - start))
    quantiles = {"least": 0.0, "p50": 0.5, "p95": 0.95, "p99": 0.99}
    found = {
        name: {key: round(float(np.quantile(values, at)), 2) for key, at in quantiles.items()}
        for name, values in times.items()
    }
    words, threads = len(TEXT.split()), torch.get_num_threads()
    print(json.dumps({"words": words, "threads": threads, "milliseconds": found}, indent=1))


if __name__ == "__main__":
    main()
