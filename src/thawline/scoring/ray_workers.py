"""The parts of a scoring job that run on the machines of a Ray cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from thawline.config import ScoreConfig
from thawline.data.sources.files import DataFile
from thawline.runtime.progress import Reporter
from thawline.scoring.blocks import from_bytes, to_bytes
from thawline.scoring.columns import check_reader
from thawline.scoring.job import ScoringJob
from thawline.scoring.places import open_folder
from thawline.scoring.readers import open_reader
from thawline.scoring.writers import lacks_columns, open_format

Folder = Mapping[str, Any]
"""The bytes of each file of an artifact, by its name."""


@dataclass(frozen=True)
class Work:
    """What every process of the cluster needs to know.

    Attributes:
        names: The names of the classifiers.
        folders: A reference to the files of their artifacts.
        config: The settings.
        output: The path or the URL of the folder of the parts.
        suffix: The suffix of the parts, which selects their format.
        threads: The number of threads of an actor.
        added: The names of the columns that are added.
        pairs: Whether the classifiers read pairs of texts.
    """

    names: Sequence[str]
    folders: Any
    config: ScoreConfig
    output: str
    suffix: str
    threads: int
    added: Sequence[str]
    pairs: bool


class Rows(Datasource):
    """The blocks of several files. Each is one row of Ray's data: its place and its content.

    Args:
        files: The files.
        work: What the processes need to know.
        done: The names of the parts that exist.

    Attributes:
        files: The files.
    """

    def __init__(self, files: Sequence[DataFile], work: Work, done: frozenset[str]) -> None:
        super().__init__()
        self.files, self._work, self._done = files, work, done

    def estimate_inmemory_data_size(self) -> int | None:
        """Return that the size is unknown."""
        return None

    def get_read_tasks(self, parallelism: int, **_: Any) -> list[Any]:
        """Return a task for each file."""
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [
            ReadTask(_reading(file, number, self._work, self._done), unknown)
            for number, file in enumerate(self.files)
        ]


def _reading(
    file: DataFile, number: int, work: Work, done: frozenset[str]
) -> Callable[[], Iterator[pa.Table]]:
    """Return a function that yields the blocks of a file that are not done."""

    def read() -> Iterator[pa.Table]:
        reader = open_reader(file, work.config.text)
        check_reader(reader, work.added, pairs=work.pairs)
        form = open_format(f"part{work.suffix}", safe=work.config.safe_csv)
        for position, block in enumerate(reader.blocks(work.config.rows_per_block)):
            name = f"part-{number:06d}-{position:08d}-{len(block)}{work.suffix}"
            if name not in done and not lacks_columns(block, form):
                yield pa.table(
                    {
                        "name": [name],
                        "columns": [json.dumps(reader.columns)],
                        "content": pa.array([to_bytes(block)], pa.large_binary()),
                    }
                )

    return read


class Actor:
    """Scores blocks with a copy of the classifiers, and writes each as a part.

    Args:
        work: What the process needs to know.
    """

    def __init__(self, work: Work) -> None:
        _limit_threads(work.threads)
        config = work.config
        if config.device == "auto":
            config = replace(config, device="cuda" if ray.get_gpu_ids() else "cpu")
        with TemporaryDirectory() as place:
            runs = []
            for name, files in zip(work.names, ray.get(work.folders), strict=True):
                runs.append(Path(place, name))
                for file, content in files.items():
                    (runs[-1] / file).parent.mkdir(parents=True, exist_ok=True)
                    (runs[-1] / file).write_bytes(content)
            self._job = ScoringJob(runs, config, Reporter())
        self._form = open_format(f"part{work.suffix}", safe=config.safe_csv)
        self._place = open_folder(work.output)

    def __call__(self, batch: pa.Table) -> dict[str, Any]:
        """Score one block.

        Args:
            batch: A row of `Rows`.

        Returns:
            The name of the part, its rows, and the number of those without a text.
        """
        (row,) = batch.to_pylist()
        block = from_bytes(row["content"])
        content, missing = self._job.encode(
            block, json.loads(row["columns"]), self._form, first=True
        )
        self._place.write_part(row["name"], content)
        return {
            "name": np.array([row["name"]]),
            "rows": np.array([len(block)]),
            "without_text": np.array([missing]),
        }


def _limit_threads(threads: int) -> None:
    """Let every library of this process compute with a number of threads."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(threads)  # for the libraries that are not loaded yet
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)
    pa.set_cpu_count(threads)


def read_folder(folder: Path) -> Folder:
    """Return the files of an artifact."""
    return {
        path.relative_to(folder).as_posix(): np.fromfile(path, np.uint8)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
