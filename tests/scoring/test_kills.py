"""A job that is killed with SIGKILL at random moments loses no row and scores none twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.command_line import save_here
from tests.support.kills import killed_after
from thawline import TextClassifier
from thawline.config import ScoreConfig
from thawline.data.sources.files import DataFile
from thawline.runtime.progress import Reporter
from thawline.scoring.job import ScoringJob

ROWS, BLOCK = 600, 20


@pytest.mark.e2e
@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("suffix", ["csv.gz", "parquet"])
def test_output_is_that_of_a_job_that_was_never_killed(
    tmp_path: Path, toy_reviews: Callable[..., tuple[list[str], list[int]]], suffix: str, kills: int
) -> None:
    texts, labels = toy_reviews(ROWS)
    classifier = TextClassifier(strategy="tfidf", labels=("neg", "pos"))
    save_here(classifier.fit(texts[:60], labels[:60]), tmp_path / "words")
    pq.write_table(pa.table({"id": range(ROWS), "text": texts}), tmp_path / "in.parquet")

    def score(output: Path) -> None:
        config = ScoreConfig(rows_per_block=BLOCK, dtype="float32")
        job = ScoringJob([tmp_path / "words"], config, Reporter())
        job.score(job.open(DataFile(tmp_path / "in.parquet")), output)

    whole, output = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    start = time.monotonic()
    killed_after(score, whole, None)
    duration = time.monotonic() - start
    chance, done = random.Random(0), 0
    for _ in range(kills):
        killed_after(score, output, chance.uniform(0.3, 1) * duration)
        if output.exists():  # the job has ended, or was killed in its last moment
            break
        parts = len(list(output.with_name(f"{output.name}.parts").glob("0*")))
        assert parts >= done
        done = parts
    if not output.exists():
        killed_after(score, output, None)
        assert not output.with_name(f"{output.name}.parts").exists()
    assert output.read_bytes() == whole.read_bytes()
