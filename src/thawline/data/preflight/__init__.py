"""Inspect a data set before training: classes, lengths, duplicates and leakage."""
