"""Sample the packaged data set ``thawline/reviews`` from the complete IMDb data set.

Run it from the root of the repository::

    python examples/reviews/make_slice.py IMDB_FOLDER src/thawline/embedded/reviews

``IMDB_FOLDER`` contains ``train.parquet`` and ``test.parquet`` with the columns ``text`` and
``label``.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 42
TRAIN_ROWS, TEST_ROWS = 4_000, 2_000
SOURCE = (
    "Slice of the Large Movie Review Dataset v1.0 (Maas et al., Learning Word Vectors for "
    "Sentiment Analysis, ACL 2011); for research use, cite the paper."
)
SCHEMA = pa.schema([pa.field("text", pa.string()), pa.field("label", pa.int8())])


def sample_rows(frame: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return ``rows`` distinct texts in random order, with the same number of each label.

    Args:
        frame: A data frame with the columns ``text`` and ``label``.
        rows: The number of rows to sample, a multiple of the number of labels.
        rng: The random number generator.

    Raises:
        ValueError: If a label has too few distinct texts, or ``rows`` is not such a multiple.
    """
    distinct = frame.drop_duplicates("text")
    each, rest = divmod(rows, distinct["label"].nunique())
    if rest:
        raise ValueError(f"{rows} rows cannot be shared equally among the labels")
    chosen = distinct.groupby("label").sample(each, random_state=rng)
    return chosen.sample(frac=1, random_state=rng)[["text", "label"]]


def write(frame: pd.DataFrame, path: Path, origin: Path) -> None:
    """Write a data frame as one zstd-compressed row group, with its source in the metadata."""
    digest = hashlib.sha256(origin.read_bytes()).hexdigest()
    notes = {"source": SOURCE, "drawn_from": f"{origin.name}, sha256 {digest}", "seed": str(SEED)}
    table = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)
    # Texts do not repeat, so a dictionary would waste space. One large page compresses best.
    pq.write_table(
        table.replace_schema_metadata(notes),
        path,
        compression="zstd",
        compression_level=22,
        use_dictionary=False,
        data_page_size=64 * 2**20,
        write_statistics=False,
    )


def make_slice(
    whole: Path, out: Path, train_rows: int = TRAIN_ROWS, test_rows: int = TEST_ROWS
) -> None:
    """Sample both splits. No training text occurs in the complete test split.

    Args:
        whole: The folder of the complete data set.
        out: The folder to write ``train.parquet`` and ``test.parquet`` into.
        train_rows: The number of training rows.
        test_rows: The number of test rows.
    """
    train, test = (pd.read_parquet(whole / f"{split}.parquet") for split in ("train", "test"))
    rng = np.random.default_rng(SEED)
    unseen = train[~train["text"].isin(test["text"])]
    out.mkdir(parents=True, exist_ok=True)
    for split, frame, rows in (("train", unseen, train_rows), ("test", test, test_rows)):
        write(sample_rows(frame, rows, rng), out / f"{split}.parquet", whole / f"{split}.parquet")


def main() -> None:
    """Make the sample from the command line and print the size of each file in bytes."""
    parser = argparse.ArgumentParser(description="Sample thawline/reviews from IMDb.")
    parser.add_argument("whole", type=Path, help="folder with train.parquet and test.parquet")
    parser.add_argument("out", type=Path, help="folder to write the sample into")
    parser.add_argument("--train", type=int, default=TRAIN_ROWS, help="number of training rows")
    parser.add_argument("--test", type=int, default=TEST_ROWS, help="number of test rows")
    arguments = parser.parse_args()
    make_slice(arguments.whole, arguments.out, arguments.train, arguments.test)
    for path in sorted(arguments.out.glob("*.parquet")):
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
