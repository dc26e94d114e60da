"""The command line interface. The function `main` runs it."""

from __future__ import annotations

from thawline.cli import console, verbs
from thawline.cli.groups import app

__all__ = ["app", "main", "verbs"]

ORDER = (
    *("demo", "fit", "predict", "evaluate", "info", "preflight"),
    *("pretrain", "generate", "vectors"),
)
"""The order of the verbs in the help. Groups of verbs come after them."""

app.registered_commands.sort(key=lambda verb: ORDER.index(getattr(verb.callback, "__name__", "")))


def main() -> None:
    """Run the command line."""
    console.run(app)
