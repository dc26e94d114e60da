"""Classification heads, low-rank adapters and the classifier as a model of transformers."""
