"""Run many mutations: ``python -m tests.support.fuzzing COUNT [FIRST] [NAME …]``.

Findings are printed, and the run goes on. Each line repeats with the same name and number.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.support.fuzzing.harness import Fuzzer, FuzzingError, peak_memory
from tests.support.fuzzing.targets import TARGETS


def main(count: int, first: int = 0, *names: str) -> None:
    """Try mutations ``first`` to ``first + count`` of each target whose name contains a name."""
    os.environ["THAWLINE_HOME"] = tempfile.mkdtemp(prefix="fuzz-home-")
    for target in TARGETS.values():
        if names and not any(name in target.name for name in names):
            continue
        with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
            fuzzer, findings, start = Fuzzer(target, Path(place)), 0, time.perf_counter()
            for trial in range(first, first + count):
                before = peak_memory()
                faulthandler.dump_traceback_later(300, exit=True)
                try:
                    fuzzer.trial(trial)
                except FuzzingError as error:
                    findings += 1
                    print(f"FOUND {error}", flush=True)
                    cause = error.__cause__
                    if cause is not None:
                        frames = traceback.extract_tb(cause.__traceback__)
                    ours = [frame for frame in frames if "src/thawline" in frame.filename]
                    for frame in [*ours[-3:], *frames[-1:]]:
                        print(f"    {frame.filename}:{frame.lineno} {frame.name}")
                growth = peak_memory() - before
                if growth > 200 * 2**20:
                    print(f"MEMORY {target.name} {trial}: {growth / 2**20:,.0f} MiB", flush=True)
            faulthandler.cancel_dump_traceback_later()
            counts, seconds = fuzzer.counts, time.perf_counter() - start
            print(
                f"{target.name}: {counts.total:,} tried, {counts.refused:,} refused, "
                f"{counts.read:,} read, {findings} findings, {seconds:.0f} s",
                flush=True,
            )


main(int(sys.argv[1]), *map(int, sys.argv[2:3]), *sys.argv[3:])
