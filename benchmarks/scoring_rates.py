"""Measure the rows per CPU second of each part of `thawline score`.

    OMP_NUM_THREADS=1 python -m benchmarks.scoring_rates TEXTS.parquet RUN [RUN …] --rows 300

It prints the rate of reading each format, of passing blocks to another process as Ray does, of
classifying with each run, and of encoding the output, with the bytes of a row.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from thawline.config import ScoreConfig
from thawline.data.sources.files import DataFile
from thawline.runtime.progress import Reporter
from thawline.scoring.blocks import Block, from_bytes, to_bytes
from thawline.scoring.job import ScoringJob
from thawline.scoring.readers import open_reader
from thawline.scoring.writers import open_format

READ_ROWS = 20_000
"""The number of rows that are read, which takes much less time than classifying them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="Parquet file with a column text")
    parser.add_argument("runs", type=Path, nargs="+", help="Folders of runs")
    parser.add_argument("--rows", type=int, default=300)
    given = parser.parse_args()
    texts = pd.read_parquet(given.file, columns=["text"]).head(READ_ROWS)
    texts["id"] = range(len(texts))
    with TemporaryDirectory() as place:
        folder = Path(place)
        texts.to_csv(folder / "a.csv", index=False)
        texts.to_json(folder / "a.jsonl", orient="records", lines=True)
        texts.to_parquet(folder / "a.parquet")
        for name in ("a.csv", "a.jsonl", "a.parquet"):
            blocks = read(folder / name)
            size = (folder / name).stat().st_size / len(texts)
            rate = per_second(partial(read, folder / name), len(texts))
            print(f"reading {name}: {rate:,.0f} rows per CPU second, {size:,.0f} bytes per row")
        rate = per_second(lambda: [from_bytes(to_bytes(block)) for block in blocks], len(texts))
        print(f"passing to another process: {rate:,.0f} rows per CPU second")
        texts.head(given.rows).to_parquet(folder / "few.parquet")
        for run in given.runs:
            job = ScoringJob([run], ScoreConfig(), Reporter())
            reader = job.open(DataFile(folder / "few.parquet"))
            form = open_format("out.parquet", safe=False)
            (block,) = reader.blocks(given.rows)
            encode = partial(job.encode, block, reader.columns, form, first=True)
            encode()  # the first call also loads libraries
            print(f"{run.name}: {per_second(encode, given.rows):,.0f} rows per CPU second")


def read(path: Path) -> list[Block]:
    return list(open_reader(DataFile(path), None).blocks(4_096))


def per_second(work: Callable[[], object], rows: int) -> float:
    start = time.process_time()
    work()
    return rows / (time.process_time() - start)


if __name__ == "__main__":
    main()
