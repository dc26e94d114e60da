"""A backbone that is built for each fit: a small `nn.TransformerEncoder` on top of word vectors.

Nothing is imported here. An import hook loads `modeling` while transformers is still importing
its Auto classes, so an import here could be circular.
"""
