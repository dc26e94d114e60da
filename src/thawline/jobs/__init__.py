"""Whole jobs, one module each: what a verb of the command line runs."""
