"""The description of a trained classifier with a backbone, for weights of torch and of ONNX."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from thawline.data import Labels
from thawline.inference.reading import Reading
from thawline.inference.words import Words
from thawline.models.specs import HeadSpec


@dataclass(frozen=True, kw_only=True)
class Described:
    """The description of a classifier with a backbone.

    Attributes:
        tokenizer: The tokenizer, with a pad token and padding on the right.
        labels: The names of the classes and their raw values.
        reading: The settings under which texts are read.
        head: The kind of head.
        strategy: The strategy in its written form.
        backbone: The name of the pretrained backbone.
        words: A linear layer on TF-IDF features, whose logits are added to those of the model. None
            if the classifier reads only states.
    """

    tokenizer: PreTrainedTokenizerBase
    labels: Labels
    reading: Reading
    head: HeadSpec
    strategy: str
    backbone: str
    words: Words | None = None

    @property
    def pairs(self) -> bool:
        """Whether the classifier was trained on pairs of texts."""
        return self.reading.pairs
