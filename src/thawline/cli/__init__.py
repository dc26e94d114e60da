"""The command line: `main` runs it, with the verbs of the modules that are imported here."""

from __future__ import annotations

from thawline.cli import console, verb_demo, verb_generate, verb_pretrain, verb_vectors, verbs
from thawline.cli.groups import app

__all__ = ["app", "main", "verb_demo", "verb_generate", "verb_pretrain", "verb_vectors", "verbs"]


def main() -> None:
    """Run the command line."""
    console.run(app)
