"""Keep the outputs of the prefix on disk, as memory-mapped states that are found by their text.

The layout below ``THAWLINE_HOME`` (by default ``~/.cache/thawline``) is::

    store/<key>/<sha256>.safetensors   a chunk: the states and keys of some texts
    store/<key>/manifest.json          the entry's key and chunks; written last
    store/<key>.lock                   locked while a process fills the entry
    vectors/<key>/                     word vectors in binary; see `backbones.vectors.cache`

An entry belongs to one backbone, tokenizer, length limit, truncation side and dtype. It holds
either the pooled states of every stage, ``(texts, stages, poolings, hidden)``, or the token states
that reach one line, without padding: ``(all tokens, hidden)`` and the lengths of the texts. A text
is found by the hash of its characters, so all splits, folds and learning curves share its states.

Reading writes nothing, because the checksum of a chunk verifies its content. A reader only holds a
shared lock on the entry's folder, so that `clear` keeps the entry. A process that fills an entry
locks and repairs it first. It keeps the valid chunks that an
interrupted fill left, and deletes damaged chunks and unfinished files. It then computes the states
of all missing texts.
"""

from thawline.runtime.paths import home
from thawline.store.capacity import NoRoom
from thawline.store.chunks import FORMAT, KEY_BYTES, Content
from thawline.store.entry import Entry
from thawline.store.features import Features
from thawline.store.keys import StoreKey, text_key
from thawline.store.listing import Cleared, StoredEntry, clear, entries, foreign_paths
from thawline.store.ragged import TokenStates
from thawline.store.texts import KeyedTexts

__all__ = [
    "FORMAT",
    "KEY_BYTES",
    "Cleared",
    "Content",
    "Entry",
    "Features",
    "KeyedTexts",
    "NoRoom",
    "StoreKey",
    "StoredEntry",
    "TokenStates",
    "clear",
    "entries",
    "foreign_paths",
    "home",
    "text_key",
]
