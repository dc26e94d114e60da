"""What a language model's bits per byte stand beside: unigrams, trigrams and ``xz -9``.

Run it from the repository's root, in the environment of ``make install``, on the folder of a
finished ``thawline pretrain``::

    python -m benchmarks.ngrams runs/reviews-qwen3 --json ngrams.json

The unigram and the trigram model read the same tokens as the language model and foretell the same
ones: each document from its bos, which is not foretold, to its eos, which is. Nothing of one
document is foretold from another. The trigram model is the strongest of its kind without anything
chosen by hand: interpolated modified Kneser-Ney smoothing, its discounts computed from the counts
of train (Chen and Goodman, 1999, https://doi.org/10.1006/csla.1999.0128). The unigram model has
one discount (Ney, Essen and Kneser, 1994, https://doi.org/10.1006/csla.1994.1001); what is
discounted is shared evenly among all tokens that can be foretold. So no probability is 0.

``xz`` reads the very bytes that the held-out tokens spell, with a zero byte after each document.
Alone it learns from nothing else. With train before them, it is the length of both less that of
train: of train as much is taken, from its end, as fits with the held-out text into the 64 MiB that
``xz -9`` looks back over.
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
"""Of an id in a packed gram; three of them fit into 64 bits."""

WINDOW = 64 * 2**20
"""The bytes that ``xz -9`` looks back over."""

UNKNOWN_DISCOUNTS = (0.5, 1.0, 1.5)
"""KenLM's too, where the counts are too few for the formula."""


# -- grams -----------------------------------------------------------------------------------------


def flat(documents: Ids | Sequence[Ids]) -> Ids:
    """Return documents as one row of ids, ``(tokens,)``; a row stays as it is."""
    return documents if isinstance(documents, np.ndarray) else np.concatenate(list(documents))


def packed(ids: Ids) -> Keys:
    """Return the trigram that ends at each token but the boses, ``(tokens,)``, in their order.

    Args:
        ids: documents one after the other; the first id is bos, and each begins with it. Before a
            bos stands another, so that a document's first token has a context of two.
    """
    if int(ids.max()) >= 1 << BITS:
        raise ValueError(f"an id of {int(ids.max())}, which has no room in {BITS} bits")
    last = ids.astype(np.uint64)
    bos, shift = last[0], np.uint64(BITS)
    second = np.concatenate([last[:1], last[:-1]])
    first = np.concatenate([last[:1], second[:-1]])
    first[second == bos] = bos
    keys: Keys = ((first << shift | second) << shift | last)[last != bos]
    return keys


def counted(keys: Keys) -> tuple[Keys, NDArray[np.int64]]:
    """Return the distinct keys in ascending order, and how many there are of each."""
    ordered = np.sort(keys)
    firsts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[firsts], np.diff(np.concatenate([firsts, [len(ordered)]]))


def discounts(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return what is taken off a count of 1, of 2, and of 3 or more (Chen and Goodman, eq. 17)."""
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return UNKNOWN_DISCOUNTS
    share = n1 / (n1 + 2 * n2)
    one, two, three = 1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3
    fit = 0 < one <= 1 and 0 < two <= 2 and 0 < three <= 3
    return (one, two, three) if fit else UNKNOWN_DISCOUNTS


class Order:
    """The grams of one length: what each is worth, and what its context leaves to shorter ones.

    Args:
        grams: packed and distinct, in ascending order, the foretold id in the lowest bits.
        counts: of each; 1 or more.
        taken: the discounts of counts of 1, 2, and 3 or more; None: computed from the counts.
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
        """Return each gram's own share, and the share that is left to the shorter one."""
        own = _found(self._grams, self._shares, grams, 0.0)
        left = _found(self._contexts, self._left, grams >> np.uint64(BITS), 1.0)
        return own, left


def _found(
    known: Keys, values: NDArray[np.float64], wanted: Keys, otherwise: float
) -> NDArray[np.float64]:
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[places] == wanted, values[places], otherwise)


def trigram_model(ids: Ids) -> tuple[Order, Order, Order]:
    """Return trigrams, bigrams and unigrams as interpolated modified Kneser-Ney counts them.

    A trigram counts as often as it stands there; a shorter gram as often as there are different
    tokens before it. Before the first token of a document there is but one, bos: there the count is
    how often it stands there.

    Args:
        ids: documents as `packed` takes them.
    """
    grams, counts = counted(packed(ids))
    bos, shift = np.uint64(ids[0]), np.uint64(BITS)
    trigrams = Order(grams, counts)
    low = np.uint64((1 << 2 * BITS) - 1)
    at_start = (grams & low) >> shift == bos
    starts, often = grams[at_start] & low, counts[at_start]
    pairs, followed = counted(grams & low)
    followed[np.searchsorted(pairs, starts)] = often
    bigrams = Order(pairs, followed)
    unigrams = Order(*counted(pairs & np.uint64((1 << BITS) - 1)))
    return trigrams, bigrams, unigrams


def unigram_model(ids: Ids) -> Order:
    """Return how often each token stands there, with one discount for all counts."""
    grams, counts = counted(packed(ids) & np.uint64((1 << BITS) - 1))
    n1, n2 = (int((counts == count).sum()) for count in (1, 2))
    taken = n1 / (n1 + 2 * n2) if n1 else 0.5
    return Order(grams, counts, (taken, taken, taken))


def probabilities(orders: Sequence[Order], grams: Keys, predictable: int) -> NDArray[np.float64]:
    """Return the probability of the last token of each gram after those before it.

    Args:
        orders: from the longest to single tokens.
        grams: packed trigrams.
        predictable: how many different tokens can be foretold, seen in train or not.
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
        train: documents, each from its bos to its eos; one array for each, or all in one row.
        held_out: the same.
        n_bytes: what the held-out documents spell, in bytes.
        predictable: how many different tokens can be foretold: all but pad and bos.
    """
    learnt, grams = flat(train), packed(flat(held_out))
    models = {"unigram": [unigram_model(learnt)], "trigram": trigram_model(learnt)}
    return {
        name: float(-np.log2(probabilities(orders, grams, predictable)).sum() / n_bytes)
        for name, orders in models.items()
    }


# -- xz --------------------------------------------------------------------------------------------


def xz_bytes(data: bytes) -> int:
    """Return the size of what ``xz -9 --extreme`` makes of some bytes."""
    return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))


def xz_bits_per_byte(prefix: bytes, held_out: bytes, n_bytes: int) -> dict[str, float]:
    """Return the bits per byte of ``xz -9`` on the held-out text alone, and after a prefix."""
    alone = xz_bytes(held_out)
    after = xz_bytes(prefix + held_out) - xz_bytes(prefix)
    return {"xz": 8 * alone / n_bytes, "xz after train": 8 * after / n_bytes}


def documents(ids: Ids) -> list[Ids]:
    """Cut a row of ids into its documents; each begins with the id that the row begins with."""
    return np.split(ids, np.flatnonzero(ids == ids[0])[1:])


def spelt(some: Sequence[Ids], tokenizer: Any) -> bytes:
    """Return what documents spell, in UTF-8, with a zero byte after each."""
    texts = tokenizer.decode_batch([one.tolist() for one in some], skip_special_tokens=True)
    return b"".join(text.encode() + b"\0" for text in texts)


def last_documents(ids: Ids, tokenizer: Any, most: int, at_once: int = 1_000) -> bytes:
    """Return what the last documents of a row spell, whole ones, in at most so many bytes."""
    pieces: list[bytes] = []
    every, room = documents(ids), most
    for end in range(len(every), 0, -at_once):
        some = spelt(every[max(0, end - at_once) : end], tokenizer)
        if len(some) > room:
            cut = some.find(b"\0", len(some) - room - 1)
            return b"".join([some[cut + 1 :], *reversed(pieces)])
        pieces.append(some)
        room -= len(some)
    return b"".join(reversed(pieces))


# -- a run -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pretrained:
    """What is read of a run of ``thawline pretrain``.

    Attributes:
        train: tokens, ``(tokens,)``, mapped into memory.
        held_out: the same.
        n_bytes: what the held-out tokens spell, in bytes.
        tokenizer: of the ``tokenizers`` library.
        bits_per_byte: of the language model; None: it is not finished.
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
    """Return the bits per byte of everything that the run's model stands beside."""
    start = time.perf_counter()
    held_out = spelt(documents(run.held_out), run.tokenizer)
    ends = len(documents(run.held_out))
    if len(held_out) - ends != run.n_bytes:
        spells = len(held_out) - ends
        raise ValueError(f"the held-out tokens spell {spells} bytes, the record has {run.n_bytes}")
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
    """Return what was measured as Markdown."""
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
    """Read the arguments; ``words`` are those of the command line unless given."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a pretraining")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Measure, and print the table."""
    arguments = parse(words)
    row = measure(read_run(arguments.run))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(row, indent=1), encoding="utf-8")
    print(table(row))


if __name__ == "__main__":
    main()
