"""A plot of a search: the importance of each setting, and the score against the values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from thawline.errors import printable
from thawline.report.figures import (
    ADAPTED,
    FAINT,
    INK,
    TICK_STEPS,
    TRAIN,
    VALIDATION,
    new_figure,
    own_style,
    save_figure,
    share_axis,
)
from thawline.report.trials import SCORE_NAMES
from thawline.runs.records import Importance, TuneTrial

MAX_PANELS = 4
"""The number of settings against which the score is drawn."""

_PANEL_HEIGHT = 2.4
_MAX_BARS = 10
_MAX_VALUES = 6
"""The largest number of integer values that all have a tick."""


def draw_importance(
    importances: Sequence[Importance],
    trials: Sequence[TuneTrial],
    best: TuneTrial,
    folder: Path,
    *,
    score: str,
    title: str,
    logarithmic: Sequence[str] = (),
) -> list[Path]:
    """Draw the importance of each setting, and the score against the most important ones.

    Args:
        importances: The importances, the most important setting first.
        trials: The finished trials that have all these settings.
        best: The best of them.
        folder: The folder of the files, which is made if it does not exist.
        score: The score, as in `TuneRecord.score`.
        title: The title, which is wrapped if it is long.
        logarithmic: The keys of the settings on a logarithmic scale.

    Returns:
        The paths of ``importance.png`` and ``importance.svg``.

    Raises:
        ValueError: If there are no importances.
    """
    figure = importance_figure(
        importances, trials, best, score=score, title=title, logarithmic=logarithmic
    )
    return save_figure(figure, folder, "importance")


def importance_figure(
    importances: Sequence[Importance],
    trials: Sequence[TuneTrial],
    best: TuneTrial,
    *,
    score: str,
    title: str,
    logarithmic: Sequence[str] = (),
) -> Figure:
    """Return the figure of `draw_importance`, which has the same arguments.

    Raises:
        ValueError: If there are no importances.
    """
    if not importances:
        raise ValueError("at least one importance is needed for a plot")
    shown = [one.key for one in importances[:MAX_PANELS]]
    rows = (len(shown) + 1) // 2
    subtitle = (
        f"Validation {SCORE_NAMES[score]} of {len(trials):,} finished trials; the axes leave out "
        "the worst tenth; the ring is the best trial"
    )
    with own_style():
        height = max(_PANEL_HEIGHT * rows, 0.8 + 0.32 * min(len(importances), _MAX_BARS))
        figure, bottom, top = new_figure(9.6, height + 0.3, title, subtitle, gap=0.25)
        space = top - bottom
        bars = figure.add_axes((0.2, bottom, 0.17, space))
        _draw_bars(bars, importances[:_MAX_BARS])
        gap = 0.7 / figure.get_figheight()
        each = (space - gap * (rows - 1)) / rows
        for place, key in enumerate(shown):
            row, column = divmod(place, 2)
            low = top - each - row * (each + gap)
            axes = figure.add_axes((0.47 + 0.275 * column, low, 0.235, each))
            _draw_panel(axes, key, trials, best, score=score, log=key in logarithmic)
            axes.tick_params(axis="y", labelleft=column == 0)
        return figure


def _draw_bars(axes: Axes, importances: Sequence[Importance]) -> None:
    names = [printable(_name(one.key)) for one in importances]
    places = range(len(names))
    axes.barh(places, [one.importance for one in importances], height=0.62, color=ADAPTED)
    axes.set_yticks(places, names, color=INK, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, steps=TICK_STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
    axes.grid(axis="x")
    axes.set_title("Importance", loc="left", fontsize=10, color=FAINT, pad=8)


def _draw_panel(
    axes: Axes, key: str, trials: Sequence[TuneTrial], best: TuneTrial, *, score: str, log: bool
) -> None:
    """Draw the score of each trial against its value of a setting."""
    scores = np.array([trial.score for trial in trials], dtype=np.float64)
    values = [trial.settings[key] for trial in trials]
    numeric = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    own = best.settings[key]
    if numeric:
        places, at_best = np.array(values, dtype=np.float64), float(str(own))
        if log:
            axes.set_xscale("log")
        elif all(isinstance(value, int) for value in values):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
            if len(set(values)) <= _MAX_VALUES:
                axes.set_xticks(sorted(set(places)))
    else:
        names = sorted({str(value) for value in values})
        spread = np.random.default_rng(0).uniform(-0.2, 0.2, len(values))  # so that points differ
        places = np.array([names.index(str(value)) for value in values]) + spread
        at_best = float(places[[trial.number for trial in trials].index(best.number)])
        axes.set_xticks(range(len(names)), [printable(name) for name in names], parse_math=False)
        axes.set_xlim(-0.5, len(names) - 0.5)
    axes.plot(places, scores, "o", markersize=4, color=VALIDATION, alpha=0.55, markeredgewidth=0)
    axes.plot([at_best], [best.score or 0.0], "o", markersize=9, color=TRAIN, fillstyle="none")
    low, high = _limits(scores, lower_is_better=score == "loss")
    axes.set_ylim(low, high)
    if score == "loss":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    else:
        share_axis(axes.yaxis, low, min(high, 1.0))
        axes.set_ylim(low, high)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_title(printable(_name(key)), loc="left", fontsize=10, color=FAINT, pad=8)


def _limits(scores: np.ndarray, *, lower_is_better: bool) -> tuple[float, float]:
    """Return the limits of the axis of scores, which leave out the worst tenth of the trials.

    A few trials with a rate that is far too high would otherwise hide all differences.
    """
    worst = float(np.quantile(scores, 0.9 if lower_is_better else 0.1))
    best = float(scores.min() if lower_is_better else scores.max())
    room = max(0.08 * abs(best - worst), 1e-3)
    return min(best, worst) - room, max(best, worst) + room


def _name(key: str) -> str:
    """Return the name of a setting in a plot: without its table, except for the strategy's."""
    table, _, name = key.rpartition(".")
    return name if table in ("training", "head", "tokens") and name != "dropout" else key
