"""The texts that a language model learns from, and those that it is measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from thawline.config import ROW_SEED, CorpusConfig
from thawline.data.sources.open import open_source
from thawline.data.sources.parts import WHOLE, Source, split_of
from thawline.errors import ThawlineError

LEAST_TEXTS = 2
"""One to learn from and one to measure on."""


@dataclass(frozen=True)
class Corpus:
    """Distinct texts, in an order drawn once.

    Attributes:
        train: what is learnt from.
        held_out: what is measured on.
        counts: of texts, as JSON values: ``read``, ``copies`` (of another text), ``left_out``
            (distinct ones that are left out), ``train`` and ``held_out``.
        sources: what was read, a line each.
        notes: what whoever gave the sources may not have meant, a line each.
    """

    train: list[str]
    held_out: list[str]
    counts: dict[str, int]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return a SHA-256 over all texts in their order."""
        digest = hashlib.sha256()
        for texts in (self.train, self.held_out):
            digest.update(f"{len(texts)}\n".encode())
            for text in texts:
                read = text.encode()
                digest.update(f"{len(read)}\n".encode() + read)
        return digest.hexdigest()


def read_corpus(config: CorpusConfig) -> Corpus:
    """Read the texts of every source, each text once, and hold some out.

    A folder's test split, or a hub set's, is not read. A file that is named by its own path is,
    whatever it is called; a note says so of one that is called test. Which texts are held out
    depends on nothing but the texts: `ROW_SEED` orders them.

    Raises:
        ThawlineError: no source, one that cannot be read, or fewer texts than two.
    """
    if not config.data:
        raise ThawlineError("--data", "none", "add --data with a file, a folder or a set's name")
    sources: list[str] = []
    notes: list[str] = []
    read, distinct = 0, dict[str, None]()
    for name in config.data:
        source = open_source(name, config.text)
        notes += source.warnings
        for split, part in source.parts.items():
            if split == "test":
                continue
            where = part.table.where
            if split == WHOLE and _is_called_test(source):
                notes.append(f"{where} looks like a test split; its texts are learnt from")
            sources.append(f"{where}: {len(part.texts):,} texts")
            read += len(part.texts)
            distinct |= dict.fromkeys(map(_as_one, part.texts))
    copies = read - len(distinct)
    left_out = {
        text
        for name in config.without
        for part in open_source(name, config.text).parts.values()
        for text in map(_as_one, part.texts)
    } & distinct.keys()
    texts = [text for text in distinct if text not in left_out and text.strip()]
    order = np.random.default_rng(ROW_SEED).permutation(len(texts))[: config.limit]
    n_held_out = max(1, round(len(order) * config.held_out))
    if len(order) < LEAST_TEXTS:
        fix = "add a source with --data, or raise corpus.limit"
        raise ThawlineError(f"at least {LEAST_TEXTS} texts to learn from", str(len(order)), fix)
    counts = {
        "read": read,
        "copies": copies,
        "left_out": len(left_out),
        "train": len(order) - n_held_out,
        "held_out": n_held_out,
    }
    return Corpus(
        [texts[row] for row in order[n_held_out:]],
        [texts[row] for row in order[:n_held_out]],
        counts,
        tuple(sources),
        tuple(notes),
    )


def _is_called_test(source: Source) -> bool:
    """Whether a file is named as a test split is: test.csv, test-00000-of-00001.parquet."""
    return split_of(source.name.partition("-")[0]) == "test"


def _as_one(text: Any) -> str:
    return text if isinstance(text, str) else "\n".join(text)


def n_bytes(texts: Iterable[str]) -> int:
    """Return the length of texts in UTF-8, in bytes."""
    return sum(len(text.encode()) for text in texts)
