"""Word vectors: read them from files and packages, train them, and write GloVe's text format."""

from thawline.backbones.vectors.finding import PACKAGED_VECTORS, find_vectors
from thawline.backbones.vectors.table import Vectors
from thawline.backbones.vectors.writing import write_vectors

__all__ = ["PACKAGED_VECTORS", "Vectors", "find_vectors", "write_vectors"]
