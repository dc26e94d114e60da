"""Compare `thawline score` with `thawline score --ray local` on the same cores.

    python -m benchmarks.ray_overhead TEXTS.parquet RUN --rows 2000 --pairs 2

Both ways run one after the other, in pairs, each with a quarter of the rows and with all of them.
The difference of the two sizes is the work itself, without the start of the processes. The CPU
seconds are those of the command and of all processes that it started. They hardly depend on other
programs that share the cores, but the seconds do. Of Ray's processes, those that read and score do
the work. All others, with the command itself, are background, which takes CPU seconds as long as
the job runs, so that it is shown as a share of a core.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import psutil

WORK = ("ray::MapWorker", "ray::Read")
"""The titles of the processes of Ray that read and score."""


@dataclass(frozen=True)
class Cost:
    """The cost of a command.

    Attributes:
        seconds: The duration.
        cpu: The CPU seconds of the processes that read and score.
        rest: The CPU seconds of all others.
    """

    seconds: float
    cpu: float
    rest: float

    def __sub__(self, other: Cost) -> Cost:
        seconds, cpu = self.seconds - other.seconds, self.cpu - other.cpu
        return Cost(seconds, cpu, self.rest - other.rest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="Parquet file with a column text")
    parser.add_argument("run", type=Path, help="Folder of a run or of a saved classifier")
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--rows-per-block", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=2)
    given = parser.parse_args()
    texts = pd.read_parquet(given.file, columns=["text"])
    found: dict[str, list[Cost]] = {"plain": [], "ray": []}
    with TemporaryDirectory() as place:
        work = Path(place)
        sizes = (given.rows // 4, given.rows)
        for size in sizes:
            copies = pd.concat([texts] * (size // len(texts) + 1), ignore_index=True)
            copies.head(size).to_parquet(work / f"{size}.parquet")
        for pair in range(given.pairs):
            for way in ("plain", "ray") if pair % 2 == 0 else ("ray", "plain"):
                small, large = (
                    run(way, given.run, work / f"{size}.parquet", work, given.rows_per_block)
                    for size in sizes
                )
                cost = large - small
                found[way].append(cost)
                start = small.cpu + small.rest - (cost.cpu + cost.rest) / 3
                print(
                    f"{way:5}  start {start:.1f} CPU s, then {sizes[1] - sizes[0]:,} rows in "
                    f"{cost.cpu:.1f} CPU s of work and {cost.seconds:.1f} s, background "
                    f"{cost.rest:.1f} CPU s, {cost.rest / cost.seconds:.1%} of a core",
                    flush=True,
                )
    ratios = [ray.cpu / plain.cpu for plain, ray in zip(found["plain"], found["ray"], strict=True)]
    print(f"CPU seconds of work with Ray / without: {statistics.median(ratios):.3f} {ratios}")


def run(way: str, classifier: Path, rows: Path, work: Path, block: int) -> Cost:
    """Score a file in a process of its own and return what it took.

    Args:
        way: ``plain`` or ``ray``.
        classifier: The folder of the classifier.
        rows: The input.
        work: A folder for the output.
        block: The number of rows of a block.
    """
    output = work / f"{way}-{time.monotonic_ns()}"
    options = ["--ray", "local"] if way == "ray" else []
    target = output if way == "ray" else output.with_suffix(".parquet")
    command = [sys.executable, "-m", "thawline", "score", classifier, rows, target, *options]
    # By default, Ray gives its processes a lower priority than the other programs have.
    environment = {**os.environ, "RAY_worker_niceness": "0"}
    start = time.perf_counter()
    with subprocess.Popen(
        [*map(str, command), "--rows-per-block", str(block)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        used: dict[tuple[int, float], float] = {}
        workers: set[tuple[int, float]] = set()
        while process.poll() is None:
            for each in _family(process.pid):
                try:
                    times, title = each.cpu_times(), each.cmdline()[:1]
                    works = way == "plain" or bool(title and title[0].startswith(WORK))
                    key = (each.pid, each.create_time())
                    busy = times.user + times.system
                    # A process of Ray changes its title with each of its tasks.
                    workers |= {key} if works else set()
                    used[key] = busy
                except psutil.Error:
                    continue
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    working = sum(busy for key, busy in used.items() if key in workers)
    return Cost(time.perf_counter() - start, working, sum(used.values()) - working)


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


if __name__ == "__main__":
    main()
