"""Pretrained transformers, seen as rows of stages."""
