"""The backbone that is made for a fit: word vectors below a small `nn.TransformerEncoder`.

Nothing is imported here: whatever first brings in the Auto classes of transformers loads
`modeling` from a hook, in the middle of its own import.
"""
