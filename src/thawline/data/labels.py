"""Which raw value of a label column stands for which class, its id and its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.errors import ThawlineError, did_you_mean

IntArray = npt.NDArray[np.int64]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_MOST_SHOWN = 12
_UNKNOWN = -1


@dataclass(frozen=True)
class Labels:
    """The classes of a set, in the order of their ids.

    Attributes:
        names: the name of each id.
        values: the value that means each id in the source; a boolean is kept as 0 or 1.
    """

    names: tuple[str, ...]
    values: tuple[int | str, ...]

    @classmethod
    def from_raw(
        cls, raw: Sequence[Any] | npt.NDArray[Any], names: tuple[str, ...] | None
    ) -> Labels:
        """Find the classes among the values of a label column.

        Integers and booleans are put in ascending order and strings in alphabetical order, but
        strings that are all integers are ordered as numbers ("10" after "9").

        Args:
            raw: the label of each row: integers, booleans or strings, of one kind.
            names: the names of integer labels, in ascending order of the labels; for labels that
                are strings, those very strings, in the order that the ids shall have. ``None``:
                the values themselves are the names.

        Raises:
            ThawlineError: a value that cannot be a label, values of two kinds, or names that do
                not fit the values.
        """
        kinds = {type(cell) for cell in raw}
        values = _in_order({plain(cell) for cell in raw})
        if names is not None:
            return cls._named(values, tuple(names))
        if values and kinds <= {bool, np.bool_}:
            return cls(tuple(str(bool(value)) for value in values), values)
        return cls(tuple(str(value) for value in values), values)

    @classmethod
    def _named(cls, values: tuple[int | str, ...], names: tuple[str, ...]) -> Labels:
        check_names(names)
        by_name = {str(value): value for value in values}
        if set(names) == set(by_name):
            return cls(names, tuple(by_name[name] for name in names))
        if not _are_numbers(values):
            raise ThawlineError(
                f"the label names of the data ({shown(by_name)})",
                shown(names),
                "give --labels exactly those names, in the order that you want, or leave it out",
            )
        if len(names) != len(values):
            raise ThawlineError(
                f"{len(values)} label names, for the labels {shown(values)}",
                f"{len(names)} ({shown(names)})",
                "give --labels one name for each label, in ascending order of the labels",
            )
        return cls(names, values)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _ids(self) -> dict[int | str, int]:
        """Every way to write a class; an exact value goes before a name, a name before a guess."""
        loose: dict[int | str, int] = {
            other: i for i, value in enumerate(self.values) for other in _otherwise(value)
        }
        names: dict[int | str, int] = {name: i for i, name in enumerate(self.names)}
        exact = {value: i for i, value in enumerate(self.values)}
        return {**loose, **names, **exact}

    def lookup(self, raw: Iterable[Any]) -> IntArray:
        """Return the id of each label, -1 where it is unknown, as (rows,) int64."""
        ids = self._ids
        return np.fromiter((ids.get(plain(cell), _UNKNOWN) for cell in raw), dtype=np.int64)

    def encode(self, raw: Sequence[Any] | npt.NDArray[Any], where: str = "the labels") -> IntArray:
        """Return the id of each label.

        Args:
            raw: a value or a name of a class for each row; an integer may also be written as a
                string and the other way round, as CSV knows no integers.
            where: what holds the labels, for the error.

        Returns:
            (rows,) int64.

        Raises:
            ThawlineError: a label that is no value and no name.
        """
        ids = self.lookup(raw)
        if (ids == _UNKNOWN).any():
            row = int(np.argmax(ids == _UNKNOWN))
            label = plain(raw[row])
            raise ThawlineError(
                f"{where} to be among {self.described()}",
                f"{label!r} in row {row} (counting from 0)",
                did_you_mean(str(label), self.names),
            )
        return ids

    def described(self) -> str:
        """Return the names, each with its value where that differs: ``neg (0), pos (1)``."""
        return shown(
            name if name == str(value) else f"{name} ({value})"
            for name, value in zip(self.names, self.values, strict=True)
        )

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the labels as JSON values, for `from_dict`."""
        return {"names": list(self.names), "values": list(self.values)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Sequence[Any]]) -> Labels:
        """Return the labels that `to_dict` wrote."""
        return cls(tuple(saved["names"]), tuple(saved["values"]))


def check_names(names: Sequence[str]) -> None:
    """Raise ThawlineError where two classes would have one name, or one would have none."""
    if len(set(names)) < len(names) or not all(names):
        raise ThawlineError(
            "label names that differ and are not empty",
            shown(name if name else "''" for name in names),
            "give --labels each name once",
        )


def plain(cell: Any) -> int | str:
    """Return a label as an ordinary integer or string.

    Raises:
        ThawlineError: anything that is neither an integer, a boolean nor a string.
    """
    value = cell.item() if isinstance(cell, np.generic) else cell
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)  # an integer column with a gap comes out of pandas as floats
    raise ThawlineError(
        "labels that are integers, booleans or strings",
        f"{value!r} ({type(value).__name__})",
        "choose another label column, or turn its values into class names",
    )


def shown(words: Iterable[object]) -> str:
    """Return the words joined by commas, the tail of a long list as a count."""
    strings = [str(word) for word in words]
    more = len(strings) - _MOST_SHOWN
    return ", ".join(strings[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _in_order(values: set[int | str]) -> tuple[int | str, ...]:
    numbers = [value for value in values if isinstance(value, int)]
    strings = [value for value in values if isinstance(value, str)]
    if numbers and strings:
        raise ThawlineError(
            "labels of one kind",
            f"both numbers ({shown(sorted(numbers))}) and strings ({shown(sorted(strings))})",
            "write all labels in one way",
        )
    if strings and _are_numbers(strings):
        return tuple(sorted(strings, key=lambda value: (int(value), value)))
    return tuple(sorted(numbers)) or tuple(sorted(strings))


def _are_numbers(values: Iterable[int | str]) -> bool:
    return all(isinstance(value, int) or _INTEGER.fullmatch(value) for value in values)


def _otherwise(value: int | str) -> list[int | str]:
    """Return the other spelling of an integer: 1 for "1" and "1" for 1."""
    if isinstance(value, int):
        return [str(value)]
    return [int(value)] if _INTEGER.fullmatch(value) and str(int(value)) == value else []
