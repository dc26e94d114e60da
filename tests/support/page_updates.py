"""Rewrite the output that a documentation page shows, keeping what the page leaves out.

``make pages-update`` uses this: where a command prints something else than its page shows, each
shown line is replaced by the printed line most like it. Lines of ``…`` stay, and so do cuts at the
end of a line. Review the diff like any other change.
"""

from __future__ import annotations

from difflib import SequenceMatcher

OMITTED = "…"
_LEAST_LIKENESS = 0.5
"""Lines that are less alike than this (as by `difflib`) are not taken for the same line."""


def update_output(shown: str, printed: str) -> str:
    """Return what a page should show.

    Args:
        shown: The lines that the page shows, where ``…`` stands for omitted output.
        printed: The complete output of the command.
    """
    old = shown.splitlines()
    new = [line.rstrip() for line in printed.strip("\n").splitlines()]
    partners = _partners(old, new)
    result: list[str] = []
    last = -1  # the last printed line that is shown
    complete = True  # whether nothing was omitted since that line
    for line, partner in zip(old, partners, strict=True):
        if line.strip() == OMITTED:
            complete = False
            if not result or result[-1] != line:
                result.append(line)
            continue
        if partner is None:
            continue
        if complete:
            result += new[last + 1 : partner]
        result.append(_with_cut(line, new[partner]))
        last, complete = partner, True
    if complete:
        result += new[last + 1 :]
    return "\n".join(result)


def _partners(old: list[str], new: list[str]) -> list[int | None]:
    """Return the position of the printed line for each shown line, in order, or None."""
    partners: list[int | None] = []
    start = 0
    for line in old:
        likeness = [
            (_likeness(line, other), -position) for position, other in enumerate(new[start:], start)
        ]
        best, position = max(likeness, default=(0.0, 0))
        if line.strip() in ("", OMITTED) or best < _LEAST_LIKENESS:
            partners.append(None)
        else:
            partners.append(-position)
            start = 1 - position
    return partners


def _likeness(shown: str, printed: str) -> float:
    """Return how alike two lines are, from 0 to 1. Only the start counts if one was cut."""
    kept, cut, _ = shown.rstrip().rpartition(OMITTED)
    if cut:
        return SequenceMatcher(None, kept, printed[: len(kept)]).ratio()
    return SequenceMatcher(None, shown, printed).ratio()


def _with_cut(shown: str, printed: str) -> str:
    """Cut a printed line where the shown one was cut."""
    kept, cut, _ = shown.rstrip().rpartition(OMITTED)
    if not cut or printed.rstrip().endswith(OMITTED):
        return printed
    space = " " if kept.endswith(" ") else ""
    return f"{printed[: len(kept)].rstrip()}{space}{OMITTED}"
