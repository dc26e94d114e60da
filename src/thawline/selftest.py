"""The fresh process that proves an artifact: texts as JSON in, probabilities as JSON out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from thawline.artifact import load
from thawline.config import PrefixConfig
from thawline.inference import text_logits
from thawline.metrics import probabilities
from thawline.progress import Reporter

if __name__ == "__main__":
    fitted = load(Path(sys.argv[1]))
    logits = text_logits(fitted, json.load(sys.stdin), PrefixConfig(), Reporter())
    json.dump(probabilities(logits).tolist(), sys.stdout)
