"""The job of `thawline vectors`: train word vectors on the texts of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from thawline.backbones.vectors.table import Vectors
from thawline.backbones.vectors.training import check_gensim, train_vectors
from thawline.backbones.vectors.writing import write_vectors
from thawline.config import VectorsConfig
from thawline.data import Text
from thawline.data.sources.lines import unlabelled_lines
from thawline.data.sources.open import open_source
from thawline.data.sources.parts import WHOLE
from thawline.errors import ThawlineError
from thawline.runs.records import VectorsReport
from thawline.runtime.files import check_place
from thawline.runtime.progress import Reporter


def make_vectors(config: VectorsConfig, out: Path, reporter: Reporter) -> VectorsReport:
    """Train word vectors on the train split of a data set and write them to a file.

    If the data set has no splits, all of its texts are used.

    Args:
        config: The settings, including the name of the data set.
        out: The file, which must not exist yet.
        reporter: Shows the progress.

    Returns:
        The file, the method, and the numbers of words, dimensions and texts.

    Raises:
        ThawlineError: If the data set cannot be read, if the file cannot be made, if gensim is not
            installed, or if no word occurs often enough in the texts.
    """
    check_gensim()
    _check_out(out)
    texts = _read(config, reporter)
    trained: Vectors = train_vectors(texts, config, reporter)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_vectors(trained, out)
    return VectorsReport(
        file=str(out),
        method=config.method,
        words=len(trained),
        width=trained.width,
        texts=len(texts),
    )


def _read(config: VectorsConfig, reporter: Reporter) -> Sequence[Text]:
    """Read the training texts of a data set, or the lines of a text file."""
    lines = unlabelled_lines(str(config.data.data))
    if lines is not None:
        return lines
    source = open_source(config.data.data, config.data.text)
    part = source.parts.get(WHOLE, source.parts.get("train"))
    if part is None:
        found = ", ".join(source.parts)
        fix = "give the file with the training texts"
        raise ThawlineError("a data set with a train split", f"the splits {found}", fix)
    for warning in (*source.warnings, *part.table.warnings):
        reporter.message(warning)
    return part.texts


def _check_out(out: Path) -> None:
    """Raise ThawlineError if the file cannot be made."""
    if out.exists():
        raise ThawlineError("a new file", f"'{out}', which exists", "choose another file")
    if out.suffix.lower() in (".gz", ".zip"):
        fix = "choose another name, for example vectors.txt"
        raise ThawlineError("an uncompressed file", f"'{out}'", fix)
    check_place(out, "a file of vectors")
