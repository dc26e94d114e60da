"""Draw the slice of IMDb that comes with the package, as ``thawline/reviews``, from the whole set.

Run it from the repository's root::

    python examples/reviews/make_slice.py FOLDER_OF_THE_WHOLE_SET src/thawline/embedded/reviews

The whole set is a folder with ``train.parquet`` and ``test.parquet``, columns ``text`` and
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


def draw(frame: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return ``rows`` distinct texts in random order, the same number of each label.

    Args:
        frame: columns ``text`` and ``label``.
        rows: how many rows to draw; a multiple of the number of labels.
        rng: where the randomness comes from.

    Raises:
        ValueError: a label has too few distinct texts.
    """
    distinct = frame.drop_duplicates("text")
    each, rest = divmod(rows, distinct["label"].nunique())
    if rest:
        raise ValueError(f"{rows} rows cannot be shared equally among the labels")
    chosen = distinct.groupby("label").sample(each, random_state=rng)
    return chosen.sample(frac=1, random_state=rng)[["text", "label"]]


def write(frame: pd.DataFrame, path: Path, origin: Path) -> None:
    """Write ``frame`` as one zstd-compressed row group that says where it comes from."""
    digest = hashlib.sha256(origin.read_bytes()).hexdigest()
    note = {"source": SOURCE, "drawn_from": f"{origin.name}, sha256 {digest}", "seed": str(SEED)}
    table = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)
    # Texts do not repeat, so a dictionary only costs room; one large page compresses best.
    pq.write_table(
        table.replace_schema_metadata(note),
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
    """Draw both splits; no text of train stands anywhere in the whole test split."""
    train, test = (pd.read_parquet(whole / f"{split}.parquet") for split in ("train", "test"))
    rng = np.random.default_rng(SEED)
    unseen = train[~train["text"].isin(test["text"])]
    out.mkdir(parents=True, exist_ok=True)
    for split, frame, rows in (("train", unseen, train_rows), ("test", test, test_rows)):
        write(draw(frame, rows, rng), out / f"{split}.parquet", whole / f"{split}.parquet")


def main() -> None:
    """Read the arguments, draw the slice and print the bytes of each file."""
    parser = argparse.ArgumentParser(description="Draw the slice of IMDb kept in this repository.")
    parser.add_argument("whole", type=Path, help="folder with the whole train and test.parquet")
    parser.add_argument("out", type=Path, help="folder to write the slice into")
    parser.add_argument("--train", type=int, default=TRAIN_ROWS, help="rows of train")
    parser.add_argument("--test", type=int, default=TEST_ROWS, help="rows of test")
    arguments = parser.parse_args()
    make_slice(arguments.whole, arguments.out, arguments.train, arguments.test)
    for path in sorted(arguments.out.glob("*.parquet")):
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
