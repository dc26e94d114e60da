"""Word vectors: read from files and packages, trained, and written in GloVe's text format."""

from thawline.backbones.vectors.finding import PACKAGED, find_vectors
from thawline.backbones.vectors.table import Vectors
from thawline.backbones.vectors.writing import write_vectors

__all__ = ["PACKAGED", "Vectors", "find_vectors", "write_vectors"]
