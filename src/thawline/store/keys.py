"""Locate the store, and compute the keys of entries and of texts."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from thawline.data import Text
from thawline.runtime.aside import is_plain_folder
from thawline.runtime.paths import home
from thawline.store.chunks import FORMAT, KEY_BYTES, Key

_ENTRY_NAME = re.compile(r"[0-9a-f]{32}")


def entry_folders(folder: Path) -> list[Path]:
    """Return the folders that have the name of an entry. Links to folders are left out.

    Args:
        folder: The folder of the store.
    """
    paths = folder.iterdir() if folder.is_dir() else ()
    return sorted(p for p in paths if _ENTRY_NAME.fullmatch(p.name) and is_plain_folder(p))


def store_folder(root: Path | None = None) -> Path:
    """Return the folder of the store.

    Args:
        root: The cache folder that contains the store. If None, `home`.
    """
    return (home() if root is None else root) / "store"


def lock_of(folder: Path) -> Path:
    """Return the lock file of an entry, which is locked while a process fills the entry."""
    return folder.with_name(f"{folder.name}.lock")


@dataclass(frozen=True)
class StoreKey:
    """The identity of an entry: everything that the states depend on except the text.

    Attributes:
        backbone: Digest of the backbone's weights, config and tokenizer.
        max_length: Maximum number of tokens of a text.
        truncation_side: Side on which longer texts are truncated, ``right`` or ``left``.
        dtype: The dtype of the computation.
        format: Version of the store's format.
        line: Line from 2 to L that the token states reach. None for pooled states.
        stage: Last stage, below L, of pooled states that end there. None for pooled states of all
            stages and for token states.
    """

    backbone: str
    max_length: int
    truncation_side: str
    dtype: str
    format: int = FORMAT
    line: int | None = None
    stage: int | None = None

    def to_dict(self) -> Key:
        """Return the key as JSON values, without ``line`` and ``stage`` if they are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def digest(self) -> str:
        """Return the name of the entry's folder."""
        return digest_of(self.to_dict())


def digest_of(key: Key) -> str:
    """Return the name of the folder of the entry with a key."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]


def text_key(text: Text) -> bytes:
    """Return the key of a text or a pair of texts: the first 16 bytes of a SHA-256."""
    if isinstance(text, str):
        return _sha256_of(text)[:KEY_BYTES]
    return hashlib.sha256(b"".join(map(_sha256_of, text))).digest()[:KEY_BYTES]


def _sha256_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
