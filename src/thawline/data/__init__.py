"""Read labelled texts from files, folders, the hub or memory, and split them."""

from thawline.data.dataset import Dataset, LabelledTexts
from thawline.data.labels import Labels
from thawline.data.loading import load, load_data, load_draws, load_split
from thawline.data.splits import carve
from thawline.data.texts import Text, check_texts

__all__ = [
    "Dataset",
    "LabelledTexts",
    "Labels",
    "Text",
    "carve",
    "check_texts",
    "load",
    "load_data",
    "load_draws",
    "load_split",
]
