"""The prefix's outputs on disk: states by text, memory-mapped, checked.

Layout, below ``THAWLINE_HOME`` (by default ``~/.cache/thawline``)::

    store/<key>/<sha256>.safetensors   a chunk: states of some texts, and the texts' keys
    store/<key>/manifest.json          the entry's key and its chunks; written last
    store/<key>.lock                   held while an entry is filled

An entry belongs to one backbone, tokenizer, length limit, truncation side and dtype, and holds
either the pooled states of every stage, ``(texts, stages, poolings, hidden)``, or the token states
that reach one line, ragged: ``(all tokens, hidden)`` and the texts' lengths. Texts are found in it
by the hash of their characters, so that every split, fold and learning curve shares what any of
them computed.

Reading takes no lock and writes nothing: a chunk proves itself by its checksum. Whoever fills an
entry holds its lock and fixes it first: chunks that an interrupted fill left are taken in, damaged
ones and unfinished files are deleted, and the texts that are then missing are computed again.
"""

from thawline.runtime.paths import home
from thawline.store.capacity import NoRoom
from thawline.store.chunks import FORMAT, KEY_BYTES, Content
from thawline.store.entry import Entry
from thawline.store.features import Features
from thawline.store.keys import StoreKey, text_key
from thawline.store.listing import clear, entries
from thawline.store.ragged import TokenStates
from thawline.store.texts import KeyedTexts

__all__ = [
    "FORMAT",
    "KEY_BYTES",
    "Content",
    "Entry",
    "Features",
    "KeyedTexts",
    "NoRoom",
    "StoreKey",
    "TokenStates",
    "clear",
    "entries",
    "home",
    "text_key",
]
