"""Classify texts in the fresh process of `Prover`.

`FreshProcess` starts it and exchanges lines of JSON with it. A request has an artifact's folder and
texts. The answer holds the probabilities of the texts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from thawline.runtime.imports import quick_imports

with quick_imports():
    from thawline import artifact
    from thawline.config import ComputeConfig
    from thawline.evaluation.metrics import probabilities
    from thawline.inference.predictor import Predictor
    from thawline.runtime.fresh import READY

if __name__ == "__main__":
    print(READY, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        fitted = artifact.load(Path(request["folder"]))
        # JSON has no tuples, so a pair of texts arrives as a list.
        texts = [text if isinstance(text, str) else tuple(text) for text in request["texts"]]
        compute = ComputeConfig(device=request["device"], dtype="float32")
        logits = Predictor(fitted, compute, use_store=False).logits(texts)
        print(json.dumps(probabilities(logits).tolist()), flush=True)
