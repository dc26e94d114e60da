"""Pretrained transformers, seen as rows of stages."""

from thawline.backbones.copies import copy_base, load_native
from thawline.backbones.loading import Backbone, load_backbone
from thawline.backbones.origin import Origin
from thawline.backbones.pooling import POOLINGS, pool
from thawline.backbones.stack import Family, Stack, register_family
from thawline.backbones.tokenizer import settle_tokenizer

__all__ = [
    "POOLINGS",
    "Backbone",
    "Family",
    "Origin",
    "Stack",
    "copy_base",
    "load_backbone",
    "load_native",
    "pool",
    "register_family",
    "settle_tokenizer",
]
