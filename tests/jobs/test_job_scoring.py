"""Score the logits of a part with the settings of a run."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from thawline.config import MetricsConfig
from thawline.data import LabelledTexts
from thawline.evaluation import metrics
from thawline.jobs.scoring import score_logits


def test_copies_among_the_texts_count_as_one_text() -> None:
    generator = np.random.default_rng(0)
    texts = [f"text {row // 4}" if row % 2 else f"Text  {row // 4}" for row in range(40)]
    labels, rows = generator.integers(0, 2, 40), np.arange(40)
    logits = np.repeat(generator.normal(size=(10, 2)), 4, axis=0).astype(np.float32)
    config = MetricsConfig(resamples=50)
    found = score_logits(logits, LabelledTexts(texts, labels, rows, "test"), 2, config)
    assert found == metrics.evaluate(logits, labels, copies=rows // 4, **asdict(config))
    without = metrics.evaluate(logits, labels, **asdict(config))
    assert found.accuracy.high - found.accuracy.low > without.accuracy.high - without.accuracy.low
