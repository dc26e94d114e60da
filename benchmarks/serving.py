"""Compare `thawline serve` with FastAPI around a plain pipeline of transformers.

    python -m benchmarks.serving RUN [--seconds 20] [--rounds 3]
    python -m benchmarks.serving RUN --minutes 10 [--serve="--dtype auto"]

RUN has a native head, so that both servers load the same model. Each server is a process of its
own, and this process sends the requests. The servers are asked in turn, because other programs may
use the cores: only ratios within one run are meaningful. With --minutes, only `thawline serve`
runs, and clients send texts of 1 to 2,000 words, wrong requests, oversized ones, and parts of
requests.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving_client import Measured, MixedLoad, Served, free_port, measure, threads
from thawline import load_data

WORDS = 50
"""The number of words of a text."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="Folder of a run with a native head")
    parser.add_argument("--seconds", type=float, default=20, help="Of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--minutes", type=float, help="Of mixed load, without a comparison")
    parser.add_argument("--serve", default="", help="Options of thawline serve in one argument")
    given = parser.parse_args()
    reviews = [str(text).split() for text in load_data("thawline/reviews").train.texts]
    texts = [" ".join(words[:WORDS]) for words in reviews if len(words) >= WORDS]
    print(f"{len(texts)} texts of {WORDS} words; threads: {threads()}")
    port, options = free_port(), shlex.split(given.serve)
    own = Served.start("thawline", port, "thawline", "serve", str(given.run), *options)
    try:
        if given.minutes is not None:
            words = [word for text in texts for word in text.split()]
            show_mixed(MixedLoad(own, words), given.clients, given.minutes * 60)
        else:
            compare(own, given, texts)
    finally:
        own.process.terminate()
        own.process.wait()


def compare(own: Served, given: argparse.Namespace, texts: Sequence[str]) -> None:
    model = str(given.run / "model")
    plain = [
        Served.start(name, port, "benchmarks.serving_plain", model, *options)
        for name, port, options in (
            ("pipeline in threads", free_port(), ()),
            ("pipeline in the event loop", free_port(), ("--in-loop",)),
        )
    ]
    try:
        for clients in (1, given.clients):
            found: dict[str, list[Measured]] = {}
            for _ in range(given.rounds):
                for served in (own, *plain):
                    one = asyncio.run(measure(served, texts, clients, given.seconds))
                    found.setdefault(served.name, []).append(one)
            print(f"\n{clients} clients, medians of {given.rounds} rounds")
            for name, measured in found.items():
                print(f"  {name:27}{show(measured)}, {show_ratio(measured, found[own.name])}")
    finally:
        for served in plain:
            served.process.terminate()
            served.process.wait()


def show(measured: Sequence[Measured]) -> str:
    middle = [statistics.median(one.latencies) * 1000 for one in measured]
    last = [float(np.percentile(one.latencies, 99)) * 1000 for one in measured]
    rate = statistics.median(one.rate for one in measured)
    cpu = statistics.median(one.cpu / len(one.latencies) * 1000 for one in measured)
    return (
        f"p50 {statistics.median(middle):6.1f} ms, p99 {statistics.median(last):7.1f} ms, "
        f"{rate:6.1f} requests/s, {cpu:5.1f} CPU ms each"
    )


def show_ratio(measured: Sequence[Measured], own: Sequence[Measured]) -> str:
    pairs = list(zip(measured, own, strict=True))
    rates = [ours.rate / one.rate for one, ours in pairs]
    return f"thawline {statistics.median(rates):.2f} times ({min(rates):.2f} to {max(rates):.2f})"


def show_mixed(load: MixedLoad, clients: int, seconds: float) -> None:
    ready = asyncio.run(load.run(clients, seconds))
    for outcome, count in sorted(load.outcomes.items()):
        print(f"  {count:7,} {outcome}")
    sizes = [size for _, size in load.memory]
    step = max(1, len(sizes) // 10)
    print("memory in MiB:", ", ".join(f"{t:.0f} s {s:.0f}" for t, s in load.memory[::step]))
    third = len(sizes) // 3
    print(f"largest of each third: {[round(max(sizes[n * third :][:third])) for n in range(3)]}")
    print(f"ready after {ready:.3f} s")


if __name__ == "__main__":
    main()
