"""Heads, the classifier as a model of transformers, adapters."""
