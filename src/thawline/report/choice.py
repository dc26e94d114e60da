"""The plot of an exact fit: validation scores and loss for each penalty that was tried."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from thawline.report.figure_text import name_lines, write_beside
from thawline.report.figures import (
    EDGE,
    FAINT,
    TICK_STEPS,
    VALIDATION,
    new_figure,
    own_style,
    save_figure,
    upright_shares,
)
from thawline.report.history import F1, draw_line, draw_ring, padded
from thawline.runs.records import ExactFitStep

EXPLANATION = (
    "exact fit without epochs: validation scores for each L2 penalty; a ring marks the penalty "
    "with the lowest loss, which was chosen"
)
"""The subtitle of the plot."""
OTHER_STAGES = "; grey: the other stages"
"""The end of the subtitle, if features of several stages were tried."""


def draw_choice(choice: Sequence[ExactFitStep], folder: Path, *, title: str) -> list[Path]:
    """Draw validation accuracy, macro F1 and loss against the penalty of an exact fit.

    Args:
        choice: The candidates of the exact fit, at least one.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.

    Returns:
        The paths of ``choice.png`` and ``choice.svg``.
    """
    several = len({tuple(step.stages) for step in choice if step.stages}) > 1
    subtitle = EXPLANATION + OTHER_STAGES if several else EXPLANATION
    figure = choice_figure(choice, title=title, subtitle=subtitle)
    return save_figure(figure, folder, "choice")


def choice_figure(
    choice: Sequence[ExactFitStep], *, title: str, subtitle: str | None = None
) -> Figure:
    """Return the figure of `draw_choice`.

    The penalties are evenly spaced, from the strongest on the left. The losses of the other stages
    are drawn in grey. If the head also reads words, the penalties are those of the words, and those
    of the states have the chosen value.
    """
    chosen = min(choice, key=lambda step: step.loss)
    words = chosen.words_penalty is not None
    lines: dict[tuple[int, ...], list[ExactFitStep]] = {}
    for step in choice:
        if not words or step.penalty == chosen.penalty:
            lines.setdefault(tuple(step.stages), []).append(step)
    own = sorted(lines.pop(tuple(chosen.stages)), key=_penalty, reverse=True)
    penalties = sorted({_penalty(step) for step in (*own, *_flat(lines))}, reverse=True)
    position = {penalty: float(place) for place, penalty in enumerate(penalties)}
    with own_style():
        figure, bottom, top = new_figure(9.6, 3.5, title, subtitle, gap=0.3)
        left = figure.add_axes((0.07, bottom, 0.36, top - bottom))
        right = figure.add_axes((0.57, bottom, 0.33, top - bottom))
        captions = ("Validation accuracy and macro F1", "Validation loss (nats)")
        for axes, caption in zip((left, right), captions, strict=True):
            axes.set_title(caption, loc="left", fontsize=10, color=FAINT, pad=10)
            axes.set_xticks([*position.values()], [f"{penalty:.2g}" for penalty in penalties])
            axes.tick_params(axis="x", labelsize=8)
            axes.set_xlabel(f"L2 penalty{' of words' if words else ''}, strongest first")
            axes.set_xlim(-0.6, len(penalties) - 0.4)
        places = [position[_penalty(step)] for step in own]
        _draw_scores(left, places, own, len(penalties))
        others = {
            stages: [(position[_penalty(step)], step.loss) for step in steps]
            for stages, steps in lines.items()
        }
        _draw_losses(right, places, own, [*others.values()])
        return figure


def _penalty(step: ExactFitStep) -> float:
    """Return the penalty on the x axis: that of the words, if the head reads words."""
    penalty = step.penalty if step.words_penalty is None else step.words_penalty
    assert penalty is not None, "a candidate has a penalty of states or of words"
    return penalty


def _flat(lines: dict[tuple[int, ...], list[ExactFitStep]]) -> list[ExactFitStep]:
    return [step for steps in lines.values() for step in steps]


def _draw_scores(
    axes: Axes, places: Sequence[float], steps: Sequence[ExactFitStep], width: int
) -> None:
    """Draw the accuracy and the macro F1 of the chosen stages, and write the chosen accuracy."""
    lines = {"accuracy": (VALIDATION, [step.accuracy for step in steps])}
    f1 = [step.f1_macro for step in steps if step.f1_macro is not None]
    if len(f1) == len(steps):
        lines["macro F1"] = (F1, f1)
    low, high = padded([value for _, values in lines.values() for value in values], 0.2, 0.02)
    upright_shares(axes, low, high)
    for colour, values in lines.values():
        draw_line(axes, places, values, colour, dashed=colour == F1)
    name_lines(
        axes,
        {name: values[-1] for name, (_, values) in lines.items()},
        {name: colour for name, (colour, _) in lines.items()},
        width - 0.4,
        0.075 * (high - low),
    )
    best = min(range(len(steps)), key=lambda index: steps[index].loss)
    accuracy = steps[best].accuracy
    draw_ring(axes, places[best], accuracy)
    above = accuracy >= sum(step.accuracy for step in steps) / len(steps)
    text = f"{100 * accuracy:.1f} %"
    write_beside(axes, text, places[best], accuracy, above=above, weight="bold", distance=8)


def _draw_losses(
    axes: Axes,
    places: Sequence[float],
    steps: Sequence[ExactFitStep],
    others: Sequence[Sequence[tuple[float, float]]],
) -> None:
    """Draw the losses, with those of other stages in grey, and write the lowest one."""
    losses = [step.loss for step in steps]
    low, high = padded([*losses, *(loss for line in others for _, loss in line)], 0.12, 0.01)
    low = max(low, 0.0)
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=TICK_STEPS))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    for line in others:
        axes.plot(*zip(*line, strict=True), color=EDGE, linewidth=1, marker="o", markersize=2)
    draw_line(axes, places, losses, VALIDATION)
    best = min(range(len(steps)), key=losses.__getitem__)
    draw_ring(axes, places[best], losses[best])
    below = losses[best] - low > 0.2 * (high - low)
    text = f"{losses[best]:.3f}"
    write_beside(axes, text, places[best], losses[best], above=not below, weight="bold", distance=8)
