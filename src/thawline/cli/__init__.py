"""The command line: `main` runs it, with the verbs of the modules that are imported here."""

from __future__ import annotations

from thawline.cli import console, verbs
from thawline.cli.groups import app

__all__ = ["app", "main", "verbs"]

ORDER = (
    *("demo", "fit", "predict", "evaluate", "info", "preflight"),
    *("pretrain", "generate", "vectors"),
)
"""Of the verbs in the help; groups of verbs come after them."""

app.registered_commands.sort(key=lambda verb: ORDER.index(getattr(verb.callback, "__name__", "")))


def main() -> None:
    """Run the command line."""
    console.run(app)
