"""The command line."""

from __future__ import annotations

from thawline.cli.verbs import main

__all__ = ["main"]
