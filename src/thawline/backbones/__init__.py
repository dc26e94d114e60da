"""Pretrained transformers, seen as rows of stages."""

from thawline.backbones.loading import Backbone, copy_base, load_backbone, load_native
from thawline.backbones.pooling import POOLINGS, pool
from thawline.backbones.stack import Family, Stack, register_family
from thawline.backbones.tokenizer import settle_tokenizer

__all__ = [
    "POOLINGS",
    "Backbone",
    "Family",
    "Stack",
    "copy_base",
    "load_backbone",
    "load_native",
    "pool",
    "register_family",
    "settle_tokenizer",
]
