"""Read the texts that a language model is trained and evaluated on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thawline.config import ROW_SEED, CorpusConfig
from thawline.data import Text
from thawline.data.sources.lines import is_lines, unlabelled_lines
from thawline.data.sources.open import open_source
from thawline.data.sources.parts import WHOLE, Source, split_of
from thawline.data.texts import is_blank, one_string
from thawline.errors import ThawlineError
from thawline.runtime.paths import expand

MINIMUM_TEXTS = 2
"""Minimum number of distinct texts: one to train on and one to evaluate on."""


@dataclass(frozen=True)
class Corpus:
    """Distinct texts in a fixed random order, of which some are held out.

    Attributes:
        train: The texts to train on.
        held_out: The texts to evaluate on.
        counts: Numbers of texts, as JSON values: ``read``, ``copies`` (repetitions of a text),
            ``left_out`` (distinct texts that were excluded), ``train`` and ``held_out``.
        sources: Descriptions of what was read, one line each.
        warnings: Descriptions of probable mistakes in the sources, one line each.
    """

    train: list[str]
    held_out: list[str]
    counts: dict[str, int]
    sources: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return a SHA-256 of all texts and their order."""
        return hash_texts(self.train, self.held_out)


def hash_texts(*parts: Sequence[Text]) -> str:
    """Return a SHA-256 of lists of texts and their order.

    Args:
        parts: The lists.
    """
    digest = hashlib.sha256()
    for texts in parts:
        digest.update(f"{len(texts)}\n".encode())
        for text in texts:
            encoded = one_string(text).encode()
            digest.update(f"{len(encoded)}\n".encode() + encoded)
    return digest.hexdigest()


@dataclass(frozen=True)
class TextsRead:
    """The texts of several sources.

    Attributes:
        distinct: Each distinct text once.
        read: The number of texts, with repetitions.
        sources: Descriptions of what was read, one line each.
        warnings: Descriptions of probable mistakes in the sources, one line each.
    """

    distinct: dict[Text, None]
    read: int
    sources: tuple[str, ...]
    warnings: tuple[str, ...]


def read_texts(names: Sequence[str], column: str | None) -> TextsRead:
    """Read the texts of all sources, except those of a test split and blank ones.

    Args:
        names: Files, folders, names of data sets or hub ids. A ``.txt`` file has a text per line.
        column: The name of the text column, or of two columns joined by a comma. If None, a column
            with a common name. It is not used for ``.txt`` files.

    Raises:
        ThawlineError: If a source cannot be read, or if it has no text.
    """
    distinct: dict[Text, None] = {}
    read, sources, warnings = 0, list[str](), list[str]()
    for name in names:
        before = read
        for where, texts, notes in _parts(name, column):
            warnings += notes
            sources.append(f"{where}: {len(texts):,} texts")
            read += len(texts)
            distinct |= dict.fromkeys(texts)
        if read == before:
            fix = "give another file, or one of the folder"
            raise ThawlineError(
                f"at least one text in '{name}', apart from a test split", "none", fix
            )
    return TextsRead(distinct, read, tuple(sources), tuple(warnings))


def _parts(name: str, column: str | None) -> Iterator[tuple[str, list[Text], list[str]]]:
    """Yield the place, the texts and the warnings of each part of a source, except a test split."""
    lines = unlabelled_lines(name)
    if lines is not None:
        yield _part(name, lines, (), looks_like_test=_is_named_test(Path(name).stem))
        return
    source = _open(name, column)
    notes = source.warnings
    for split, part in source.parts.items():
        if split != "test":
            is_test = split == WHOLE and _is_named_test(source.name)
            own = (*notes, *part.table.warnings)
            yield _part(part.table.where, part.texts, own, looks_like_test=is_test)
            notes = ()


def _part(
    where: str, texts: Sequence[Text], notes: Sequence[str], *, looks_like_test: bool
) -> tuple[str, list[Text], list[str]]:
    warnings = list(notes)
    if looks_like_test:
        warnings.append(f"the model is trained on {where}, which looks like a test split")
    return where, [text for text in texts if not is_blank(text)], warnings


def read_corpus(config: CorpusConfig) -> Corpus:
    """Read the distinct texts of all sources, and hold some of them out.

    The test split of a folder or of a data set on the hub is not read. A file that is given by its
    path is always read, and a warning is added if its name looks like a test split. The order of
    the texts, and the choice of the held-out texts, depend only on the texts and on `ROW_SEED`.

    Args:
        config: The sources, the texts to exclude, and how many texts to use.

    Raises:
        ThawlineError: If no source is given, a source cannot be read, or fewer than 2 texts remain.
    """
    if not config.data:
        raise ThawlineError(
            "a value for `corpus.data`",
            "none",
            "add `corpus.data` with a file, a folder or the name of a data set",
            setting="corpus.data",
        )
    found = read_texts(config.data, config.text)
    distinct = dict.fromkeys(map(one_string, found.distinct))
    copies = found.read - len(distinct)
    left_out = {
        text for name in config.without for text in map(one_string, _all_texts(name, config.text))
    } & distinct.keys()
    texts = [text for text in distinct if text not in left_out]
    order = np.random.default_rng(ROW_SEED).permutation(len(texts))[: config.limit]
    n_held_out = max(1, round(len(order) * config.held_out))
    if len(order) < MINIMUM_TEXTS:
        fix = "add a source with `corpus.data`, or raise `corpus.limit`"
        left = f"{len(order)} {'text' if len(order) == 1 else 'texts'}"
        raise ThawlineError(f"at least {MINIMUM_TEXTS} distinct texts", left, fix)
    counts = {
        "read": found.read,
        "copies": copies,
        "left_out": len(left_out),
        "train": len(order) - n_held_out,
        "held_out": n_held_out,
    }
    return Corpus(
        [texts[row] for row in order[n_held_out:]],
        [texts[row] for row in order[:n_held_out]],
        counts,
        found.sources,
        found.warnings,
    )


def _open(name: str, column: str | None) -> Source:
    """Open a source. A text file has no columns with names."""
    return open_source(name, None if is_lines(expand(name)) else column)


def _all_texts(name: str, column: str | None) -> Iterator[Text]:
    """Yield the texts of all parts of a source."""
    lines = unlabelled_lines(name)
    if lines is not None:
        yield from lines
        return
    for part in _open(name, column).parts.values():
        yield from part.texts


def _is_named_test(name: str) -> bool:
    """Return whether a file has a test split's name: test.csv, test-00000-of-00001.parquet."""
    return split_of(name.partition("-")[0]) == "test"


def n_bytes(texts: Iterable[str]) -> int:
    """Return the total length of texts in UTF-8, in bytes."""
    return sum(len(text.encode()) for text in texts)
