"""The fresh process that proves artifacts.

It says that it is ready; then, line by line in JSON, it reads a folder and texts, and answers with
their probabilities.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from thawline import artifact
from thawline.config import ComputeConfig
from thawline.evaluation.metrics import probabilities
from thawline.inference.predictor import Predictor

if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        fitted = artifact.load(Path(question["folder"]))
        # JSON knows no tuples: a pair of texts comes as a list.
        texts = [text if isinstance(text, str) else tuple(text) for text in question["texts"]]
        compute = ComputeConfig(device=question["device"], dtype="float32")
        logits = Predictor(fitted, compute, use_store=False).logits(texts)
        print(json.dumps(probabilities(logits).tolist()), flush=True)
