"""Map the values of a label column to class ids and names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.data.texts import shorten
from thawline.errors import ThawlineError, did_you_mean

IntArray = npt.NDArray[np.int64]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_MOST_SHOWN = 12
_UNKNOWN = -1


@dataclass(frozen=True)
class Labels:
    """The classes of a data set, in the order of their ids.

    Attributes:
        names: The name of each class.
        values: The value of each class in the source. Booleans are kept as 0 or 1.
    """

    names: tuple[str, ...]
    values: tuple[int | str, ...]

    @classmethod
    def from_raw(
        cls, raw: Sequence[Any] | npt.NDArray[Any], names: tuple[str, ...] | None
    ) -> Labels:
        """Find the classes in the values of a label column.

        Integers and booleans are sorted in ascending order and strings in alphabetical order.
        Strings that are all integers are sorted as numbers ("10" after "9").

        Args:
            raw: The label of each row: integers, booleans or strings, all of one kind.
            names: The names of integer labels, in ascending order of the labels. For labels that
                are strings, the same strings in the desired order of ids. If None, the values are
                used as names.

        Raises:
            ThawlineError: If a value cannot be a label, if there are numbers and strings, or if
                the names do not fit the values.
        """
        kinds = {type(cell) for cell in raw}
        values = _sorted_labels({to_plain_label(cell) for cell in raw})
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
                f"the label names of the data ({join_words(by_name)})",
                f"the names {join_words(names)}",
                "give --labels exactly these names, in the order that you want, or omit it",
                setting="data.labels",
            )
        if len(names) != len(values):
            raise ThawlineError(
                f"{len(values)} label names, for the labels {join_words(values)}",
                f"{len(names)} {'name' if len(names) == 1 else 'names'} ({join_words(names)})",
                "give --labels one name for each label, in ascending order of the labels",
                setting="data.labels",
            )
        return cls(names, values)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _ids(self) -> dict[int | str, int]:
        """The class id for every value, name and other spelling of a class.

        A value takes precedence over a name, and a name over another spelling.
        """
        spellings: dict[int | str, int] = {
            other: i for i, value in enumerate(self.values) for other in _other_spellings(value)
        }
        names: dict[int | str, int] = {name: i for i, name in enumerate(self.names)}
        exact = {value: i for i, value in enumerate(self.values)}
        return {**spellings, **names, **exact}

    def lookup(self, raw: Iterable[Any]) -> IntArray:
        """Return the id of each label, or -1 for an unknown label, ``(rows,)`` int64."""
        ids = self._ids
        return np.fromiter((ids.get(to_plain_label(cell), _UNKNOWN) for cell in raw), np.int64)

    def encode(self, raw: Sequence[Any] | npt.NDArray[Any], where: str = "the labels") -> IntArray:
        """Return the id of each label.

        Args:
            raw: The value or the name of a class for each row. An integer may be written as a
                string and vice versa, because CSV files have no integers.
            where: A description of the labels, for the error.

        Returns:
            The ids, ``(rows,)`` int64.

        Raises:
            ThawlineError: If a label is neither a value nor a name of a class.
        """
        ids = self.lookup(raw)
        if (ids == _UNKNOWN).any():
            row = int(np.argmax(ids == _UNKNOWN))
            label = to_plain_label(raw[row])
            raise ThawlineError(
                f"{where} among the classes {self.described()}",
                f"{label!r} in row {row} (counting from 0)",
                did_you_mean(str(label), self.names),
            )
        return ids

    def described(self) -> str:
        """Return the names, each followed by its value if it differs: ``neg (0), pos (1)``."""
        return join_words(
            name if name == str(value) else f"{name} ({value})"
            for name, value in zip(self.names, self.values, strict=True)
        )

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the labels as JSON values that `from_dict` reads."""
        return {"names": list(self.names), "values": list(self.values)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Sequence[Any]]) -> Labels:
        """Create the labels from the result of `to_dict`."""
        return cls(tuple(saved["names"]), tuple(saved["values"]))


def check_names(names: Sequence[str]) -> None:
    """Check that the names of classes are distinct and not empty.

    Raises:
        ThawlineError: If two names are equal, or if one is empty.
    """
    if len(set(names)) < len(names) or not all(names):
        raise ThawlineError(
            "distinct label names that are not empty",
            "the names " + join_words(name if name else "''" for name in names),
            "give --labels each name once",
            setting="data.labels",
        )


def to_plain_label(cell: Any) -> int | str:
    """Return a label as a Python integer or string.

    Raises:
        ThawlineError: If it is neither an integer, a boolean nor a string.
    """
    value = cell.item() if isinstance(cell, np.generic) else cell
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)  # pandas turns an integer column with missing values into floats
    raise ThawlineError(
        "labels that are integers, booleans or strings",
        f"{value!r} ({type(value).__name__})",
        "choose another label column, or convert its values to class names",
    )


def join_words(words: Iterable[object]) -> str:
    """Return the words joined by commas. Long words are shortened, and long lists too."""
    strings = [shorten(str(word)) for word in words]
    more = len(strings) - _MOST_SHOWN
    return ", ".join(strings[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _sorted_labels(values: set[int | str]) -> tuple[int | str, ...]:
    numbers = [value for value in values if isinstance(value, int)]
    strings = [value for value in values if isinstance(value, str)]
    if numbers and strings:
        raise ThawlineError(
            "labels of one kind",
            f"numbers ({join_words(sorted(numbers))}) and strings ({join_words(sorted(strings))})",
            "write all labels as numbers, or all as strings",
        )
    if strings and _are_numbers(strings):
        return tuple(sorted(strings, key=lambda value: (int(value), value)))
    return tuple(sorted(numbers)) or tuple(sorted(strings))


def _are_numbers(values: Iterable[int | str]) -> bool:
    return all(isinstance(value, int) or _INTEGER.fullmatch(value) for value in values)


def _other_spellings(value: int | str) -> list[int | str]:
    """Return the other spelling of an integer, if it has one: 1 for "1" and "1" for 1."""
    if isinstance(value, int):
        return [str(value)]
    return [int(value)] if _INTEGER.fullmatch(value) and str(int(value)) == value else []
