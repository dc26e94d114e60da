"""Score files: read blocks, classify them, keep each as a part, and join the parts at the end.

A part is complete or does not exist, so that a stopped job continues with the next part. No row
is scored twice or lost, and the output is the same as that of a job that was never stopped.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thawline import artifact
from thawline.config import ComputeConfig, ScoreConfig
from thawline.data.sources.files import DataFile
from thawline.data.texts import check_same_kind
from thawline.errors import ThawlineError
from thawline.inference.packing import for_inference
from thawline.inference.shared import SharedPredictor
from thawline.runs.layout import SETTINGS, find
from thawline.runtime.progress import Reporter
from thawline.scoring.blocks import Block
from thawline.scoring.columns import Scorer, check_reader
from thawline.scoring.places import Place, open_place
from thawline.scoring.readers import Reader, open_reader
from thawline.scoring.writers import Format, lacks_columns, open_format

_VERSION = 1
"""Part of the state of the parts. It changes whenever the same input would give other parts."""


ELSEWHERE = ("device", "ray")
"""The settings that select where to compute. They do not change the output."""


@dataclass(frozen=True)
class Scored:
    """The result of a job.

    Attributes:
        output: The path or the URL of the output.
        rows: The number of rows of the output.
        kept: The number of those that an earlier, stopped job had scored.
        without_text: The number of the rows scored now that have no text and thus no prediction.
        seconds: The duration in seconds, without loading the classifiers.
    """

    output: str
    rows: int
    kept: int
    without_text: int
    seconds: float


class ScoringJob:
    """Scores files with one or several saved classifiers, which are loaded once.

    Args:
        runs: The folders of runs or of saved classifiers.
        config: The settings.
        reporter: Receives messages and progress.

    Attributes:
        predictor: Computes the logits of all classifiers.
        added: The names of the columns that are added.
        pairs: Whether the classifiers read pairs of texts.

    Raises:
        ThawlineError: If a classifier cannot be loaded, or if some were trained on pairs and others
            on single texts.
    """

    def __init__(self, runs: Sequence[Path], config: ScoreConfig, reporter: Reporter) -> None:
        folders = [find(run) for run in runs]
        self._config, self._reporter = config, reporter
        self._digests = [_file_digest(folder / SETTINGS) for folder in folders]
        classifiers = [artifact.load(folder) for folder in folders]
        check_same_kind([fitted.pairs for fitted in classifiers])
        compute = ComputeConfig(device=config.device, dtype=config.dtype)
        names = [run.resolve().name for run in runs]
        if len({*names}) < len(names):
            raise ThawlineError(
                "runs in folders with different names, with which the added columns begin",
                f"the name '{max(names, key=names.count)}' twice",
                "rename or copy one of the folders",
            )
        packed = [for_inference(fitted, compute) for fitted in classifiers]
        self.predictor = SharedPredictor(packed, compute)
        self._scorer = Scorer(self.predictor, classifiers, names, config.top)
        self.added, self.pairs = self._scorer.names(), self._scorer.pairs

    def open(self, file: DataFile) -> Reader:
        """Open a file and check that its rows can be scored.

        Args:
            file: The file.

        Raises:
            ThawlineError: If it cannot be read, if it has no text column, if its texts are not of
                the kind of the classifiers, or if the name of an added column is taken.
        """
        reader = open_reader(file, self._config.text)
        check_reader(reader, self.added, pairs=self.pairs)
        return reader

    def encode(
        self, block: Block, columns: Sequence[Sequence[str]], form: Format, *, first: bool
    ) -> tuple[bytes, int]:
        """Score a block.

        Args:
            block: The rows.
            columns: The columns of the texts, from the reader.
            form: The format.
            first: Whether it is the first part of the output.

        Returns:
            The part of the output, and the number of rows without a text.
        """
        added, missing = self._scorer.score(block, columns)
        return form.encode(block, added, first=first), missing

    def score(self, reader: Reader, output: Path | str) -> Scored:
        """Score a file into a new file. A job that fails before its first part leaves nothing.

        Args:
            reader: The file, from `open`.
            output: The path or the URL of the output. Its suffix selects the format.

        Raises:
            ThawlineError: If the output exists, if its parts were made from another input or with
                other settings, if the columns of the output are unknown, or if a row is invalid.
                Parts that are complete are kept.
            OSError: If the output cannot be written.
        """
        place, start = open_place(output), time.perf_counter()
        form = open_format(place.name, safe=self._config.safe_csv)
        place.check_new()
        with place.working(), nothing_left(place, place.complete_parts):
            done = place.complete_parts()
            self.check_state(place, reader.file.fingerprint(), is_new=not done)
            kept = sum(map(_rows_of, done))
            if done:
                self._reporter.message(f"resuming after {kept:,} scored rows of '{place.name}'")
            rows = without_text = 0
            blocks = self._blocks(reader, form, len(done))
            # An error in the first block, or an input without rows, shows no progress.
            first = list(itertools.islice(blocks, 1))
            shown = self._reporter if any(map(len, first)) else Reporter()
            with shown.task("scoring", max(kept, reader.estimate_rows())) as advance:
                advance(kept)
                for block in itertools.chain(first, blocks):
                    content, missing = self.encode(block, reader.columns, form, first=not done)
                    done.append(f"{len(done):08d}-{len(block)}")
                    place.write_part(done[-1], content)
                    rows, without_text = rows + len(block), without_text + missing
                    speed = rows / (time.perf_counter() - start)
                    advance(len(block), f"{speed:,.0f} texts/s")
            place.write_output(lambda stream: form.join(place.openers(done), stream))
        place.remove_parts()
        if not kept + rows:
            self._report_no_rows(reader)
        return Scored(place.shown, kept + rows, kept, without_text, time.perf_counter() - start)

    def stream(self, reader: Reader, form: Format, write: Callable[[bytes], object]) -> int:
        """Score a file and pass each encoded block to a function; nothing is kept.

        Args:
            reader: The file, from `open`.
            form: The format.
            write: Receives the bytes of each block.

        Returns:
            The number of rows without a text.

        Raises:
            ThawlineError: If the columns of the output are unknown, or if a row is invalid.
        """
        rows = without_text = 0
        for number, block in enumerate(self._blocks(reader, form)):
            content, missing = self.encode(block, reader.columns, form, first=number == 0)
            write(content)
            rows, without_text = rows + len(block), without_text + missing
        if not rows:
            self._report_no_rows(reader)
        return without_text

    def _report_no_rows(self, reader: Reader) -> None:
        self._reporter.message(f"no rows in {reader.file.where}, so the output has none")

    def _blocks(self, reader: Reader, form: Format, skip: int = 0) -> Iterator[Block]:
        """Yield the blocks of a file.

        Raises:
            ThawlineError: If the file is empty, without a header, and the output has columns.
        """
        for block in reader.blocks(self._config.rows_per_block, skip):
            if lacks_columns(block, form):
                raise ThawlineError(
                    f"a header or a row in {reader.file.where}, for an output with columns",
                    "neither",
                    "give another input, or write the output as .jsonl",
                    setting="input",
                )
            yield block

    def check_state(self, place: Place, inputs: Sequence[str | int], *, is_new: bool) -> None:
        """Write what the parts are made from, or check that existing ones fit.

        Args:
            place: The place of the parts.
            inputs: Values that change if the input changes.
            is_new: Whether there is no part yet.

        Raises:
            ThawlineError: If they were made from another input or with other settings.
        """
        settings = self._config.to_dict()
        state = {
            "version": _VERSION,
            "input": list(inputs),
            "output": place.name,
            "classifiers": self._digests,
            "settings": {name: value for name, value in settings.items() if name not in ELSEWHERE},
        }
        found = None if is_new else place.read_state()
        if found is None:
            place.write_state(state)
        elif found != state:
            changed = [name for name in state if not _has_same(found, state, name)]
            raise ThawlineError(
                "the input, the classifiers and the settings that the parts in "
                f"'{place.parts_shown}' were made from",
                f"another {', '.join(changed)}",
                "repeat the first command, or delete this folder to start again",
            )


@contextmanager
def nothing_left(place: Place, parts: Callable[[], Collection[str]]) -> Iterator[None]:
    """Remove the state of the parts if the ``with`` block fails before there is a part.

    Args:
        place: The place of the parts.
        parts: Returns the names of the parts that exist.
    """
    try:
        yield
    except BaseException:
        with suppress(OSError, ThawlineError):
            if not parts():
                place.end()
        raise


def _rows_of(part: str) -> int:
    return int(part.partition("-")[2])


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _has_same(found: Any, state: dict[str, Any], name: str) -> bool:
    return isinstance(found, dict) and found.get(name) == state[name]
