"""Where the store is, and the names of entries and of the texts in them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from thawline.data import Text
from thawline.runtime.paths import home
from thawline.store.chunks import FORMAT, KEY_BYTES, Key


def entry_folders(root: Path | None = None) -> list[Path]:
    """Return the folders of all entries; ``root`` stands for `home`."""
    folder = store_folder(root)
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def store_folder(root: Path | None = None) -> Path:
    """Return the folder of the store itself; ``root`` stands for `home`."""
    return (home() if root is None else root) / "store"


def lock_of(folder: Path) -> Path:
    """Return the file that is locked while an entry is filled."""
    return folder.with_name(f"{folder.name}.lock")


@dataclass(frozen=True)
class StoreKey:
    """All that states depend on, apart from the text itself."""

    backbone: str  # digest of weights, config and tokenizer
    max_length: int
    truncation_side: str
    dtype: str
    format: int = FORMAT
    line: int | None = None  # token states that reach it, 2 … L; None: pooled states of all stages

    def to_dict(self) -> Key:
        """Return the key as JSON values; pooled states have no line in theirs."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def digest(self) -> str:
        """Return the entry's name."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:32]


def text_key(text: Text) -> bytes:
    """Return the key of a text or a pair within an entry: 16 bytes of SHA-256."""
    if isinstance(text, str):
        return _sha256_of(text)[:KEY_BYTES]
    return hashlib.sha256(b"".join(map(_sha256_of, text))).digest()[:KEY_BYTES]


def _sha256_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
