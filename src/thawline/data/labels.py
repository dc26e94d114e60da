"""Map the values of a label column to class ids and names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.data.spelling import (
    group_spellings,
    has_stray_characters,
    is_missing_marker,
    quote_name,
    spelling_key,
)
from thawline.data.texts import has_surrogate, shorten
from thawline.errors import ThawlineError, as_given, did_you_mean

IntArray = npt.NDArray[np.int64]

_WHOLE = re.compile(r"([+-]?[0-9]{1,18})(?:\.0*)?")
_MAX_SHOWN = 12
_UNKNOWN = -1


@dataclass(frozen=True)
class Labels:
    """The classes of a data set, in the order of their ids.

    Attributes:
        names: The name of each class.
        values: The value of each class in the source. Booleans are kept as 0 or 1.

    Raises:
        ThawlineError: If a name or a value contains an invalid character (a lone surrogate).
    """

    names: tuple[str, ...]
    values: tuple[int | str, ...]

    def __post_init__(self) -> None:
        for word in (*self.names, *self.values):
            if isinstance(word, str):
                _check_characters(word)

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
        values = _sorted_labels(_distinct(raw))
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
                "give `data.labels` exactly these names, in the order that you want, or omit it",
                setting="data.labels",
            )
        if len(names) != len(values):
            raise ThawlineError(
                f"{len(values)} label names, for the labels {join_words(values)}",
                f"{len(names)} {'name' if len(names) == 1 else 'names'} ({join_words(names)})",
                "give `data.labels` one name for each label, in ascending order of the labels",
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
        shortest_last = sorted(enumerate(self.values), key=lambda item: -len(str(item[1])))
        spellings: dict[int | str, int] = {
            other: i for i, value in shortest_last for other in _other_spellings(value)
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
                suggest_spelling(self, label) or did_you_mean(str(label), self.names),
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


def suggest_spelling(labels: Labels, label: int | str) -> str | None:
    """Return a fix for a label that is another spelling of a class, or None if it is none."""
    key = spelling_key(label)
    for name, value in zip(labels.names, labels.values, strict=True):
        if key in (spelling_key(name), spelling_key(value)):
            return f"write this label as {value!r}"
    return None


def similar_classes(labels: Labels) -> list[list[int]]:
    """Return groups of the ids of classes that are probably spellings of the same class."""
    return group_spellings(labels.names, labels.values)


def spelling_warnings(labels: Labels, rows: Mapping[str, int]) -> list[str]:
    """Describe class names that look like spellings of one class, or that contain stray characters.

    Args:
        labels: The classes.
        rows: The number of rows of each class, by name.

    Returns:
        One line for each group of similar names, at most one for stray characters, and one for
        each class whose name programs write for a missing value, such as ``nan``.
    """
    lines, names, groups = [], labels.names, similar_classes(labels)
    for group in groups[:_MAX_SHOWN]:
        # The values in the source differ even if the names were set by the user.
        shown = [str(labels.values[i]) for i in group]
        if len({spelling_key(value) for value in shown}) > 1:
            shown = [names[i] for i in group]
        described = join_words(
            f"{quote_name(word, shown)} ({rows[names[i]]:,} rows)"
            for i, word in zip(group, shown, strict=True)
        )
        lines.append(
            f"{described} look like spellings of one class; if they are, write the class in the "
            "same way in every row of the data"
        )
    if more := len(groups) - _MAX_SHOWN:
        lines += [f"{more:,} other groups of names look like spellings"] if more > 0 else []
    grouped = {i for group in groups for i in group}
    stray = [
        name for i, name in enumerate(names) if i not in grouped and has_stray_characters(name)
    ]
    if stray:
        lines.append(
            "white space, quotation marks or invisible characters are part of the class names "
            f"{join_words(map(ascii, stray))}; remove them from the label column"
        )
    for name, value in zip(names, labels.values, strict=True):
        if is_missing_marker(str(value)):
            lines.append(
                f"{str(value)!r} ({rows[name]:,} rows) is a class, but it is often written for a "
                "missing label; if it is one, remove these rows"
            )
    return lines


def check_names(names: Sequence[str]) -> None:
    """Check that the names of classes are distinct and not empty.

    Raises:
        ThawlineError: If two names are equal, or if one is empty.
    """
    if len(set(names)) < len(names) or not all(names):
        raise ThawlineError(
            "distinct label names that are not empty",
            "the names " + join_words(name if name else "''" for name in names),
            "give `data.labels` each name once",
            setting="data.labels",
        )


def plain_value(cell: Any) -> Any:
    """Return the value of a member of an Enum, and any other object unchanged."""
    while isinstance(cell, Enum):
        cell = cell.value
    return cell


def to_plain_label(cell: Any) -> int | str:
    """Return a label as a Python integer or string. A member of an Enum is read as its value.

    Raises:
        ThawlineError: If it is neither an integer, a boolean nor a string, or if it contains an
            invalid character (a lone surrogate).
    """
    value = plain_value(cell)
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str):
        plain = str.__str__(value)  # a subclass may print something else
        _check_characters(plain)
        return plain
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)  # pandas turns an integer column with missing values into floats
    raise ThawlineError(
        "labels that are integers, booleans or strings",
        f"{value!r} ({type(value).__name__})",
        "choose another label column, or convert its values to class names",
    )


def _check_characters(label: str) -> None:
    if has_surrogate(label):
        raise ThawlineError(
            "labels of valid characters",
            f"an invalid character (a lone surrogate) in the label {label!a}",
            "remove that character from the label",
            setting="data.label",
        )


def _distinct(raw: Iterable[Any]) -> set[int | str]:
    """Return the distinct labels, and add the number of the row to the error of an invalid one."""
    found: set[int | str] = set()
    for row, cell in enumerate(raw):
        try:
            found.add(to_plain_label(cell))
        except ThawlineError as error:
            raise ThawlineError(
                error.expected,
                f"{error.found} in row {row} (counting from 0)",
                error.fix,
                setting=error.setting,
            ) from None
    return found


def join_words(words: Iterable[object]) -> str:
    """Return the words joined by commas. Long words are shortened, and long lists too."""
    strings = [as_given(shorten(str(word))) for word in words]
    more = len(strings) - _MAX_SHOWN
    return ", ".join(strings[:_MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")


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
        return tuple(sorted(strings, key=lambda value: (_as_integer(value), value)))
    return tuple(sorted(numbers)) or tuple(sorted(strings))


def _are_numbers(values: Iterable[int | str]) -> bool:
    return all(_as_integer(value) is not None for value in values)


def _as_integer(value: int | str) -> int | None:
    """Return the integer that a label stands for, such as 1 for "1" and for "1.0", or None."""
    if isinstance(value, int):
        return value
    match = _WHOLE.fullmatch(value)
    return int(match[1]) if match else None


def _other_spellings(value: int | str) -> list[int | str]:
    """Return the other spellings of an integer, if it is one: 1 and "1.0" for "1"."""
    number = _as_integer(value)
    if number is None or str(value).partition(".")[0] != str(number):
        return []  # "01" may be a code rather than a number
    return [number, str(number), f"{number}.0"]
