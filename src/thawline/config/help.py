"""The meaning of a setting, kept in the annotation of its field."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Help:
    """The description of a setting for the command line and the documentation.

    It is part of the annotation of a field, after the type and its range::

        batch_size: Annotated[Count, Help("Number of texts in a training step.")] = 16

    Attributes:
        text: The meaning in full sentences. Literal values may be in backticks.
        default: The default in words, for example "all rows". None if the default value of the
            field is shown, or if the setting must be given.
        metavar: The placeholder for the value on the command line. If None, the option's name in
            capital letters.
        option: The option on the command line. If None, it is ``--`` and the name of the field.
        short: A second, short name of the option, for example ``-s``. None if it has none.
        repeatable: Whether the option can be given several times, once for each item of a list.
    """

    text: str
    default: str | None = None
    metavar: str | None = None
    option: str | None = None
    short: str | None = None
    repeatable: bool = False
