"""Report the results of `benchmarks.scaling`: tables and a picture.

This module has no command of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Result = dict[str, Any]

COLUMNS = (
    *("texts", "frozen pass, s", "a text, ms", "exact fit, s", "whole job, s", "peak memory"),
    *("store", "reading it, s", "whole job again, s", "peak memory"),
)


def table(whole: Result) -> str:
    """Return the parts of a results file as Markdown tables."""
    tables: list[list[Sequence[str]]] = []
    if "sizes" in whole:
        tables.append([COLUMNS, *(_size_cells(size) for size in whole["sizes"]["results"])])
    if "startup" in whole:
        rows = whole["startup"]["results"].values()
        times = [
            (f"`{row['command']}`", f"{row['seconds']:.2f}", f"{row['cpu_seconds']:.2f}")
            for row in rows
        ]
        tables.append([("command", "seconds", "CPU seconds"), *times])
    if "latency" in whole:
        cells = [
            (
                f"{row['texts']:,}",
                f"{1_000 * row['seconds']:,.0f}",
                f"{1_000 * row['slowest']:,.0f}",
                f"{row['texts'] / row['seconds']:,.0f}",
            )
            for row in whole["latency"]["results"]
        ]
        header = ("texts in a call", "median, ms", "slowest, ms", "texts per second")
        tables.append([header, *cells])
    return "\n\n".join(
        "\n".join(f"| {' | '.join(line)} |" for line in (header, ("---",) * len(header), *lines))
        for header, *lines in tables
    )


def _size_cells(size: Result) -> tuple[str, ...]:
    """Return the cells of one number of texts."""
    first, again = size["first"], size["again"]
    return (
        f"{size['texts']:,}",
        f"{first['seconds']['prefix']:,.1f}",
        f"{1_000 * first['seconds']['prefix'] / size['texts']:.1f}",
        f"{first['seconds']['training']:,.1f}",
        f"{first['process_seconds']:,.1f}",
        f"{first['peak_memory_bytes'] / 1e9:.2f} GB",
        f"{size['store_bytes'] / 1e6:,.0f} MB",
        f"{size['read']['seconds']:,.2f}",
        f"{again['process_seconds']:,.1f}",
        f"{again['peak_memory_bytes'] / 1e9:.2f} GB",
    )


def draw(whole: Result, folder: Path) -> Path:
    """Draw the seconds and the peak memory by number of texts.

    Args:
        whole: The results, with the part ``sizes``.
        folder: The folder of the picture.

    Returns:
        The path of the picture.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    from thawline.report.figures import FAINT, LINE_COLOURS, new_figure, own_style

    sizes = whole["sizes"]["results"]
    texts = [size["texts"] for size in sizes]
    seconds = {
        "frozen pass": [size["first"]["seconds"]["prefix"] for size in sizes],
        "reading the store": [size["read"]["seconds"] for size in sizes],
        "exact fit": [size["first"]["seconds"]["training"] for size in sizes],
        "whole job": [size["first"]["process_seconds"] for size in sizes],
        "whole job, store filled": [size["again"]["process_seconds"] for size in sizes],
    }
    memory = {
        "empty store": [size["first"]["peak_memory_bytes"] / 1e9 for size in sizes],
        "store filled": [size["again"]["peak_memory_bytes"] / 1e9 for size in sizes],
    }
    with own_style():
        title = "Seconds and memory by number of texts"
        backbone = Path(whole["sizes"]["backbone"]).name
        subtitle = f"thawline fit --strategy head --backbone {backbone}; dashed: linear growth"
        figure, bottom, top = new_figure(10, 4.2, title, subtitle, gap=0.1)
        left = figure.add_axes((0.07, bottom, 0.42, top - bottom))
        right = figure.add_axes((0.57, bottom, 0.41, top - bottom))
        for axes, values, label in ((left, seconds, "seconds"), (right, memory, "peak memory, GB")):
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(FixedLocator(texts))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xticks(texts, [f"{number:,}" for number in texts])
            axes.grid(axis="y")
            axes.set_xlabel("texts")
            axes.set_ylabel(label)
            for (name, line), colour in zip(values.items(), LINE_COLOURS, strict=False):
                axes.plot(texts, line, color=colour, linewidth=1.8, marker="o", label=name)
            axes.legend(loc="upper left", facecolor="white", edgecolor="none", framealpha=1)
        pass_line = [seconds["frozen pass"][0] * number / texts[0] for number in texts]
        left.plot(texts, pass_line, color=FAINT, linewidth=1, linestyle="--", zorder=3)
        left.set_yscale("log")
        left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        left.yaxis.set_minor_locator(NullLocator())
        low, high = left.get_ylim()
        left.set_ylim(low, high * (high / low) ** 0.45)  # room for the legend
        right.set_ylim(0, 1.4 * max(max(line) for line in memory.values()))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "scaling.png"
        figure.savefig(path, format="png")
    return path
