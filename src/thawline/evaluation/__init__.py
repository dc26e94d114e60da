"""Compute metrics, paired tests and mistakes with pure functions on arrays."""
