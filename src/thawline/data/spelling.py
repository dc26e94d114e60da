"""Recognise class names that are probably different spellings of the same class."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(?:\.0*)?")
_SEPARATORS = re.compile(r"(?<=\w)[-_\s]+(?=\w)")
_QUOTES = "\"'`´‘’‚“”„«»‹›"
_ENDS = _QUOTES + ".,;:"
_BOOLEANS = {"false": "0", "true": "1"}
_LOOK_LATIN = str.maketrans(
    "аеорсухікмтвнԁјѕαοινρτυκ",
    "aeopcyxikmtbhdjsaoivptuk",
)
"""Cyrillic and Greek letters in lower case that look like Latin letters."""
_PUNCTUATION = str.maketrans("‘’ʼ`´‐‑‒–—―−", "'''''-------")
"""Typographic apostrophes, dashes and minus signs, which word processors insert."""
# fmt: off
_MISSING = frozenset({
    "nan", "NaN", "NAN", "na", "NA", "n/a", "N/A", "#N/A", "#NA", "<NA>", "NaT", "null",
    "NULL", "Null", "None", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!",
    "undefined"
})
# fmt: on
"""What programs write for a missing value or for an error in a cell."""


def spelling_key(label: int | str) -> str:
    """Return a key that the different spellings of a label share.

    It ignores case, white space, hyphens and underscores between words, quotation marks and
    punctuation around the label, invisible characters, the kind of apostrophes and dashes, and the
    way in which characters are encoded.
    It is equal for ``1``, ``1.0`` and ``True``, and for Cyrillic or Greek letters that look like
    Latin ones.

    Args:
        label: The value or the name of a class.
    """
    text = unicodedata.normalize("NFKC", str(label).translate(_PUNCTUATION))
    visible = "".join(
        " " if unicodedata.category(character) == "Cc" else character
        for character in text
        if unicodedata.category(character) != "Cf"
    )
    plain = _strip(visible, _QUOTES)
    if _WHOLE.fullmatch(plain):
        return str(int(plain.partition(".")[0]))
    plain = _strip(plain, _ENDS).casefold()
    plain = _SEPARATORS.sub(" ", plain).translate(_LOOK_LATIN)
    # Case folding can decompose characters again.
    return _BOOLEANS.get(plain, unicodedata.normalize("NFKC", plain)) or str(label)


def group_spellings(names: Sequence[str], values: Sequence[int | str]) -> list[list[int]]:
    """Group classes whose names or values are spellings of each other.

    Args:
        names: The name of each class.
        values: The value of each class in the source.

    Returns:
        The ids of the classes in each group, ascending. Classes without another spelling are left
        out.
    """
    groups: dict[tuple[int, ...], None] = {}
    for labels in (names, values):
        by_key: defaultdict[str, list[int]] = defaultdict(list)
        for i, label in enumerate(labels):
            by_key[spelling_key(label)].append(i)
        groups |= dict.fromkeys(tuple(ids) for ids in by_key.values() if len(ids) > 1)
    return [list(group) for group in groups]


def has_stray_characters(name: str) -> bool:
    """Return whether a name has white space or quotation marks around it, or invisible characters.

    A single quotation mark, as in ``rock 'n'``, is not counted.
    """
    quoted = len(name) > 1 and name.strip()[:1] in _QUOTES and name.strip()[-1:] in _QUOTES
    invisible = any(unicodedata.category(character) in ("Cf", "Cc") for character in name)
    return name != name.strip() or (quoted and bool(name.strip())) or invisible


def is_missing_marker(text: str) -> bool:
    """Return whether a text or a label is what programs write for a missing value, such as nan."""
    return text.strip() in _MISSING


def quote_name(name: str, others: Sequence[str]) -> str:
    """Return a name in quotes, with escapes if it could be mistaken for another name.

    Args:
        name: The name.
        others: The names that are shown beside it.
    """
    looks = unicodedata.normalize("NFKC", name).translate(_LOOK_LATIN)
    alike = sum(
        looks == unicodedata.normalize("NFKC", other).translate(_LOOK_LATIN) for other in others
    )
    return ascii(name) if alike > 1 or has_stray_characters(name) else repr(name)


def _strip(text: str, characters: str) -> str:
    """Remove characters and white space from both ends of a text."""
    stripped = text.strip()
    while stripped and (stripped[0] in characters or stripped[-1] in characters):
        stripped = stripped.strip(characters).strip()
    return stripped
