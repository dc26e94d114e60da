"""Compare all strategies on several data sets, and write docs/results.md from the results.

`make results` runs this from the root of the repository. It has three parts::

    python -m benchmarks.results run --data FOLDER --out COMPARISONS
    python -m benchmarks.results collect --data FOLDER --out COMPARISONS
    python -m benchmarks.results page

- ``run`` makes the comparisons in `COMPARISONS`, each by `thawline compare` in a process of its
  own. It takes many hours. A comparison that was stopped is continued, and a finished one only
  takes seconds.
- ``collect`` reads the folders of the comparisons, also of those that have not finished. For each
  one it writes a small file into ``benchmarks/results/strategies`` and a plot into ``docs/images``.
  The runs of an unfinished comparison are kept in an archive beside that file, so that ``run`` and
  ``collect`` continue it on any machine.
- ``page`` writes the tables of docs/results.md and the overview in README.md from these files.

Names of comparisons after the part select some of them.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "strategies"
IMAGES = ROOT / "docs" / "images"
PAGE, README = ROOT / "docs" / "results.md", ROOT / "README.md"

LADDER = (
    *("tfidf", "head", "head+tfidf", "last:1", "last:2", "lora", "lp+lora", "full", "tapt+full"),
)
"""The strategies of each comparison on a small part of a data set."""

WHOLE = (
    "head",
    "last:1 training.epochs=2",
    "full training.epochs=2",
    "tapt+full training.epochs=2 tapt.epochs=1 tapt.head_first_epochs=1",
)
"""The strategies on a whole data set. All but the exact fit of the head train two epochs.

One epoch of ``tapt`` reads about 72,000 texts, 20 times as many as in the other comparisons.
"""


class Planned(NamedTuple):
    """A comparison of docs/results.md.

    Attributes:
        name: The name of its folder, its results file and its plot.
        title: The heading on the page.
        data: The data set, and its options.
        options: The other options of `thawline compare`.
        rungs: The strategies, with their own settings.
        seeds: The number of seeds.
    """

    name: str
    title: str
    data: str
    options: str
    rungs: tuple[str, ...] = LADDER
    seeds: int = 3

    def words(
        self, rungs: Sequence[str] | None = None, seeds: Sequence[int] | None = None
    ) -> list[str]:
        """Return the words of the command after ``thawline``, without the folder.

        Args:
            rungs: Some of the strategies. If None, all.
            seeds: Some of the seeds. If None, all.
        """
        rungs = self.rungs if rungs is None else rungs
        chosen = [word for rung in rungs for word in ("-s", rung)]
        seed_words = ["--seeds", str(self.seeds)]
        if seeds is not None:
            seed_words = ["--set", f"seeds={list(seeds)}"]
        options = [*shlex.split(self.options), "--budget", "0", *seed_words]
        return ["compare", *shlex.split(self.data), *options, *chosen]

    def remaining(self, finished: Container[tuple[str, int]]) -> list[list[str]]:
        """Return the words of the commands for the runs that have not finished.

        Args:
            finished: The strategy and the seed of each finished run.
        """
        by_seeds: dict[tuple[int, ...], list[str]] = {}
        for rung in self.rungs:
            seeds = tuple(seed for seed in range(self.seeds) if (rung, seed) not in finished)
            by_seeds.setdefault(seeds, []).append(rung)
        by_seeds.pop((), None)
        if by_seeds == {tuple(range(self.seeds)): list(self.rungs)}:
            return [self.words()]
        return [self.words(rungs, seeds) for seeds, rungs in by_seeds.items()]

    def command(self) -> str:
        """Return the command as a user types it, without the folder."""
        return shlex.join(["thawline", *self.words()])


COMPARISONS = (
    Planned(
        name="emotion-minilm",
        title="Emotion with MiniLM",
        data="emotion --limit 4000,2000",
        options="--backbone minilm",
    ),
    Planned(
        name="sst2-minilm",
        title="SST-2 with MiniLM",
        data="sst2 --labels neg,pos --limit 4000,1821",
        options="--backbone minilm",
    ),
    Planned(
        name="imdb-qwen3-mini",
        title="IMDb with the packaged model",
        data="imdb --labels neg,pos --limit 4000,2000",
        options="--max-length 512",
    ),
    Planned(
        name="ag_news-minilm",
        title="AG News with MiniLM",
        data="ag_news --labels World,Sports,Business,Sci/Tech --limit 4000,7600",
        options="--backbone minilm",
    ),
    Planned(
        name="imdb-minilm",
        title="IMDb with MiniLM",
        data="imdb --labels neg,pos --limit 4000,2000",
        options="--backbone minilm --max-length 512",
    ),
    Planned(
        name="imdb-whole-minilm",
        title="The whole of IMDb with MiniLM",
        data="imdb --labels neg,pos",
        options="--backbone minilm --max-length 512 --unlabelled imdb/unsup.parquet",
        rungs=WHOLE,
        seeds=1,
    ),
)
"""All comparisons, in the order in which they run: from the cheapest to the most expensive."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("part", choices=["run", "collect", "page"], help="The part to run")
    names = [one.name for one in COMPARISONS]
    add(
        "names", nargs="*", metavar="NAME", help=f"Comparisons, of {', '.join(names)}. Default: all"
    )
    add("--data", type=Path, metavar="FOLDER",
        help="Folder with the data sets. Default: they are read from the hub, except the "
        "unlabelled texts in imdb/unsup.parquet")  # fmt: skip
    add("--out", type=Path, default=Path("runs/results"), metavar="FOLDER",
        help="Folder of the comparisons. Default: runs/results")  # fmt: skip
    add("--quiet-cores", action="store_true",
        help="State that nothing else used the cores while the comparisons ran")  # fmt: skip
    options = parser.parse_args(words)
    for name in options.names:
        if name not in names:
            parser.error(f"unknown comparison '{name}'. Choose from {', '.join(names)}.")
    return options


def run(one: Planned, data: Path | None, folder: Path, results: Path) -> bool:
    """Run or continue a comparison in processes of its own, and return whether it succeeded.

    Args:
        one: The comparison.
        data: The folder with the data sets. If None, they are read from the hub.
        folder: The folder of the comparison.
        results: The folder of the results files. Runs in the archive of the comparison there are
            not made again.
    """
    from benchmarks.results_archive import archive_of, archived_runs

    for words in one.remaining(archived_runs(one, archive_of(one, results))):
        command = [sys.executable, "-m", "thawline", *words, "--out", str(folder.absolute())]
        if subprocess.run(command, cwd=data, check=False).returncode:
            return False
    return True


def main(words: list[str] | None = None) -> None:
    """Run a part."""
    options = parse(words)
    selected = [one for one in COMPARISONS if not options.names or one.name in options.names]
    if options.part == "run":
        options.out.mkdir(parents=True, exist_ok=True)
        failed = [
            one.name
            for one in selected
            if not run(one, options.data, options.out / one.name, RESULTS)
        ]
        if failed:
            sys.exit(f"Not finished: {', '.join(failed)}. The same command continues them.")
    elif options.part == "collect":
        from benchmarks.results_collect import collect

        for one in selected:
            words_of_one = collect(
                one, options.out / one.name, RESULTS, IMAGES, options.quiet_cores, options.data
            )
            print(f"{one.name}: {words_of_one}")
    else:
        from benchmarks.results_page import write_pages

        write_pages(PAGE, README, COMPARISONS, RESULTS)


if __name__ == "__main__":
    main()
