"""Find the copies among validation and test rows, which count as one text in a comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from thawline.data import Dataset
from thawline.data.labels import IntArray
from thawline.errors import ThawlineError
from thawline.evaluation.clusters import count_texts

MIN_TEXTS = 2
"""The smallest number of texts that has a variance."""

LEAST_DIFFERENT = 0.9
"""The share of different texts among the test rows up to which a warning is shown."""


class Copies(NamedTuple):
    """The number of the text of each row, which is the same for copies.

    Attributes:
        validation: The numbers of the validation rows of draw 0.
        test: Those of the test rows, which all draws have in common.
    """

    validation: IntArray
    test: IntArray

    @classmethod
    def of(cls, dataset: Dataset) -> Copies:
        """Return the numbers of the rows of a data set."""
        return cls(dataset.validation.copies, dataset.test.copies)


def check_texts(copies: Copies) -> None:
    """Check that differences on the texts of a data set have intervals.

    Args:
        copies: The number of the text of each row.

    Raises:
        ThawlineError: If there is only one text.
    """
    validation, test = map(count_texts, copies)
    if min(validation, test) < MIN_TEXTS:
        raise ThawlineError(
            f"at least {MIN_TEXTS} different validation texts and {MIN_TEXTS} different test texts",
            f"{validation} validation and {test} test texts",
            "compare strategies on more texts",
        )


def copied_texts(copies: Copies) -> int | None:
    """Return the number of different test texts if many test rows are copies, or else None.

    Args:
        copies: The number of the text of each row.
    """
    texts = count_texts(copies.test)
    return texts if texts <= LEAST_DIFFERENT * len(copies.test) else None


def note_copies(dataset: Dataset, copies: Copies) -> Dataset:
    """Return a data set with a warning if many of its test rows are copies of other ones.

    Args:
        dataset: The data set.
        copies: The number of the text of each of its rows.
    """
    texts = copied_texts(copies)
    if texts is None:
        return dataset
    warning = (
        f"the {len(copies.test):,} test rows have only {texts:,} different texts. The verdict and "
        "all intervals count the copies of a text as one text."
    )
    if warning in dataset.warnings:
        return dataset
    return replace(dataset, warnings=(*dataset.warnings, warning))
