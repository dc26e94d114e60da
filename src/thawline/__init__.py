"""Thawline: a pretrained transformer becomes a text classifier."""

__version__ = "0.1.0"
