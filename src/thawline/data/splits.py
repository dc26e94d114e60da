"""Which rows make train, validation and test: never chosen by anything but `ROW_SEED`."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.config import ROW_SEED, DataConfig
from thawline.data.labels import IntArray
from thawline.data.sources.parts import SPLITS, WHOLE, Part, Source
from thawline.errors import ThawlineError, did_you_mean


def carve(
    labels: npt.NDArray[np.int64], share_or_rows: float | int, seed: int
) -> tuple[IntArray, IntArray]:
    """Carve a stratified part out of rows.

    A class with a single row stays in the rest. Where there are too few rows for every class to
    stand on both sides, the part is drawn at random instead, and the rest keeps a row of each
    class as long as there is room.

    Args:
        labels: (rows,) class of each row.
        share_or_rows: a share of the rows, above 0 and below 1, rounded to whole rows with at
            least one on each side; or an exact number of rows, 0 and all of them included.
        seed: of the draw.

    Returns:
        Positions of the rest and of the carved part, (rest,) and (carved,), each ascending.

    Raises:
        ThawlineError: a share or a number of rows that is out of range.
    """
    from sklearn.model_selection import train_test_split

    labels = np.asarray(labels)
    wanted = _whole_rows(len(labels), share_or_rows)
    candidates, stratified = _candidates(labels, wanted, seed)
    if 0 < wanted < len(candidates):
        strata = labels[candidates] if stratified else None
        _, carved = train_test_split(
            candidates, test_size=wanted, random_state=seed, stratify=strata
        )
    else:
        carved = candidates[:wanted]
    in_rest = np.ones(len(labels), dtype=bool)
    in_rest[carved] = False
    return np.flatnonzero(in_rest), np.flatnonzero(~in_rest)


def _whole_rows(rows: int, share_or_rows: float | int) -> int:
    if isinstance(share_or_rows, float):
        _check_share(share_or_rows, "the share to carve out")
        return min(max(round(rows * share_or_rows), 1), max(rows - 1, 0))
    wanted = operator.index(share_or_rows)
    if not 0 <= wanted <= rows:
        fix = "ask for no more rows than there are"
        raise ThawlineError(f"0 to {rows:,} rows to carve out", f"{wanted:,}", fix)
    return wanted


def _candidates(labels: npt.NDArray[np.int64], wanted: int, seed: int) -> tuple[IntArray, bool]:
    """Return the positions to draw from, at least `wanted`, and whether they can be stratified."""
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
class Drawn:
    """The rows of one split.

    Attributes:
        part: the part of the source that they stand in.
        rows: (rows,) row numbers there, ascending.
        how: how they came about, in words.
        notes: what the user should know, a line each.
    """

    part: Part
    rows: IntArray
    how: str
    notes: tuple[str, ...] = ()

    @property
    def raw_labels(self) -> list[Any]:
        """The label of each row as the source writes it."""
        labels = self.part.raw_labels
        return [labels[row] for row in self.rows]

    def carved(self, share_or_rows: float | int) -> tuple[IntArray, IntArray, str]:
        """Return the rows of the rest and of the carved part, and how they were drawn."""
        codes = self.part.codes[self.rows]
        rest, carved = carve(codes, share_or_rows, ROW_SEED)
        way = "stratified" if _candidates(codes, len(carved), ROW_SEED)[1] else "at random"
        return self.rows[rest], self.rows[carved], f"{way}, seed {ROW_SEED}"


class Splits:
    """Draws train, validation and test from a source, reading only the parts that it needs.

    Args:
        source: what there is.
        config: the shares to carve out and the limit.

    Raises:
        ThawlineError: a share or a limit that is out of range.
    """

    def __init__(self, source: Source, config: DataConfig) -> None:
        _check_share(config.validation_share, "the validation share")
        _check_share(config.test_share, "the test share")
        if config.limit is not None:
            _check_limit(config.limit)
        self._source, self._config = source, config
        self._train_limit = None if config.limit is None else config.limit[0]
        self._test_limit = None if config.limit is None else config.limit[1]

    def draw(self, split: str) -> Drawn:
        """Return the rows of a split.

        Args:
            split: train, validation or test.

        Raises:
            ThawlineError: another split, or a part that is missing or cannot be read.
        """
        if split == "train":
            return self._train
        if split == "validation":
            return self._validation
        if split == "test":
            return self._test
        raise ThawlineError("a split", repr(split), did_you_mean(split, SPLITS))

    @cached_property
    def base(self) -> Part:
        """The part that is trained on, before anything is carved out of it.

        Raises:
            ThawlineError: the source has none.
        """
        part = self._source.parts.get("train", self._source.parts.get(WHOLE))
        if part is None:
            found = ", ".join(part.name for part in self._source.parts.values())
            fix = "add a train split, or give one file by its own path"
            raise ThawlineError(f"a train split in {self._source.name}", f"only {found}", fix)
        return part

    def draw_all(self) -> list[Drawn]:
        """Return every row of every part whose labels are known, train first.

        Raises:
            ThawlineError: there is no such part, or one that cannot be read.
        """
        parts = [self._own(split) for split in (WHOLE, *SPLITS)]
        drawn = [_all_of(part) for part in parts if part is not None]
        if not drawn:
            found = "-1 in every row, which means hidden"
            raise ThawlineError(f"labels in {self._source.name}", found, "choose another set")
        return drawn

    @cached_property
    def _test(self) -> Drawn:
        part = self._own("test")
        if part is not None:
            return self._limited(_all_of(part), self._test_limit, "test")
        _, rows, way = self._test_carving
        how = self._carving_words(self.base.name, self._config.test_share, way)
        notes = (*self._hidden_note("test"), f"test was {how} ({len(rows):,} rows)")
        return self._limited(Drawn(self.base, rows, how, notes), self._test_limit, "test")

    @cached_property
    def _validation(self) -> Drawn:
        part = self._own("validation")
        if part is not None:
            return self._limited(_all_of(part), self._test_limit, "validation")
        _, rows, way = self._validation_carving
        how = self._carving_words("train", self._config.validation_share, way)
        notes = (*self._hidden_note("validation"), f"validation was {how} ({len(rows):,} rows)")
        return Drawn(self.base, rows, how, notes)

    @cached_property
    def _train(self) -> Drawn:
        if self._own("validation") is not None:
            return self._pool
        rows, carved, _ = self._validation_carving
        how = f"{self._pool.how}; {len(carved):,} of these carved out for validation"
        return replace(self._pool, rows=rows, how=how)

    @cached_property
    def _pool(self) -> Drawn:
        """Train, with the validation rows that are carved out of it."""
        if self._own("test") is not None:
            return self._limited(_all_of(self.base), self._train_limit, "train")
        rows, carved, _ = self._test_carving
        how = f"what {len(carved):,} rows carved out for test leave of {self.base.name}"
        return self._limited(Drawn(self.base, rows, how), self._train_limit, "train")

    @cached_property
    def _test_carving(self) -> tuple[IntArray, IntArray, str]:
        return _all_of(self.base).carved(float(self._config.test_share))

    @cached_property
    def _validation_carving(self) -> tuple[IntArray, IntArray, str]:
        return self._pool.carved(float(self._config.validation_share))

    def _own(self, split: str) -> Part | None:
        """Return the source's own part, unless it keeps its labels hidden."""
        part = self._source.parts.get(split)
        return None if part is None or self._hides_labels(split, part) else part

    def _hides_labels(self, split: str, part: Part) -> bool:
        train = self._source.parts.get("train")
        if split not in ("validation", "test") or not part.hides_labels:
            return False
        return train is None or not train.has_minus_one

    def _hidden_note(self, split: str) -> tuple[str, ...]:
        part = self._source.parts.get(split)
        if part is None:
            return ()
        return (f"left alone: {part.name}, as every label in it is -1, which means hidden",)

    @staticmethod
    def _carving_words(out_of: str, share: float, way: str) -> str:
        return f"carved out of {out_of}: {100 * share:g} %, {way}"

    @staticmethod
    def _limited(drawn: Drawn, most: int | None, split: str) -> Drawn:
        have = len(drawn.rows)
        if most is None or have == most:
            return drawn
        if have < most:
            note = f"{split} has {have:,} rows, fewer than the {most:,} asked for: all are used"
            return replace(drawn, notes=(*drawn.notes, note))
        _, rows, way = drawn.carved(most)
        return replace(drawn, rows=rows, how=f"{drawn.how}; {most:,} of {have:,} rows drawn, {way}")


def _all_of(part: Part) -> Drawn:
    return Drawn(part, np.arange(len(part.raw_labels)), "the source's own")


def _check_limit(limit: tuple[int, int]) -> None:
    fix = "give --limit two numbers: N,M"
    if not isinstance(limit, tuple | list) or len(limit) != 2:
        raise ThawlineError("a limit for train and one for test", repr(limit), fix)
    if min(limit) < 1:
        found = ",".join(str(rows) for rows in limit)
        raise ThawlineError("a limit of at least 1 row", found, fix)


def _check_share(share: float, what: str) -> None:
    if not 0 < share < 1:
        raise ThawlineError(f"{what} above 0 and below 1", str(share), "give a share such as 0.1")
