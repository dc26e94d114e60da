"""Reports on runs and comparisons: one HTML file each, which needs no network.

`blocks` defines the parts of a report as plain values, the other modules make them from records,
and the templates turn them into HTML.
"""
