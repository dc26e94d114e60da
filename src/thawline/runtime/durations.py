"""Read and write durations as people write them: 90s, 10m, 1h30m."""

from __future__ import annotations

import re

_WRITTEN = re.compile(
    r"(?:(?P<h>\d+(?:\.\d+)?)h)? ?(?:(?P<m>\d+(?:\.\d+)?)m(?:in)?)? ?(?:(?P<s>\d+(?:\.\d+)?)s?)?",
    re.ASCII,
)


def parse_duration(text: str) -> float | None:
    """Return a duration in seconds.

    Args:
        text: Hours, minutes and seconds, each of which may be left out, for example ``1h30m``,
            ``10m`` or ``90s``. A number without a unit is in seconds.

    Returns:
        The seconds. None if the text is no duration.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or not text.strip():
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def format_duration(seconds: float) -> str:
    """Return a duration with two units at most, for example ``1h30m``, ``10m``, ``1m30s``, ``45s``.

    Args:
        seconds: The duration. Less than ten seconds are written with one decimal.
    """
    if seconds < 9.95:
        return f"{seconds:.1f}s".replace(".0s", "s")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        parts = {"m": minutes, "s": rest}
    else:
        hours, minutes = divmod(round(seconds / 60), 60)
        parts = {"h": hours, "m": minutes}
    return "".join(f"{number}{unit}" for unit, number in parts.items() if number)
