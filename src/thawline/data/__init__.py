"""Files, folders, named sets and hub ids become labelled texts, split for training."""

from thawline.data.dataset import Dataset, LabelledTexts, load, load_split
from thawline.data.labels import Labels
from thawline.data.splits import carve

__all__ = ["Dataset", "LabelledTexts", "Labels", "carve", "load", "load_split"]
