"""A backbone that is built for each fit: word vectors below a small `nn.TransformerEncoder`.

Nothing is imported here. An import hook loads `modeling` while transformers is still importing
its Auto classes, so an import here could be circular.
"""
