"""Store all documents as one sequence of tokens on disk, and cut windows out of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from thawline.config import PretrainingConfig
from thawline.errors import ThawlineError
from thawline.runtime.files import new_file
from thawline.runtime.progress import Reporter
from thawline.runtime.untrusted import check_regular

TEXTS_PER_CALL = 1_000
"""Number of texts whose tokens are in memory at the same time."""

Tokens = NDArray[np.uint16] | NDArray[np.uint32]


def pack(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, path: Path, reporter: Reporter
) -> None:
    """Write the tokens of all texts to one ``.npy`` file, each text between bos and eos tokens.

    The file appears only when it is complete. The tokens of at most `TEXTS_PER_CALL` texts are in
    memory at the same time.

    Args:
        texts: The documents.
        tokenizer: The tokenizer, which needs a bos and an eos token.
        path: The path of the file. Its dtype is uint16 if every id fits, otherwise uint32.
        reporter: Receives the progress.

    Raises:
        OSError: If the file cannot be written.
    """
    dtype = np.dtype(np.uint16 if len(tokenizer) <= 2**16 else np.uint32)
    total = 0
    with new_file(path) as npy_path, tempfile.TemporaryFile(dir=path.parent) as tokens:
        with reporter.task(f"tokens of {path.stem}", len(texts)) as advance:
            for count, ids in _documents(texts, tokenizer):
                tokens.write(np.array(ids, dtype=dtype).tobytes())
                total += len(ids)
                advance(count)
        tokens.seek(0)
        with npy_path.open("wb") as file:
            header = {"descr": dtype.str, "fortran_order": False, "shape": (total,)}
            np.lib.format.write_array_header_1_0(file, header)
            shutil.copyfileobj(tokens, file)


def is_packed(path: Path, vocabulary: int) -> bool:
    """Return whether a file is complete and as `pack` writes it. Otherwise it is packed again.

    Args:
        path: The path of the file.
        vocabulary: Number of tokens in the vocabulary, which every id must be below.
    """
    try:
        check_regular(path)
        tokens = open_tokens(path)
    except Exception:  # numpy raises many types for a damaged header, even TokenError
        return False
    if tokens.ndim != 1 or tokens.dtype not in (np.uint16, np.uint32):
        return False
    return bool(tokens.max(initial=0) < vocabulary)


def check_windows(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, training: PretrainingConfig
) -> None:
    """Check that the texts fill at least one training step.

    Texts are tokenised only until the step is full.

    Args:
        texts: The documents.
        tokenizer: The tokenizer.
        training: The settings, which define the length of a window and the windows of a step.

    Raises:
        ThawlineError: If the texts have too few tokens.
    """
    windows, total = training.batch_size, 0
    for _, ids in _documents(texts, tokenizer):
        total += len(ids)
        if n_windows(total, training.window) >= windows:
            return
    raise ThawlineError(
        f"enough texts for one step of {windows:,} windows of {training.window:,} tokens",
        f"{total:,} tokens, enough for {max(0, n_windows(total, training.window)):,} windows",
        "use a smaller `training.batch_size` or `training.window`, or add texts",
    )


def _documents(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast
) -> Iterator[tuple[int, list[int]]]:
    """Yield the texts in groups: the number of texts, and the tokens of all of them.

    The name of a special token inside a text is encoded as ordinary text. Otherwise a document
    could begin or end inside another one.
    """
    encoder, bos, eos = tokenizer.backend_tokenizer, tokenizer.bos_token_id, tokenizer.eos_token_id
    encoder.no_truncation()
    encoder.encode_special_tokens = True
    for first in range(0, len(texts), TEXTS_PER_CALL):
        group = list(texts[first : first + TEXTS_PER_CALL])
        encoded = encoder.encode_batch_fast(group, add_special_tokens=False)
        yield len(group), [id for text in encoded for id in (bos, *text.ids, eos)]


def open_tokens(path: Path) -> Tokens:
    """Return the memory-mapped tokens of a file, ``(tokens,)``."""
    tokens: Tokens = np.load(path, mmap_mode="r")
    return tokens


def n_windows(tokens: int, length: int) -> int:
    """Return the number of windows that are complete for every start of the first one."""
    return (tokens - length) // length


class Windows:
    """Cut a sequence of tokens into adjacent windows of a fixed length.

    Adjacent windows share one token, which is predicted in one window and read in the next. So
    every token except the first is predicted once. The first window can start at a different token
    in each epoch, so that documents are not always cut at the same positions.

    Args:
        tokens: All tokens, ``(tokens,)``.
        length: Number of tokens that are read in a window.

    Raises:
        ThawlineError: If there are fewer tokens than in two windows.
    """

    def __init__(self, tokens: Tokens, length: int) -> None:
        self._tokens, self.length = tokens, length
        self._count = n_windows(len(tokens), length)
        if self._count < 1:
            raise ThawlineError(
                f"texts with at least {2 * length:,} tokens in total, which are two windows",
                f"{len(tokens):,} tokens",
                "add texts, or use a smaller `training.window`",
            )

    def __len__(self) -> int:
        return self._count

    def take(self, windows: NDArray[np.int64], start: int) -> NDArray[np.int64]:
        """Return some windows, each with the token that follows it.

        Args:
            windows: Indices of the windows, ``(windows,)``.
            start: Position of the first token of window 0, below ``length``.

        Returns:
            Token ids, ``(windows, length + 1)``.
        """
        firsts = start + windows * self.length
        return np.stack([self._tokens[f : f + self.length + 1] for f in firsts]).astype(np.int64)


def all_windows(tokens: Tokens, length: int, pad_id: int) -> NDArray[np.int64]:
    """Return all tokens as windows, each with the token that follows it.

    Args:
        tokens: All tokens, ``(tokens,)``.
        length: Number of tokens that are read in a window.
        pad_id: Id of the token that fills the last window.

    Returns:
        Token ids, ``(windows, length + 1)``.
    """
    count = -(-(len(tokens) - 1) // length)
    padded = np.full(count * length + 1, pad_id, dtype=np.int64)
    padded[: len(tokens)] = tokens
    return np.stack([padded[n * length : (n + 1) * length + 1] for n in range(count)])
