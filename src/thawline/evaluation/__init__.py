"""Compute metrics, paired tests and mistakes by pure functions of arrays."""
