"""Metrics, paired tests and mistakes, as pure functions on arrays."""
