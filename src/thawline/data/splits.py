"""Select the rows of train, validation and test; random choices depend only on `ROW_SEED`."""

from __future__ import annotations

import numbers
import operator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.config import ROW_SEED, DataConfig
from thawline.data.copies import keep_copies_together, number_copies
from thawline.data.labels import IntArray
from thawline.data.sources.parts import SPLITS, WHOLE, Part, Source
from thawline.data.stratified import draw_rows, draw_stratified, nested_order
from thawline.errors import ThawlineError, assignment, did_you_mean


def carve(
    labels: npt.NDArray[np.int64],
    share_or_rows: float | int,
    seed: int,
    copies: npt.NDArray[np.int64] | None = None,
) -> tuple[IntArray, IntArray]:
    """Carve a stratified random part out of rows.

    The single row of a class is not carved out. If there are too few rows to represent every class
    on both sides, the part is selected at random without stratification. Then each class keeps a
    row that is not carved out, if possible.

    Args:
        labels: The class of each row, ``(rows,)``.
        share_or_rows: A share of the rows above 0 and below 1, as a float, which is rounded to a
            number of rows with at least one row on each side. Or an exact number of rows, as an
            integer from 0 to all rows.
        seed: The random seed.
        copies: The number of the text of each row, ``(rows,)``. Rows with the same text are kept
            on one side, so that the number of carved rows may differ slightly. They are separated
            if otherwise no row could be carved out, or a class would have no other rows. If None,
            every row has a text of its own.

    Returns:
        The positions of the remaining rows, ``(remaining,)``, and of the carved part,
        ``(carved,)``, both in ascending order.

    Raises:
        ThawlineError: If the share or the number of rows is out of range.
    """
    labels = np.asarray(labels)
    wanted = _count_rows(len(labels), share_or_rows)
    candidates, stratified = _candidates(labels, wanted, seed)
    if 0 < wanted < len(candidates):
        if stratified:
            drawn = draw_stratified(labels[candidates], wanted, seed)
        else:
            drawn = draw_rows(len(candidates), wanted, seed)
        carved = candidates[drawn]
    else:
        carved = candidates[:wanted]
    is_carved = np.zeros(len(labels), dtype=bool)
    is_carved[carved] = True
    if copies is not None:
        is_carved = keep_copies_together(is_carved, labels, copies, seed)
    return np.flatnonzero(~is_carved), np.flatnonzero(is_carved)


def _count_rows(rows: int, share_or_rows: float | int) -> int:
    """Return the number of rows to carve out."""
    if not isinstance(share_or_rows, numbers.Integral):
        _check_share(share_or_rows, "a share to carve out")
        return min(max(round(rows * share_or_rows), 1), max(rows - 1, 0))
    wanted = operator.index(share_or_rows)
    if not 0 <= wanted <= rows:
        fix = f"carve out at most {rows:,} rows"
        raise ThawlineError(f"between 0 and {rows:,} rows to carve out", f"{wanted:,}", fix)
    return wanted


def _candidates(labels: npt.NDArray[np.int64], wanted: int, seed: int) -> tuple[IntArray, bool]:
    """Return at least `wanted` candidate positions, and whether they can be stratified."""
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shared = np.flatnonzero(counts[classes] > 1)
    strata = int(np.count_nonzero(counts > 1))
    if 0 < strata <= min(wanted, len(shared) - wanted):
        return shared, True
    order = np.random.default_rng(seed).permutation(len(labels))
    kept = order[np.unique(classes[order], return_index=True)[1]]
    others = np.setdiff1d(np.arange(len(labels)), kept)
    return (others if len(others) >= wanted else order), False


@dataclass(frozen=True)
class SelectedRows:
    """The rows of one split.

    Attributes:
        part: The part of the source that holds them.
        rows: The row numbers in that part, ascending, ``(rows,)``.
        how: A description of how they were selected.
        warnings: Messages for the user, one line each.
    """

    part: Part
    rows: IntArray
    how: str
    warnings: tuple[str, ...] = ()

    @property
    def raw_labels(self) -> list[Any]:
        """The label of each row, as written in the source."""
        labels = self.part.raw_labels
        return [labels[row] for row in self.rows]

    def carved(self, share: float) -> tuple[IntArray, IntArray, str]:
        """Carve out a share of the rows. Rows with copies of one text are kept together.

        Returns:
            The remaining rows, the carved rows, and how the carved rows were selected.
        """
        copies = number_copies([self.part.texts[row] for row in self.rows])
        rest, carved = carve(self._codes, share, ROW_SEED, copies)
        method = self._method(_count_rows(len(self.rows), share))
        if len(np.unique(copies)) < len(copies):
            separated = len(np.intersect1d(copies[rest], copies[carved]))
            word = "text" if separated == 1 else "texts"
            kept = f"{separated:,} {word} in both parts" if separated else "copies kept together"
            method += f", {kept}"
        return self.rows[rest], self.rows[carved], method

    def sampled(self, rows: int, draw: int = 0) -> tuple[IntArray, str]:
        """Return an exact number of the rows, and how they were selected.

        Args:
            rows: The number of rows to select.
            draw: The number of the draw. The rows are shuffled and divided into draws that have no
                rows in common. When too few rows remain, all rows are shuffled again. The rows of
                draw 0 are those that are selected without draws.
        """
        rest, kept = carve(self._codes, rows, ROW_SEED)
        if not draw:
            return self.rows[kept], self._method(rows)
        shuffled, position = divmod(draw, len(self.rows) // rows)
        if shuffled:
            order = nested_order(self._codes, ROW_SEED + shuffled)
        else:
            order = np.concatenate([kept, rest[nested_order(self._codes[rest], ROW_SEED)]])
        drawn = np.sort(order[position * rows : (position + 1) * rows])
        return self.rows[drawn], f"stratified, seed {ROW_SEED}, draw {draw}"

    @property
    def _codes(self) -> IntArray:
        return self.part.codes[self.rows]

    def _method(self, rows: int) -> str:
        stratified = _candidates(self._codes, rows, ROW_SEED)[1]
        return f"{'stratified' if stratified else 'at random'}, seed {ROW_SEED}"


class Splits:
    """Select train, validation and test from a source, reading only the parts that are needed.

    Args:
        source: The source.
        config: The shares to carve out, and the limit.

    Raises:
        ThawlineError: If a share or the limit is out of range.
    """

    def __init__(self, source: Source, config: DataConfig) -> None:
        _check_share(config.validation_share, "a validation share", "data.validation_share")
        _check_share(config.test_share, "a test share", "data.test_share")
        if config.limit is not None:
            _check_limit(config.limit)
        self._source, self._config = source, config
        self._train_limit = None if config.limit is None else config.limit[0]
        self._test_limit = None if config.limit is None else config.limit[1]
        self._draw = config.draw

    def select(self, split: str) -> SelectedRows:
        """Return the rows of a split.

        Args:
            split: train, validation or test.

        Raises:
            ThawlineError: If there is no such split, or if a part is missing or cannot be read.
        """
        if split == "train":
            return self._train
        if split == "validation":
            return self._validation
        if split == "test":
            return self._test
        expected = f"a split ({', '.join(SPLITS)})"
        raise ThawlineError(expected, repr(split), did_you_mean(split, SPLITS))

    @cached_property
    def base(self) -> Part:
        """The part to train on, before validation and test are carved out of it.

        Raises:
            ThawlineError: If the source has no such part.
        """
        part = self._source.parts.get("train", self._source.parts.get(WHOLE))
        if part is None:
            names = [part.name for part in self._source.parts.values()]
            found = f"only the {'split' if len(names) == 1 else 'splits'} {', '.join(names)}"
            fix = "add a train split, or give the path of one file"
            expected = f"a train split in {self._source.name}"
            raise ThawlineError(expected, found, fix, setting="data.data")
        return part

    def select_all(self) -> list[SelectedRows]:
        """Return every row of every part whose labels are known, train first.

        Raises:
            ThawlineError: If there is no such part, or if one cannot be read.
        """
        parts = [self._labelled_part(split) for split in (WHOLE, *SPLITS)]
        selected = [_all_rows(part) for part in parts if part is not None]
        if not selected:
            found = "-1 in every row, which marks hidden labels"
            fix = "choose a data set with labels"
            expected = f"labels in {self._source.name}"
            raise ThawlineError(expected, found, fix, setting="data.data")
        return selected

    @cached_property
    def _test(self) -> SelectedRows:
        part = self._labelled_part("test")
        if part is not None:
            return self._limited(_all_rows(part), self._test_limit, "test")
        _, rows, method = self._test_carving
        how = self._describe_carving(self.base.name, self._config.test_share, method)
        warnings = (*self._hidden_labels_warning("test"), f"test was {how} ({len(rows):,} rows)")
        selected = SelectedRows(self.base, rows, how, warnings)
        return self._limited(selected, self._test_limit, "test")

    @cached_property
    def _validation(self) -> SelectedRows:
        part = self._labelled_part("validation")
        if part is not None:
            given = _all_rows(part)
            can_draw = self._test_limit is not None and self._test_limit < len(given.rows)
            draw = self._draw if can_draw else 0
            return self._limited(given, self._test_limit, "validation", draw)
        _, rows, method = self._validation_carving
        how = self._describe_carving("train", self._config.validation_share, method)
        carved = f"validation was {how} ({len(rows):,} rows)"
        warnings = (*self._hidden_labels_warning("validation"), carved)
        return SelectedRows(self.base, rows, how, warnings)

    @cached_property
    def _train(self) -> SelectedRows:
        pool = self._train_and_validation
        if self._labelled_part("validation") is not None:
            return pool
        rows, carved, _ = self._validation_carving
        how = f"{pool.how}; {len(carved):,} of these rows carved out for validation"
        return replace(pool, rows=rows, how=how)

    @property
    def separate_draws(self) -> int:
        """The number of draws of train and validation without common rows, at least 1."""
        rows = len(self._labelled.rows)
        return 1 if self._train_limit is None else max(1, rows // self._train_limit)

    @cached_property
    def _train_and_validation(self) -> SelectedRows:
        """The rows of train, including those that are carved out for validation."""
        labelled, limit = self._labelled, self._train_limit
        rows = len(labelled.rows)
        if self._draw and (limit is None or limit >= rows):
            example = (rows // 4, len(self._test.rows))
            raise ThawlineError(
                f"a `data.limit` below the {rows:,} labelled rows, so that a draw has other rows",
                "no limit" if limit is None else f"a limit of {limit:,}",
                f"sample fewer rows, for example {assignment('data.limit', example)}",
                setting="data.limit",
            )
        return self._limited(labelled, limit, "train", self._draw)

    @cached_property
    def _labelled(self) -> SelectedRows:
        """The rows from which train and validation are selected."""
        if self._labelled_part("test") is not None:
            return _all_rows(self.base)
        rows, carved, _ = self._test_carving
        name = self.base.name
        how = f"the {len(rows):,} rows of {name} that remain after the {len(carved):,} test rows"
        return SelectedRows(self.base, rows, how)

    @cached_property
    def _test_carving(self) -> tuple[IntArray, IntArray, str]:
        return _all_rows(self.base).carved(float(self._config.test_share))

    @cached_property
    def _validation_carving(self) -> tuple[IntArray, IntArray, str]:
        return self._train_and_validation.carved(float(self._config.validation_share))

    def _labelled_part(self, split: str) -> Part | None:
        """Return the part of the source for a split, or None if it is missing or hides labels."""
        part = self._source.parts.get(split)
        return None if part is None or self._hides_labels(split, part) else part

    def _hides_labels(self, split: str, part: Part) -> bool:
        train = self._source.parts.get("train")
        if split not in ("validation", "test") or part.hidden_labels is None:
            return False
        if train is None:
            return part.has_labels
        return not part.has_labels or not train.has_minus_one

    def _hidden_labels_warning(self, split: str) -> tuple[str, ...]:
        part = self._source.parts.get(split)
        if part is None:
            return ()
        return (f"ignored {part.name}, because {part.hidden_labels}",)

    @staticmethod
    def _describe_carving(out_of: str, share: float, method: str) -> str:
        return f"carved out of {out_of}: {100 * share:g} %, {method}"

    @staticmethod
    def _limited(
        selected: SelectedRows, most: int | None, split: str, draw: int = 0
    ) -> SelectedRows:
        rows = len(selected.rows)
        if most is None or rows == most:
            return selected
        if rows < most:
            warning = f"{split} has {rows:,} rows, fewer than the limit of {most:,}: all are used"
            return replace(selected, warnings=(*selected.warnings, warning))
        kept, method = selected.sampled(most, draw)
        how = f"{selected.how}; {most:,} of {rows:,} rows selected, {method}"
        return replace(selected, rows=kept, how=how)


def _all_rows(part: Part) -> SelectedRows:
    return SelectedRows(part, np.arange(len(part.raw_labels)), "given by the source")


def _check_limit(limit: tuple[int, int]) -> None:
    setting = "data.limit"
    fix = f"give two numbers, for example {assignment(setting, (4000, 2000))}"
    numbers_given = isinstance(limit, tuple | list) and all(
        isinstance(rows, numbers.Integral) and not isinstance(rows, bool) for rows in limit
    )
    if not numbers_given or len(limit) != 2:
        expected = "a limit for train and a limit for test"
        raise ThawlineError(expected, repr(limit), fix, setting=setting)
    if min(limit) < 1:
        found = ",".join(str(rows) for rows in limit)
        raise ThawlineError("limits of at least 1 row", found, fix, setting=setting)


def _check_share(share: float, expected: str, setting: str | None = None) -> None:
    if not isinstance(share, numbers.Real) or not 0 < share < 1:
        fix = "use a share such as 0.1"
        raise ThawlineError(f"{expected} above 0 and below 1", str(share), fix, setting=setting)
