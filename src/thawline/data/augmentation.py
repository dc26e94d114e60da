"""Add altered copies of the training texts: without some words, reordered, or with synonyms.

The operations are those of "easy data augmentation" (Wei and Zou, 2019, arXiv 1901.11196) without
its insertions. A word is a run of letters, digits, apostrophes and hyphens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from thawline.data.dataset import LabelledTexts
from thawline.data.synonyms import read_synonyms
from thawline.data.texts import Text
from thawline.errors import ThawlineError, did_you_mean

SETTING = "training.augment"

MAX_COPIES = 100
"""The largest number of copies of each text."""

_EXAMPLE = "word_dropout=0.1,swap=0.05,synonyms=0.1,copies=2"

_WORD = re.compile(r"(\w+(?:['’-]\w+)*)")


@dataclass(frozen=True)
class Augmentation:
    """How training texts are altered.

    Attributes:
        word_dropout: The probability that a word is removed.
        swap: The probability that a word changes places with the next one.
        synonyms: The probability that a word that has synonyms is replaced by one of them.
        copies: The number of altered copies of each text.
    """

    word_dropout: float = 0.0
    swap: float = 0.0
    synonyms: float = 0.0
    copies: int = 1

    def applied_to(self, part: LabelledTexts, seed: int) -> LabelledTexts:
        """Return labelled texts followed by altered copies of them.

        A copy depends only on the text, the seed and its number, not on the other texts, so that
        fits on a part of a data set and on all of it share the stored states of their copies.

        Args:
            part: The texts.
            seed: The random seed.

        Returns:
            The texts in their order, and then as many copies of all texts as `copies`, each with
            the label and the row number of its text.
        """
        texts = [
            self._alter(text, seed, number)
            for number in range(1, self.copies + 1)
            for text in part.texts
        ]
        times = self.copies + 1
        labels, rows = np.tile(part.labels, times), np.tile(part.rows, times)
        return replace(part, texts=[*part.texts, *texts], labels=labels, rows=rows)

    def check(self) -> None:
        """Raise ThawlineError if the lexicon of synonyms is needed and cannot be read."""
        try:
            self._lexicon()
        except ThawlineError as error:
            raise ThawlineError(error.expected, error.found, error.fix, setting=SETTING) from error

    def _lexicon(self) -> Mapping[str, tuple[str, ...]]:
        return read_synonyms() if self.synonyms else {}

    def _alter(self, text: Text, seed: int, number: int) -> Text:
        """Return one altered copy of a text, or of both texts of a pair."""
        parts = (text,) if isinstance(text, str) else text
        key = "\0".join((str(seed), str(number), *parts))
        digest = blake2b(key.encode(), digest_size=16).digest()
        random = np.random.default_rng(int.from_bytes(digest, "little"))
        altered = [self._alter_string(part, random) for part in parts]
        return altered[0] if isinstance(text, str) else (altered[0], altered[1])

    def _alter_string(self, text: str, random: np.random.Generator) -> str:
        """Return an altered copy of a string. At least one of its words remains."""
        pieces = _WORD.split(text)
        words = pieces[1::2]
        count, lexicon = len(words), self._lexicon()
        if not count:
            return text
        # All random numbers are drawn, so that one operation does not change those of the others.
        replaced, swapped, dropped = random.random((3, count))
        choice = random.random(count)
        for place, word in enumerate(words):
            synonyms = lexicon.get(word.lower(), ()) if replaced[place] < self.synonyms else ()
            if synonyms:
                synonym = synonyms[int(choice[place] * len(synonyms))]
                words[place] = synonym[0].upper() + synonym[1:] if word[0].isupper() else synonym
        place = 0
        while place < count - 1:
            if swapped[place] < self.swap:
                words[place], words[place + 1] = words[place + 1], words[place]
                place += 1
            place += 1
        keeps = dropped >= self.word_dropout
        keeps[int(dropped.argmax())] = True
        altered = pieces[0]
        for word, gap, is_kept in zip(words, pieces[2::2], keeps, strict=True):
            if is_kept:
                altered += word + gap
            else:  # do not leave two spaces
                altered += gap.lstrip() if not altered or altered[-1].isspace() else gap
        return altered


def parse_augmentation(written: str | None) -> Augmentation | None:
    """Return the augmentation that the setting ``training.augment`` describes.

    Args:
        written: For example ``word_dropout=0.1,copies=2``. None for no augmentation.

    Raises:
        ThawlineError: If a name is unknown, occurs twice or has an invalid value, or if nothing
            would be altered.
    """
    if written is None:
        return None
    given: dict[str, float | int] = {}
    for item in written.split(","):
        name, _, value = (part.strip() for part in item.partition("="))
        if name not in Augmentation.__dataclass_fields__:
            known = tuple(Augmentation.__dataclass_fields__)
            raise ThawlineError(
                f"an augmentation ({', '.join(known)})",
                f"'{name}'",
                did_you_mean(name, known),
                setting=SETTING,
            )
        if name in given:
            fix = "write it once"
            raise ThawlineError(f"one value of {name}", f"'{written}'", fix, setting=SETTING)
        given[name] = _read_copies(value) if name == "copies" else _read_share(name, value)
    if given.keys() <= {"copies"}:
        raise ThawlineError(
            "at least one of word_dropout, swap and synonyms in `training.augment`",
            f"'{written}', which alters no text",
            f"use for example `training.augment={_EXAMPLE}`",
            setting=SETTING,
        )
    return Augmentation(**given)  # type: ignore[arg-type]  # only copies is an integer


def _read_share(name: str, value: str) -> float:
    """Return the probability of an operation, above 0 and below 1."""
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ThawlineError(
            f"a share of the words above 0 and below 1 for {name}",
            f"'{value}'",
            f"use for example {name}=0.1",
            setting=SETTING,
        )
    return share


def _read_copies(value: str) -> int:
    """Return the number of copies, from 1 to `MAX_COPIES`."""
    copies = int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else 0
    if not 1 <= copies <= MAX_COPIES:
        raise ThawlineError(
            f"a number of copies from 1 to {MAX_COPIES}",
            f"'{value}'",
            "use for example copies=2",
            setting=SETTING,
        )
    return copies
