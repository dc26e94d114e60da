"""Heads, the classifier as a model of transformers, its files of weights, adapters."""
