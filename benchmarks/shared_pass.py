"""Compare several classifiers in one pass with the same classifiers one after the other.

    python -m benchmarks.shared_pass TEXTS.parquet RUN [RUN …] [--texts 150]

It prints the stages that the classifiers share, and the CPU seconds of both ways.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

from thawline import artifact
from thawline.config import ComputeConfig
from thawline.inference.shared import SharedPredictor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="Parquet file with a column text")
    parser.add_argument("runs", type=Path, nargs="+", help="Folders of runs; one may be repeated")
    parser.add_argument("--texts", type=int, default=150)
    given = parser.parse_args()
    texts = pd.read_parquet(given.file)["text"].sample(given.texts, random_state=1).tolist()
    classifiers = [artifact.load(run) for run in given.runs]
    compute = ComputeConfig(dtype="float32")
    shared = SharedPredictor(classifiers, compute)
    alone = [SharedPredictor([one], compute) for one in classifiers]
    for line in shared.describe([f"{run.name}:{n}" for n, run in enumerate(given.runs)]):
        print(line)
    for _ in range(2):  # the second time nothing is loaded any more
        start = time.process_time()
        shared.logits(texts)
        together = time.process_time() - start
        start = time.process_time()
        for one in alone:
            one.logits(texts)
        apart = time.process_time() - start
        print(f"together {together:.1f} s, one by one {apart:.1f} s: {apart / together:.1f} times")


if __name__ == "__main__":
    main()
