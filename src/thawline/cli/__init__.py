"""The command line interface. `program` runs it as a process, and `main` inside of one."""

from __future__ import annotations

from thawline.cli import console, verbs
from thawline.cli.groups import app
from thawline.cli.leaving import run_and_leave

__all__ = ["app", "main", "program", "verbs"]

ORDER = (
    *("demo", "compare", "tune", "fit", "predict", "score", "serve", "export", "push"),
    *("evaluate", "report", "info", "preflight", "pretrain", "generate", "vectors"),
)
"""The order of the verbs in the help. Groups of verbs come after them."""

app.registered_commands.sort(key=lambda verb: ORDER.index(getattr(verb.callback, "__name__", "")))


def main() -> None:
    """Run the command line. It ends with SystemExit."""
    console.run(app)


def program() -> None:
    """Run the command line, and end the process."""
    run_and_leave(main)
