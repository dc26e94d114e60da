"""Compare a run with its ONNX exports: accuracy in int8, and the time of one text.

    python -m benchmarks.export RUN [--repeats 200] [--accuracy]

All classifiers run in one process and take turns, text by text. With --accuracy, the test rows of
the run are classified in int8 too, which takes minutes. The output is JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from thawline import artifact
from thawline.config import ComputeConfig, ExportConfig
from thawline.inference.predictor import Predictor
from thawline.jobs.export import export_run
from thawline.runtime.progress import Reporter

TEXT = (
    "I went to see this film with low expectations and left the cinema with a smile. The story is "
    "simple, but the actors are wonderful, the music fits every scene, and the end surprised me. A "
    "few jokes fall flat in the middle, yet I would gladly watch it again next week with friends."
)
"""A review of 54 words."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="Folder of a run")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--accuracy", action="store_true")
    given = parser.parse_args()
    found = {"run": str(given.run.name), "words": len(TEXT.split()), "repeats": given.repeats}
    with TemporaryDirectory() as place:
        exports = {name: Path(place, name) for name in ("float32", "int8")}
        for name, folder in exports.items():
            # An artifact without its run has no test rows to classify.
            run = given.run if given.accuracy and name == "int8" else given.run / artifact.FOLDER
            report = export_run(run, ExportConfig(int8=name == "int8"), folder, Reporter())
            found[name] = report.to_dict()
        classifiers = {"torch": artifact.load(given.run)}
        classifiers |= {name: artifact.load(folder) for name, folder in exports.items()}
        compute = ComputeConfig(device="cpu", dtype="float32")
        predictors = {
            name: Predictor(fitted, compute, use_store=False)
            for name, fitted in classifiers.items()
        }
        times: dict[str, list[float]] = {name: [] for name in predictors}
        for repeat in range(given.repeats + 5):
            for name, predictor in predictors.items():
                start = time.perf_counter()
                predictor.logits([TEXT])
                if repeat >= 5:
                    times[name].append(1000 * (time.perf_counter() - start))
    found["threads"] = torch.get_num_threads()
    found["milliseconds"] = {
        name: dict(
            zip(
                ("least", "p50", "p95", "p99"),
                np.round(np.quantile(values, (0, 0.5, 0.95, 0.99)), 2).tolist(),
                strict=True,
            )
        )
        for name, values in times.items()
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
