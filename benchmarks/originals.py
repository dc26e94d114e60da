"""Run the jobs of the five original tutorials, with their own settings and with better ones.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.originals --data imdb --runs runs/originals \
        --json benchmarks/results/originals.json --plot docs/images
    python -m benchmarks.originals --json benchmarks/results/originals.json --update docs/tutorials

The first command runs every job in a process of its own, one after the other, on the small run of
4,000 training and 2,000 test reviews. Jobs that the results file already has are skipped, and a job
that was interrupted is resumed from its run. ``--whole`` runs all 25,000 and 25,000 reviews,
``--long`` adds the ten epochs of LoRA, and ``--only distilbert_head`` runs the jobs of one
tutorial. With network access, ``--backbone distilbert-base-uncased`` runs the tutorials' own
backbone; the committed results are those of MiniLM. The second command writes the tables of the
tutorial pages from the results file.

It needs IMDb, as a local copy or from the hub. All jobs share one store, ``THAWLINE_HOME``. The
seconds in the results are those of a job that runs alone with an empty store, as the record of each
run computes them. The fourth tutorial is measured by `benchmarks.transfer`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import originals_report
from thawline.runtime import hardware

Result = dict[str, Any]

EMBEDDED = "thawline/qwen3-mini"
STANDIN = "minilm"
"""The backbone in place of DistilBERT, whose weights are not available as a package."""

TUTORIAL_MLP = "--head mlp:64 --no-standardise --epochs 3 --batch-size 16 --lr 1e-4"
LAST = "--strategy last:1 --epochs 3 --batch-size 16"
LORA = "--strategy lora:r=4,alpha=32,dropout=0.1 --truncation-side left --lr 1e-3"

JOBS: dict[str, dict[str, str]] = {
    "qwen3_from_scratch": {
        "as in the tutorial: MLP head, first token": f"{TUTORIAL_MLP} --pooling first",
        "MLP head, mean of the tokens": f"{TUTORIAL_MLP} --pooling mean",
        "MLP head, standardised, 10 epochs at 1e-3": "--head mlp:64 --epochs 10 --lr 1e-3",
        "linear head on all stages, exact": "--features layers",
        "last block, 3 epochs": "--strategy last:1",
    },
    "distilbert_head": {
        "as in the tutorial: native head, 3 epochs": "--head native --epochs 3 --batch-size 16",
        "native head, 3 epochs at 3e-2": "--head native --epochs 3 --batch-size 16 --lr 3e-2",
        "linear head, mean of the tokens, 3 epochs": "--epochs 3",
        "linear head, exact, stage chosen on validation": "",
        "linear head on all stages, exact": "--features layers",
    },
    "distilbert_last_block": {
        "as in the tutorial: native head, 3 epochs at 2e-5": f"{LAST} --head native --lr 2e-5",
        "native head, 3 epochs at 1e-3": f"{LAST} --head native --lr 1e-3",
        "linear head, mean of the tokens, 3 epochs at 1e-3": f"{LAST} --lr 1e-3",
    },
    "distilbert_lora": {
        "native head, 3 epochs at 2e-3, right truncation": "--strategy lora --head native "
        "--epochs 3 --batch-size 16 --lr 2e-3 --set training.keep=last",
        "4 epochs": f"{LORA} --epochs 4 --set training.patience=3",
        "10 epochs with patience 3": f"{LORA} --epochs 10 --set training.patience=3",
    },
}
"""The options of each job, by the folder of the example and by the name of the job."""

LONG = ("10 epochs with patience 3",)
"""Jobs that take half an hour on two cores. They run only with ``--long``."""

KEPT = (
    *("backbone", "strategy", "line", "head", "pooling", "features", "max_length", "epochs"),
    *("lr", "parameters", "history", "kept", "cost", "peak_memory_bytes"),
)
"""The fields of a run's record that the results include."""

SCORES = ("rows", "accuracy", "f1_macro", "f1_weighted", "loss", "calibration_error")
"""The scores that the results include for each part."""


class Job(NamedTuple):
    """One fit.

    Attributes:
        original: The folder of the example, a key of `JOBS`.
        name: The name of the job in the tables.
        words: The arguments of ``thawline``, without ``--out``.
    """

    original: str
    name: str
    words: list[str]

    @property
    def command(self) -> str:
        """The command as a user writes it. It identifies the job in the results file."""
        return shlex.join(["thawline", *self.words])


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", default="imdb", help="IMDb: a folder, a file, the name of a set or a hub id")
    add("--labels", default="neg,pos", help="Names of the labels, separated by commas")
    add("--limit", default="4000,2000", metavar="N,M", help="Numbers of train and test rows")
    add("--whole", action="store_true", help="Use all rows instead of --limit")
    add("--backbone", default=STANDIN, help="Backbone of the three tutorials on DistilBERT")
    add("--only", nargs="+", default=list(JOBS), choices=list(JOBS), help="Tutorials")
    add("--long", action="store_true", help="Also run the jobs that take half an hour")
    add("--runs", type=Path, default=Path("runs/originals"), help="Folder of the runs")
    add("--json", type=Path, required=True, metavar="FILE", help="File of the results")
    add("--plot", type=Path, metavar="FOLDER", help="Folder for the pictures")
    add(
        "--update",
        type=Path,
        metavar="FOLDER",
        help="Run nothing, and write the tables of the pages in this folder from the results",
    )
    return parser.parse_args(words)


def jobs(options: argparse.Namespace) -> list[Job]:
    """Return the jobs in the order in which they run."""
    listed: list[Job] = []
    for original in options.only:
        backbone = EMBEDDED if original == "qwen3_from_scratch" else options.backbone
        for name, own in JOBS[original].items():
            if name in LONG and not options.long:
                continue
            words = ["fit", "--data", options.data, "--labels", options.labels]
            words += [] if options.whole else ["--limit", options.limit]
            listed.append(Job(original, name, [*words, "--backbone", backbone, *shlex.split(own)]))
    return listed


def run(job: Job, folder: Path) -> Result:
    """Run a job in a process of its own, or resume it, and return its result.

    Args:
        job: The job.
        folder: The folder of the run. It is kept if the job fails.
    """
    print(f"{job.original}: {job.name} …", file=sys.stderr, flush=True)
    words = [*job.words, "--out", str(folder), "--resume", "--json"]
    finished = subprocess.run(
        [sys.executable, "-m", "thawline", *words], stdout=subprocess.PIPE, check=False
    )
    if finished.returncode:
        sys.exit(f"'{job.name}' failed with exit code {finished.returncode}. See its error above.")
    record = json.loads(finished.stdout)
    return {
        "original": job.original,
        "name": job.name,
        "command": job.command,
        "measured": datetime.now(UTC).date().isoformat(),
        "hardware": hardware.describe_machine(),
        "versions": hardware.versions(),
        "record": {key: record[key] for key in KEPT}
        | {
            part: {score: record[part][score] for score in SCORES}
            for part in ("baseline", "validation", "test")
        },
    }


def read(file: Path) -> list[Result]:
    """Return the results of the file, or an empty list if it does not exist."""
    return json.loads(file.read_text(encoding="utf-8"))["results"] if file.is_file() else []


def main(words: list[str] | None = None) -> None:
    """Run the jobs that have no result yet, or update the pages."""
    options = parse(words)
    results = read(options.json)
    if options.update is not None:
        for page in originals_report.update(options.update, results):
            print(page)
        return
    for job in jobs(options):
        if any(found["command"] == job.command for found in results):
            continue
        size = "whole" if options.whole else options.limit
        slug = "".join(letter if letter.isalnum() else "-" for letter in f"{job.name} {size}")
        results.append(run(job, options.runs / job.original / slug))
        options.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"results": results}, indent=1, ensure_ascii=False) + "\n"
        options.json.write_text(text, encoding="utf-8")
    for original in options.only:
        print(f"\n{original}\n{originals_report.table(original, results)}")
    if options.plot is not None:
        originals_report.draw(results, options.plot)


if __name__ == "__main__":
    main()
