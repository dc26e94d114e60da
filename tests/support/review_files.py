"""Columns of short film reviews, for the files that tests write."""

from collections.abc import Callable
from pathlib import Path

GOOD = "a warm, funny and engaging film; scene {} alone is worth the ticket"
BAD = "nearly two hours of talk, and by minute {} nobody in the row was awake"

Rows = dict[str, list[object]]
Write = Callable[[str, Rows], Path]


def reviews(bad: int, good: int, classes: tuple[object, object] = (0, 1)) -> Rows:
    """Return columns with a number of reviews of each class, sorted by class as in IMDb."""
    texts: list[object] = [BAD.format(i) for i in range(bad)]
    texts += [GOOD.format(i) for i in range(good)]
    return {"text": texts, "label": [classes[0]] * bad + [classes[1]] * good}
