"""Compare the bits per byte of a language model with those of unigrams, trigrams and ``xz -9``.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.ngrams runs/reviews-qwen3 --json ngrams.json

It prints the bits per byte on the held-out text of each model.

It needs the folder of a run of ``thawline pretrain``, which holds the tokens and the tokenizer. If
the run is finished, the table includes the language model.

The unigram and the trigram model read and predict the same tokens as the language model: all tokens
of a document except its bos, including its eos. No token is predicted from another document. The
trigram model uses interpolated modified Kneser-Ney smoothing, whose discounts follow from the
counts in train (Chen and Goodman, 1999, https://doi.org/10.1006/csla.1999.0128). The unigram model
has one discount (Ney, Essen and Kneser, 1994, https://doi.org/10.1006/csla.1994.1001). The
discounted mass is distributed evenly over all tokens that can be predicted, so no probability is 0.

``xz`` compresses the bytes of the held-out documents, with a zero byte after each. The row
``alone`` compresses only these bytes. The row ``after train`` is the compressed size of train and
held-out together minus that of train. The end of train is used, as much of it as fits with the
held-out text into the window of ``xz -9`` (64 MiB).
"""

from __future__ import annotations

import argparse
import json
import lzma
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[Any]
Keys = NDArray[np.uint64]
Row = dict[str, Any]

BITS = 21
"""The number of bits of an id in a packed gram. Three ids fit into 64 bits."""

WINDOW = 64 * 2**20
"""The size of the window of ``xz -9``, in bytes."""

UNKNOWN_DISCOUNTS = (0.5, 1.0, 1.5)
"""The discounts if the counts are too few for the formula. KenLM uses the same."""


# -- grams -----------------------------------------------------------------------------------------


def flat(documents: Ids | Sequence[Ids]) -> Ids:
    """Return documents as one array of ids, ``(tokens,)``. An array is returned as it is."""
    return documents if isinstance(documents, np.ndarray) else np.concatenate(list(documents))


def packed(ids: Ids) -> Keys:
    """Return the packed trigram that ends at each token except bos, in order.

    Args:
        ids: Concatenated documents, ``(tokens,)``. The first id is bos, and each document begins
            with it. A second bos is assumed before each document, so that its first token has a
            context of two tokens.

    Returns:
        The trigrams, ``(tokens without bos,)``.

    Raises:
        ValueError: If an id does not fit into `BITS` bits.
    """
    if int(ids.max()) >= 1 << BITS:
        raise ValueError(f"the id {int(ids.max())} does not fit into {BITS} bits")
    last = ids.astype(np.uint64)
    bos, shift = last[0], np.uint64(BITS)
    second = np.concatenate([last[:1], last[:-1]])
    first = np.concatenate([last[:1], second[:-1]])
    first[second == bos] = bos
    keys: Keys = ((first << shift | second) << shift | last)[last != bos]
    return keys


def counted(keys: Keys) -> tuple[Keys, NDArray[np.int64]]:
    """Return the distinct keys in ascending order, and the count of each."""
    ordered = np.sort(keys)
    firsts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[firsts], np.diff(np.concatenate([firsts, [len(ordered)]]))


def discounts(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the discounts of counts of 1, 2, and 3 or more (Chen and Goodman, eq. 17)."""
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return UNKNOWN_DISCOUNTS
    share = n1 / (n1 + 2 * n2)
    one, two, three = 1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3
    valid = 0 < one <= 1 and 0 < two <= 2 and 0 < three <= 3
    return (one, two, three) if valid else UNKNOWN_DISCOUNTS


class Order:
    """The grams of one length, with their discounted probabilities and back-off weights.

    Args:
        grams: The distinct packed grams in ascending order. The predicted id is in the lowest bits.
        counts: The count of each gram, at least 1.
        taken: The discounts of counts of 1, 2, and 3 or more. If None, they follow from the counts.
    """

    def __init__(
        self,
        grams: Keys,
        counts: NDArray[np.int64],
        taken: tuple[float, float, float] | None = None,
    ) -> None:
        self.taken = discounts(counts) if taken is None else taken
        self._grams = grams
        contexts = grams >> np.uint64(BITS)
        firsts = np.flatnonzero(np.concatenate([[True], contexts[1:] != contexts[:-1]]))
        self._contexts = contexts[firsts]
        discount = np.asarray(self.taken)[np.minimum(counts, 3) - 1]
        totals = np.add.reduceat(counts, firsts)
        self._left = np.add.reduceat(discount, firsts) / totals
        lengths = np.diff(np.concatenate([firsts, [len(grams)]]))
        self._shares = (counts - discount) / np.repeat(totals, lengths)

    def __len__(self) -> int:
        return len(self._grams)

    def look_up(self, grams: Keys) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the discounted probability of each gram, and the weight of the shorter gram."""
        own = _found(self._grams, self._shares, grams, 0.0)
        left = _found(self._contexts, self._left, grams >> np.uint64(BITS), 1.0)
        return own, left


def _found(
    known: Keys, values: NDArray[np.float64], wanted: Keys, default: float
) -> NDArray[np.float64]:
    """Return the values of the wanted keys, or the default for keys that are not known."""
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[places] == wanted, values[places], default)


def trigram_model(ids: Ids) -> tuple[Order, Order, Order]:
    """Return the trigrams, bigrams and unigrams of interpolated modified Kneser-Ney smoothing.

    The count of a trigram is the number of its occurrences. The count of a shorter gram is the
    number of distinct tokens before it. A bigram that starts a document has only bos before it, so
    its count is the number of its occurrences.

    Args:
        ids: Concatenated documents, as `packed` takes them.
    """
    grams, counts = counted(packed(ids))
    bos, shift = np.uint64(ids[0]), np.uint64(BITS)
    trigrams = Order(grams, counts)
    low = np.uint64((1 << 2 * BITS) - 1)
    at_start = (grams & low) >> shift == bos
    starts, occurrences = grams[at_start] & low, counts[at_start]
    pairs, pair_counts = counted(grams & low)
    pair_counts[np.searchsorted(pairs, starts)] = occurrences
    bigrams = Order(pairs, pair_counts)
    unigrams = Order(*counted(pairs & np.uint64((1 << BITS) - 1)))
    return trigrams, bigrams, unigrams


def unigram_model(ids: Ids) -> Order:
    """Return the unigrams with their number of occurrences and one discount for all counts."""
    grams, counts = counted(packed(ids) & np.uint64((1 << BITS) - 1))
    n1, n2 = (int((counts == count).sum()) for count in (1, 2))
    taken = n1 / (n1 + 2 * n2) if n1 else 0.5
    return Order(grams, counts, (taken, taken, taken))


def probabilities(orders: Sequence[Order], grams: Keys, predictable: int) -> NDArray[np.float64]:
    """Return the probability of the last token of each gram, given the tokens before it.

    Args:
        orders: The grams of each length, from the longest to single tokens.
        grams: The packed trigrams, ``(tokens,)``.
        predictable: The number of distinct tokens that can be predicted, seen in train or not.

    Returns:
        The probabilities, ``(tokens,)``.
    """
    found, weight = np.zeros(len(grams)), np.ones(len(grams))
    for order, length in zip(orders, range(len(orders), 0, -1), strict=True):
        own, left = order.look_up(grams & np.uint64((1 << length * BITS) - 1))
        found += weight * own
        weight *= left
    return found + weight / predictable


def bits_per_byte(
    train: Ids | Sequence[Ids], held_out: Ids | Sequence[Ids], n_bytes: int, predictable: int
) -> dict[str, float]:
    """Return the bits per byte of a unigram and of a trigram model.

    Args:
        train: The training documents, each from its bos to its eos: one array for each document,
            or one array with all of them.
        held_out: The held-out documents in the same form.
        n_bytes: The size of the held-out text in bytes.
        predictable: The number of distinct tokens that can be predicted: all except pad and bos.
    """
    train_ids, grams = flat(train), packed(flat(held_out))
    models = {"unigram": [unigram_model(train_ids)], "trigram": trigram_model(train_ids)}
    return {
        name: float(-np.log2(probabilities(orders, grams, predictable)).sum() / n_bytes)
        for name, orders in models.items()
    }


# -- xz --------------------------------------------------------------------------------------------


def xz_bytes(data: bytes) -> int:
    """Return the size of some bytes after compression with ``xz -9 --extreme``."""
    return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))


def xz_bits_per_byte(prefix: bytes, held_out: bytes, n_bytes: int) -> dict[str, float]:
    """Return the bits per byte of ``xz -9`` on the held-out text, alone and after a prefix."""
    alone = xz_bytes(held_out)
    after = xz_bytes(prefix + held_out) - xz_bytes(prefix)
    return {"xz": 8 * alone / n_bytes, "xz after train": 8 * after / n_bytes}


def documents(ids: Ids) -> list[Ids]:
    """Split an array of ids into its documents. Each begins with the first id of the array."""
    return np.split(ids, np.flatnonzero(ids == ids[0])[1:])


def decoded(some: Sequence[Ids], tokenizer: Any) -> bytes:
    """Return the text of documents in UTF-8, with a zero byte after each."""
    texts = tokenizer.decode_batch([one.tolist() for one in some], skip_special_tokens=True)
    return b"".join(text.encode() + b"\0" for text in texts)


def last_documents(ids: Ids, tokenizer: Any, most: int, at_once: int = 1_000) -> bytes:
    """Return the text of the last documents, as many complete ones as fit.

    Args:
        ids: Concatenated documents, ``(tokens,)``.
        tokenizer: The tokenizer that decodes them.
        most: The maximum size in bytes.
        at_once: The number of documents to decode at a time.
    """
    pieces: list[bytes] = []
    every, room = documents(ids), most
    for end in range(len(every), 0, -at_once):
        some = decoded(every[max(0, end - at_once) : end], tokenizer)
        if len(some) > room:
            cut = some.find(b"\0", len(some) - room - 1)
            return b"".join([some[cut + 1 :], *reversed(pieces)])
        pieces.append(some)
        room -= len(some)
    return b"".join(reversed(pieces))


# -- a run -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pretrained:
    """The parts of a run of ``thawline pretrain`` that are needed here.

    Attributes:
        train: The training tokens, ``(tokens,)``, memory-mapped.
        held_out: The held-out tokens, ``(tokens,)``, memory-mapped.
        n_bytes: The size of the held-out text in bytes.
        tokenizer: The tokenizer, of the ``tokenizers`` library.
        bits_per_byte: The bits per byte of the language model. None if the run is not finished.
    """

    train: Ids
    held_out: Ids
    n_bytes: int
    tokenizer: Any
    bits_per_byte: float | None


def read_run(folder: Path) -> Pretrained:
    """Read a run's tokens, tokenizer and record."""
    from tokenizers import Tokenizer

    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    return Pretrained(
        np.load(folder / "train.npy", mmap_mode="r"),
        np.load(folder / "held_out.npy", mmap_mode="r"),
        record["corpus"]["held_out"]["bytes"],
        Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json")),
        record.get("kept", {}).get("validation_bits_per_byte"),
    )


def measure(run: Pretrained, window: int = WINDOW) -> Row:
    """Return the bits per byte of all models, with the sizes and the seconds.

    Raises:
        ValueError: If the held-out tokens do not match the record of the run.
    """
    start = time.perf_counter()
    held_out = decoded(documents(run.held_out), run.tokenizer)
    n_bytes = len(held_out) - len(documents(run.held_out))
    if n_bytes != run.n_bytes:
        raise ValueError(
            f"the held-out tokens decode to {n_bytes} bytes, but the record says {run.n_bytes}"
        )
    predictable = run.tokenizer.get_vocab_size() - 2
    found = bits_per_byte(run.train, run.held_out, run.n_bytes, predictable)
    counting = time.perf_counter() - start
    prefix = last_documents(run.train, run.tokenizer, max(0, window - len(held_out)))
    found |= xz_bits_per_byte(prefix, held_out, run.n_bytes)
    if run.bits_per_byte is not None:
        found["model"] = run.bits_per_byte
    return {
        "bits_per_byte": found,
        "train_tokens": len(run.train),
        "held_out_tokens": len(run.held_out),
        "held_out_bytes": run.n_bytes,
        "vocabulary": run.tokenizer.get_vocab_size(),
        "xz_prefix_bytes": len(prefix),
        "seconds": {"grams": counting, "in_all": time.perf_counter() - start},
    }


def table(row: Row) -> str:
    """Return the results as a Markdown table."""
    names = {
        "unigram": "unigram, absolute discounting",
        "trigram": "trigram, interpolated modified Kneser-Ney",
        "xz": "`xz -9e`, the held-out text alone",
        "xz after train": f"`xz -9e`, after {row['xz_prefix_bytes'] / 1e6:,.1f} MB of train",
        "model": "the language model",
    }
    lines = ["| | bits per byte |", "|---|---|"]
    for name, value in row["bits_per_byte"].items():
        lines.append(f"| {names[name]} | {value:.3f} |")
    return "\n".join(lines)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="Folder of a run of `thawline pretrain`"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="File for the results")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Measure all models and print the table."""
    arguments = parse(words)
    row = measure(read_run(arguments.run))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(row, indent=1), encoding="utf-8")
    print(table(row))


if __name__ == "__main__":
    main()
