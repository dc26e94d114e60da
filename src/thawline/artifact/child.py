"""Classify texts in the fresh process of `Prover`.

The process prints ``ready``. Then it reads requests from standard input, one JSON object per line,
each with an artifact's folder and texts. It prints the texts' probabilities as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from thawline.runtime.collector import paused_collector

with paused_collector():
    from thawline import artifact
    from thawline.config import ComputeConfig
    from thawline.evaluation.metrics import probabilities
    from thawline.inference.predictor import Predictor

if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        fitted = artifact.load(Path(request["folder"]))
        # JSON has no tuples, so a pair of texts arrives as a list.
        texts = [text if isinstance(text, str) else tuple(text) for text in request["texts"]]
        compute = ComputeConfig(device=request["device"], dtype="float32")
        logits = Predictor(fitted, compute, use_store=False).logits(texts)
        print(json.dumps(probabilities(logits).tolist()), flush=True)
