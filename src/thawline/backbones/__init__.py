"""Pretrained transformers as rows of stages: find, load, cut and pool them."""
