"""Answer requests over HTTP with one or several classifiers that share a frozen pass."""
