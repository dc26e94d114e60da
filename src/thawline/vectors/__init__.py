"""Word vectors: read from files and packages, trained, and written in GloVe's text format."""

from thawline.vectors.finding import PACKAGED, find_vectors
from thawline.vectors.table import Vectors
from thawline.vectors.writing import write_vectors

__all__ = ["PACKAGED", "Vectors", "find_vectors", "write_vectors"]
