"""The settings of the data: where the texts come from, how they are read and inspected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from thawline.config.help import Help
from thawline.config.ranges import Count, Seed, Share

SMALL_RUN = (4_000, 2_000)
"""Numbers of training and test rows in the small run of the original tutorials (``--small``)."""

ROW_SEED = 42
"""The seed that selects rows. It differs from ``--seed``, so that all runs have the same splits."""

DEFAULT_MAX_LENGTH = 512
"""Default of the maximum number of tokens per text."""

FAMILY_MAX_LENGTHS = {"thawline-glove": 256}
"""Other defaults by model type, because an epoch over long texts is slow on a CPU."""

_TOKENIZER = "the tokenizer's own setting"

TextColumn = Annotated[
    str | None,
    Help(
        "Name of the text column. `title+content` joins two columns with a space, and "
        "`premise,hypothesis` names the two columns of text pairs.",
        "a column with a common name such as `text` or `review`",
        metavar="COLUMN",
    ),
]
MaxLength = Annotated[
    int | None,
    Help(
        "Maximum number of tokens per text. Longer texts are truncated.",
        f"{DEFAULT_MAX_LENGTH}, {FAMILY_MAX_LENGTHS['thawline-glove']} for `glove`, or the "
        "model's limit if that is lower",
        metavar="TOKENS",
    ),
]
LIMIT_HELP = Help(
    "Number of training rows, including those that are held out for validation, and of test "
    "rows to sample.",
    "all rows",
    metavar="N,M",
)


@dataclass(frozen=True)
class DataConfig:
    """Settings of the data: where the labelled texts come from and which rows are used."""

    data: Annotated[
        str | None,
        Help(
            "Labelled texts: a file, a folder, a .tar.gz of class folders, a data set's name or a "
            "hub id.",
            metavar="SET",
        ),
    ] = None
    text: TextColumn = None
    label: Annotated[
        str | None,
        Help(
            "Name of the label column.",
            "a column with a common name such as `label`",
            metavar="COLUMN",
        ),
    ] = None
    labels: Annotated[
        tuple[str, ...] | None,
        Help(
            "Names of the classes, in ascending order of the integer labels, for example "
            "`neg,pos`.",
            "the names in the data",
            metavar="NAMES",
        ),
    ] = None
    limit: Annotated[tuple[Count, Count] | None, LIMIT_HELP] = None
    validation_share: Annotated[
        Share,
        Help("Share of train that is used for validation if the data have no validation split."),
    ] = 0.1
    test_share: Annotated[
        Share, Help("Share of all rows that is used for testing if the data have no test split.")
    ] = 0.2
    max_file_bytes: Annotated[
        int, Ge(1), Help("Largest size of a data file, after decompression, in bytes.")
    ] = 4 * 2**30
    max_text_characters: Annotated[Count, Help("Largest number of characters of a text.")] = (
        1_000_000
    )
    draw: Annotated[
        int,
        Ge(0),
        Le(9_999),
        Help(
            "Number of the sample of training and validation rows that `limit` takes. Each number "
            "stands for other rows, and test stays the same."
        ),
    ] = 0


@dataclass(frozen=True)
class TokensConfig:
    """Settings of the tokenizer: how a text becomes token ids."""

    max_length: MaxLength = None
    truncation_side: Annotated[
        Literal["right", "left"],
        Help("Side at which a long text is truncated: right or left.", metavar="SIDE"),
    ] = "right"
    add_prefix_space: Annotated[
        bool | None, Help("Insert a space before the first word.", _TOKENIZER)
    ] = None
    do_lower_case: Annotated[bool | None, Help("Convert texts to lower case.", _TOKENIZER)] = None
    strip_accents: Annotated[bool | None, Help("Remove accents from letters.", _TOKENIZER)] = None
    split_special_tokens: Annotated[
        bool,
        Help(
            "Read special tokens that are written in a text, such as `[SEP]`, as ordinary text. "
            "If false, they become the tokens that the model was trained with."
        ),
    ] = True


@dataclass(frozen=True)
class PreflightConfig:
    """Settings of the inspection of labelled texts before training."""

    sample: Annotated[
        Count,
        Help("Number of rows of a split whose tokens `fit` counts. `preflight` counts all rows."),
    ] = 300
    shown_rows: Annotated[Count, Help("Number of rows of a split to show.")] = 2
    shown_copies: Annotated[Count, Help("Number of duplicates of each kind to show.")] = 5
    shown_characters: Annotated[Count, Help("Number of characters of a text to show.")] = 160
    similarity: Annotated[
        float, Gt(0), Le(1), Help("Jaccard similarity from which two texts are near duplicates.")
    ] = 0.8
    words: Annotated[Count, Help("Length of the word sequences that are compared.")] = 3
    bands: Annotated[
        tuple[Count, Count], Help("Number of MinHash bands, and of hashes in a band.")
    ] = (25, 5)
    hash_seed: Annotated[Seed, Help("Random seed of the hashes.")] = 1
    crowd: Annotated[
        Count,
        Help(
            "Number of texts of each split that are compared with all texts that share a MinHash "
            "band with them. The other texts of the band are compared with these texts only."
        ),
    ] = 20
    imbalance: Annotated[
        float,
        Ge(1),
        Help("Ratio of the largest to the smallest class from which a warning is printed."),
    ] = 9.0
    truncated: Annotated[
        Share, Help("Share of truncated texts in a split from which a warning is printed.")
    ] = 0.2
