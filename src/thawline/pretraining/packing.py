"""Documents as one row of tokens on disk, and the windows that are cut out of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from thawline.config import PretrainingConfig
from thawline.errors import ThawlineError
from thawline.runtime.failures import system_errors
from thawline.runtime.progress import Reporter

TEXTS_PER_CALL = 1_000
"""Texts whose tokens are in memory at once."""

Tokens = NDArray[np.uint16] | NDArray[np.uint32]


def pack(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, path: Path, reporter: Reporter
) -> None:
    """Write the tokens of all texts into one ``.npy``: of each a bos, its own, and an eos.

    It appears whole or not at all, and no more than `TEXTS_PER_CALL` texts' tokens are in memory.

    Args:
        texts: the documents.
        tokenizer: with ids for bos and eos.
        path: of the file; uint16 where every id fits, else uint32.
        reporter: told of progress.
    """
    kind = np.dtype(np.uint16 if len(tokenizer) <= 2**16 else np.uint32)
    body, whole = path.with_suffix(".tokens.tmp"), path.with_suffix(".npy.tmp")
    total = 0
    with system_errors(path), reporter.task(f"tokens of {path.stem}", len(texts)) as advance:
        with body.open("wb") as file:
            for read, ids in _documents(texts, tokenizer):
                file.write(np.array(ids, dtype=kind).tobytes())
                total += len(ids)
                advance(read)
        with whole.open("wb") as file, body.open("rb") as tokens:
            header = {"descr": kind.str, "fortran_order": False, "shape": (total,)}
            np.lib.format.write_array_header_1_0(file, header)
            shutil.copyfileobj(tokens, file)
        os.replace(whole, path)
        body.unlink()


def check_windows(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, training: PretrainingConfig
) -> None:
    """Raise ThawlineError where texts make fewer windows than a step has.

    No more of them is tokenised than answers that.
    """
    windows, total = training.batch_size, 0
    for _, ids in _documents(texts, tokenizer):
        total += len(ids)
        if n_windows(total, training.window) >= windows:
            return
    raise ThawlineError(
        f"texts for a step of {windows:,} windows of {training.window:,} tokens",
        f"{total:,} tokens, enough for {max(0, n_windows(total, training.window)):,}",
        "give a smaller --batch-size or training.window, or add texts",
    )


def _documents(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast
) -> Iterator[tuple[int, list[int]]]:
    """Yield for some texts at a time how many they are, and the tokens of all of them.

    A special token that is spelt out in a text is text, so that no document begins or ends in
    another.
    """
    encoder, bos, eos = tokenizer.backend_tokenizer, tokenizer.bos_token_id, tokenizer.eos_token_id
    encoder.no_truncation()
    encoder.encode_special_tokens = True
    for first in range(0, len(texts), TEXTS_PER_CALL):
        some = list(texts[first : first + TEXTS_PER_CALL])
        encoded = encoder.encode_batch_fast(some, add_special_tokens=False)
        yield len(some), [id for one in encoded for id in (bos, *one.ids, eos)]


def open_tokens(path: Path) -> Tokens:
    """Map the tokens of a file into memory, ``(tokens,)``."""
    tokens: Tokens = np.load(path, mmap_mode="r")
    return tokens


def n_windows(tokens: int, length: int) -> int:
    """Return how many whole windows there are wherever below ``length`` the first begins."""
    return (tokens - length) // length


class Windows:
    """Windows of fixed length, side by side, each sharing one token with the next.

    The shared token is read in one window and predicted in the other, so that every token but
    the very first is predicted once. An epoch may begin its first window up to one window later
    than another does, so that documents are not always cut at the same places.

    Args:
        tokens: all tokens, ``(tokens,)``.
        length: of a window: tokens that are read in it.

    Raises:
        ThawlineError: there is not one whole window, wherever the first begins.
    """

    def __init__(self, tokens: Tokens, length: int) -> None:
        self._tokens, self.length = tokens, length
        self._count = n_windows(len(tokens), length)
        if self._count < 1:
            raise ThawlineError(
                f"texts of at least {2 * length:,} tokens together, two windows",
                f"{len(tokens):,} tokens",
                "add texts, or give a shorter training.window",
            )

    def __len__(self) -> int:
        return self._count

    def take(self, windows: NDArray[np.int64], start: int) -> NDArray[np.int64]:
        """Return windows with the token after each, ``(windows, length + 1)``.

        Args:
            windows: their numbers.
            start: the token at which the first window begins, below ``length``.
        """
        firsts = start + windows * self.length
        return np.stack([self._tokens[f : f + self.length + 1] for f in firsts]).astype(np.int64)


def all_windows(tokens: Tokens, length: int, pad_id: int) -> NDArray[np.int64]:
    """Return all tokens as windows with the token after each, ``(windows, length + 1)``.

    The last is filled with the pad id.
    """
    count = -(-(len(tokens) - 1) // length)
    padded = np.full(count * length + 1, pad_id, dtype=np.int64)
    padded[: len(tokens)] = tokens
    return np.stack([padded[n * length : (n + 1) * length + 1] for n in range(count)])
