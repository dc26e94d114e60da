"""Measure how seconds and memory grow with the number of texts, and how fast one prediction is.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.scaling --data thawline/reviews --labels neg,pos --base 400

It prints Markdown tables, writes ``--json`` and draws ``--plot``. ``--only`` measures some parts
and keeps the others of the file. ``--table`` only prints the tables of the file and draws the
picture. ``--table PAGE`` also writes the tables into a page, between the comments
``<!-- scaling -->`` and ``<!-- /scaling -->``.

The parts:

- ``sizes``: `thawline fit --strategy head` on 1, 4 and 16 times as many texts, each in a new
  process. It computes the states of all texts, writes them to an empty store and fits the head.
  Then this process reads all stored states, and a second fit of the same texts uses the store.
  Where the system can do so, the store's files are first removed from the page cache, so that
  they are read from the disk.
- ``startup``: the seconds of each command on a tiny run (`benchmarks.startup`).
- ``latency``: the seconds of one prediction and of batches in a process that is warm.

The larger sets contain no text twice, so that nothing is computed for two rows at once. Each
further copy of the texts joins the first half of one text to the second half of another, which
keeps the lengths. A fifth of the texts are the test split.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks import startup
from benchmarks.pages import write_table
from benchmarks.peers import SETTINGS
from benchmarks.scaling_report import Result, draw, table
from thawline.backbones.loading import load_backbone
from thawline.config import DEFAULT_MAX_LENGTH, ComputeConfig, DataConfig, TokensConfig
from thawline.prefix.frozen_pass import FrozenPass
from thawline.runtime.hardware import describe_machine, versions

RESULTS = Path(__file__).parent / "results" / "scaling.json"
PARTS = ("sizes", "startup", "latency")
TEST_SHARE = 0.2
BATCHES = (1, 8, 64, 512)
"""The numbers of texts in a call of `predict_proba`."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", help="A folder, a file, the name of a set or a hub id")
    add("--labels", help="Names of the labels, separated by commas")
    add("--backbone", default="minilm", help="A folder, a packaged name or a hub id")
    add("--base", type=int, default=2_000, help="Texts of the smallest set")
    add("--times", nargs="+", type=int, default=[1, 4, 16], help="Sizes, in multiples of --base")
    add("--max-length", type=int, default=DEFAULT_MAX_LENGTH, help="Maximum tokens in a text")
    add("--only", nargs="+", choices=PARTS, default=list(PARTS), help="Parts to measure")
    add("--repeats", type=int, default=3, help="Repeats of start-up; ten times as many predictions")
    add("--json", type=Path, metavar="FILE", default=RESULTS, help="File for the results")
    add("--plot", type=Path, metavar="FOLDER", help="Folder for the picture scaling.png")
    add("--table", nargs="?", const="", metavar="PAGE", help="Only print or write the tables")
    options = parser.parse_args(words)
    if options.data is None and options.table is None and set(options.only) != {"startup"}:
        parser.error("--data is required, unless --table is given")
    return options


def altered(texts: Sequence[str], times: int, seed: int = 0) -> list[str]:
    """Return the texts and copies of them that join halves of two texts.

    The first half is from the text in the same place, so that its label is likely to be right.

    Args:
        texts: Distinct texts.
        times: How many times as many texts are returned.
        seed: The random seed of the pairs.
    """
    order = np.random.default_rng(seed).permutation(len(texts))
    rank = np.argsort(order)
    words = [text.split() for text in texts]
    found = dict.fromkeys(texts)  # a dict keeps the order
    for copy in range(1, times):
        for place, own in enumerate(words):
            other = words[order[(rank[place] + copy) % len(words)]]
            text = " ".join([*own[: len(own) // 2], *other[len(other) // 2 :]])
            while text in found:
                text = f"{copy} {text}"
            found[text] = None
    return list(found)


def write_set(texts: Sequence[str], labels: Sequence[int], folder: Path) -> None:
    """Write texts as the Parquet files of a train and a test split. Their order is random."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    order = np.random.default_rng(0).permutation(len(texts))
    cut = round(TEST_SHARE * len(texts))
    for name, places in (("test", order[:cut]), ("train", order[cut:])):
        columns = {
            "text": [texts[place] for place in places],
            "label": [int(labels[place]) for place in places],
        }
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")


def run_fit(words: list[str], home: Path) -> Result:
    """Run `thawline` in a new process and return the parts of its record that are kept.

    Raises:
        SystemExit: If the process fails.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "thawline", *words],
        env=os.environ | {"THAWLINE_HOME": str(home), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"thawline fit failed:\n{done.stderr}")
    record = json.loads(done.stdout)
    return {
        "process_seconds": seconds,
        "seconds": record["seconds"],
        "texts_computed": record["prefix"]["texts"],
        "tokens_computed": record["prefix"]["tokens"],
        "texts_from_store": record["prefix"]["from_store"],
        "peak_memory_bytes": record["peak_memory_bytes"],
        "accuracy": record["test"]["accuracy"],
    }


def drop_from_page_cache(folder: Path) -> bool:
    """Remove all files of a folder from the page cache.

    Returns:
        Whether the operating system supports this.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def read_states(options: argparse.Namespace, texts: Sequence[str], home: Path) -> Result:
    """Read the stored states of all stages of all texts from the disk, in this process.

    Returns:
        The seconds and whether the files were removed from the page cache before.

    Raises:
        SystemExit: If the store lacks the states of a text.
    """
    frozen_pass = FrozenPass(
        load_backbone(options.backbone),
        max_length=options.max_length,
        truncation_side=TokensConfig().truncation_side,
        compute=ComputeConfig(),
    )
    with patch.dict(os.environ, THAWLINE_HOME=str(home)):
        from_disk = drop_from_page_cache(home)
        start = time.perf_counter()
        entry = frozen_pass.open_entry()
        if entry.missing(texts):
            sys.exit("The store lacks states that `thawline fit` should have written.")
        stages = range(frozen_pass.backbone.stack.depth + 1)
        rows = sum(len(block) for block in entry.features(texts, stages, "mean").blocks(1_024))
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "rows": rows, "from_disk": from_disk}


def measure_sizes(options: argparse.Namespace, scratch: Path) -> list[Result]:
    """Fit each size with an empty and with a filled store.

    Args:
        options: The arguments.
        scratch: A folder, in which the first run, ``run-1``, stays.
    """
    texts, labels = base_texts(options)
    found: list[Result] = []
    for times in options.times:
        many = altered(texts, times)
        data, home = scratch / f"set-{times}", scratch / f"home-{times}"
        write_set(many, [*labels] * times, data)
        words = ["fit", "--json", "--data", str(data), "--backbone", options.backbone]
        words += ["--strategy", "head", "--max-length", str(options.max_length)]
        words += ["--labels", options.labels] if options.labels else []
        first = run_fit([*words, "--out", str(scratch / f"run-{times}")], home)
        stored = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
        read = read_states(options, many, home)
        drop_from_page_cache(home)
        again = run_fit([*words, "--out", str(scratch / f"again-{times}")], home)
        found.append(
            {
                "times": times,
                "texts": len(many),
                "distinct_texts": len(set(many)),
                "first": first,
                "read": read,
                "again": again,
                "store_bytes": stored,
            }
        )
        print(f"{len(many):,} texts: {first['process_seconds']:.1f} s", file=sys.stderr, flush=True)
    return found


def base_texts(options: argparse.Namespace) -> tuple[list[str], list[int]]:
    """Return the texts of the smallest set, which are all different, and their labels."""
    from thawline.data import load

    names = tuple(options.labels.split(",")) if options.labels else None
    train = load(DataConfig(data=options.data, labels=names)).train
    pairs = zip(train.texts, train.labels, strict=True)
    distinct = list({str(text): int(label) for text, label in pairs}.items())
    order = np.random.default_rng(0).permutation(len(distinct))[: options.base]
    if len(order) < options.base:
        sys.exit(f"'{options.data}' has only {len(order):,} different texts for train.")
    return [distinct[place][0] for place in order], [distinct[place][1] for place in order]


def measure_latency(options: argparse.Namespace, scratch: Path) -> list[Result]:
    """Time `predict_proba` in this process, on batches of several sizes.

    The classifier is the run of the part ``sizes`` on the smallest set, or a new one.
    """
    from thawline import TextClassifier

    run = scratch / "run-1"
    if not run.exists():
        small = argparse.Namespace(**{**vars(options), "times": [1]})
        measure_sizes(small, scratch)
    classifier = TextClassifier.load(run)
    texts = altered(base_texts(options)[0], 1 + max(BATCHES) // options.base)
    found: list[Result] = []
    for size in BATCHES:
        repeats = max(10 * options.repeats // max(size // 8, 1), 3)
        seconds = []
        for repeat in range(repeats + 1):
            batch = [texts[(repeat * size + place) % len(texts)] for place in range(size)]
            start = time.perf_counter()
            classifier.predict_proba(batch)
            seconds.append(time.perf_counter() - start)
        warm = seconds[1:]  # the first call prepares kernels
        found.append({"texts": size, "seconds": median(warm), "slowest": max(warm)})
    return found


def measure(options: argparse.Namespace, words: list[str]) -> Result:
    """Measure the parts and return them with the parts of the file that are not measured."""
    whole: Result = read(options.json)
    shown = [re.sub(r"^/.*/", "", word) for word in words]
    context = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "benchmarks.scaling", *shown]),
        "backbone": options.backbone,
        "max_length": options.max_length,
        "environment": {name: os.environ[name] for name in SETTINGS if name in os.environ},
        "versions": versions(),
        "hardware": describe_machine(),
    }
    with tempfile.TemporaryDirectory(prefix="scaling_") as folder:
        scratch = Path(folder)
        for part in options.only:
            if part == "sizes":
                results: Any = measure_sizes(options, scratch)
            elif part == "latency":
                results = measure_latency(options, scratch)
            else:
                (scratch / "startup").mkdir()
                names = tuple(startup.COMMANDS)
                times = startup.measure(names, options.repeats, scratch / "startup")
                results = {name: one.to_dict() for name, one in times.items()}
            whole[part] = context | {"results": results}
            write(options.json, whole)
    return whole


def read(path: Path) -> Result:
    """Return the parts of a results file. A file that does not exist has none."""
    if not path.exists():
        return {}
    whole: Result = json.loads(path.read_text(encoding="utf-8"))
    return whole


def write(path: Path, whole: Result) -> None:
    """Write the parts to the results file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def main(words: list[str] | None = None) -> None:
    """Measure the parts, print the tables and draw the picture."""
    given = sys.argv[1:] if words is None else words
    options = parse(given)
    whole = measure(options, given) if options.table is None else read(options.json)
    text = table(whole)
    print(text)
    if options.table:
        write_table(Path(options.table), "scaling", text)
    if options.plot is not None and "sizes" in whole:
        draw(whole, options.plot)


if __name__ == "__main__":
    main()
