"""Read the texts that a language model is trained and evaluated on."""

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

MINIMUM_TEXTS = 2
"""One text to train on and one to evaluate on."""


@dataclass(frozen=True)
class Corpus:
    """Hold distinct texts in a fixed random order.

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
        digest = hashlib.sha256()
        for texts in (self.train, self.held_out):
            digest.update(f"{len(texts)}\n".encode())
            for text in texts:
                encoded = text.encode()
                digest.update(f"{len(encoded)}\n".encode() + encoded)
        return digest.hexdigest()


def read_corpus(config: CorpusConfig) -> Corpus:
    """Read the distinct texts of all sources, and hold some of them out.

    The test split of a folder or of a dataset on the hub is not read. A file that is given by its
    own path is always read, and a warning is added if its name looks like a test split. The order
    of the texts, and so which are held out, depends on the texts and on the constant `ROW_SEED`.

    Args:
        config: The sources, the texts to exclude, and how many texts to use.

    Raises:
        ThawlineError: If no source is given, a source cannot be read, or fewer than 2 texts remain.
    """
    if not config.data:
        raise ThawlineError(
            "a value for --data",
            "none",
            "add --data with a file, a folder or the name of a dataset",
            setting="corpus.data",
        )
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
            if split == WHOLE and _is_named_test(source):
                notes.append(f"the model is trained on {where}, which looks like a test split")
            sources.append(f"{where}: {len(part.texts):,} texts")
            read += len(part.texts)
            distinct |= dict.fromkeys(map(_join_pair, part.texts))
    copies = read - len(distinct)
    left_out = {
        text
        for name in config.without
        for part in open_source(name, config.text).parts.values()
        for text in map(_join_pair, part.texts)
    } & distinct.keys()
    texts = [text for text in distinct if text not in left_out and text.strip()]
    order = np.random.default_rng(ROW_SEED).permutation(len(texts))[: config.limit]
    n_held_out = max(1, round(len(order) * config.held_out))
    if len(order) < MINIMUM_TEXTS:
        fix = "add a source with --data, or raise corpus.limit"
        raise ThawlineError(f"at least {MINIMUM_TEXTS} distinct texts", str(len(order)), fix)
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


def _is_named_test(source: Source) -> bool:
    """Return whether a file has a test split's name: test.csv, test-00000-of-00001.parquet."""
    return split_of(source.name.partition("-")[0]) == "test"


def _join_pair(text: Any) -> str:
    """Return a text unchanged, and a pair of texts as two lines."""
    return text if isinstance(text, str) else "\n".join(text)


def n_bytes(texts: Iterable[str]) -> int:
    """Return the total length of texts in UTF-8, in bytes."""
    return sum(len(text.encode()) for text in texts)
