"""The whole of ``thawline vectors``: the texts of a set in, a file of vectors out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thawline.backbones.vectors.table import Vectors
from thawline.backbones.vectors.training import check_gensim, train_vectors
from thawline.backbones.vectors.writing import write_vectors
from thawline.config import VectorsConfig
from thawline.data.sources.open import open_source
from thawline.data.sources.parts import WHOLE
from thawline.errors import ThawlineError
from thawline.runtime.files import check_place
from thawline.runtime.progress import Reporter


def make_vectors(config: VectorsConfig, out: Path, reporter: Reporter) -> dict[str, Any]:
    """Train vectors on a set's train split, or on all of a set that is not split, and write them.

    Args:
        config: with the name of the set.
        out: the file, which must not be there yet.
        reporter: told of progress.

    Returns:
        JSON values: ``file``, ``method``, ``words``, ``width`` and ``texts``.

    Raises:
        ThawlineError: the set cannot be read, the file cannot be made, gensim is not installed, or
            no word stands in the texts often enough.
    """
    check_gensim()
    _check_out(out)
    source = open_source(config.data.data, config.data.text)
    part = source.parts.get(WHOLE, source.parts.get("train"))
    if part is None:
        found = ", ".join(source.parts)
        raise ThawlineError("a train split to learn words from", found, "name one file of it")
    trained: Vectors = train_vectors(part.texts, config, reporter)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_vectors(trained, out)
    return {
        "file": str(out),
        "method": config.method,
        "words": len(trained),
        "width": trained.width,
        "texts": len(part.texts),
    }


def _check_out(out: Path) -> None:
    if out.exists():
        raise ThawlineError("a new file", f"'{out}', which exists", "choose another --out")
    if out.suffix.lower() in (".gz", ".zip"):
        raise ThawlineError("--out as a plain file", f"'{out}'", "name it vectors.txt")
    check_place(out, "a file of vectors")
