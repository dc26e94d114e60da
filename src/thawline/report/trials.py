"""The trials of a search as a table for a terminal of 80 columns, and what they are worth."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from thawline.report.tables import MISSING, literal, plot_names, ruled_table, wrap_labelled
from thawline.runs.layout import BEST, TUNING
from thawline.runs.records import TuneRecord, TuneTrial
from thawline.runtime import terminal

SCORE_NAMES = {"accuracy": "accuracy", "f1_macro": "macro F1", "loss": "loss"}
"""The scores of a search in words."""

_SHOWN = 10
"""The number of trials in the table at the end."""


def score_cell(score: float | None, name: str) -> str:
    """Return a score as "85.4 %", a loss as "0.372", and None as a dash."""
    if score is None:
        return MISSING
    return f"{score:.4f}" if name == "loss" else f"{100 * score:.2f} %"


def describe_score(trial: TuneTrial, name: str) -> str:
    """Return the score of a trial in words, for example "85.4 % accuracy"."""
    return f"{score_cell(trial.score, name)} {SCORE_NAMES[name]}"


def short_settings(trial: TuneTrial) -> str:
    """Return the strategy and the sampled settings of a trial in a few words."""
    words = [trial.strategy]
    for key, value in trial.settings.items():
        if key.partition(".")[0] != "strategy":  # its fields are in the strategy
            shown = f"{value:.3g}" if isinstance(value, float) else str(value)
            words.append(f"{key.rpartition('.')[2]}={shown}")
    return " ".join(words)


def trials_table(trials: Sequence[TuneTrial], score: str, *, caption: str | None = None) -> Table:
    """Return a table of trials.

    Args:
        trials: The trials, in the order in which they are shown.
        score: The score, as in `TuneRecord.score`.
        caption: The text below the table. If None, there is none.
    """
    table = ruled_table()
    table.caption, table.caption_justify = caption, "left"
    table.add_column("trial", justify="right", no_wrap=True)
    table.add_column(f"validation {SCORE_NAMES[score]}", justify="right", no_wrap=True)
    table.add_column("time s", justify="right", no_wrap=True)
    table.add_column("settings", overflow="fold")
    for trial in trials:
        seconds = MISSING if trial.seconds is None else f"{trial.seconds:.1f}"
        table.add_row(
            str(trial.number),
            score_cell(trial.score, score),
            seconds,
            literal(short_settings(trial)),
        )
    return table


def best_trials(record: TuneRecord) -> list[TuneTrial]:
    """Return the finished trials of a search, the best one first."""
    finished = [trial for trial in record.trials if trial.state == "finished"]
    sign = 1 if record.score == "loss" else -1
    others = sorted(finished, key=lambda trial: (sign * (trial.score or 0.0), trial.number))
    return [record.best, *others]


def print_search(record: TuneRecord, folder: Path) -> None:
    """Print the best trials of a search, the most important settings, and the places of the files.

    Args:
        record: The record of the search.
        folder: The folder of the search.
    """
    console, data = terminal.console(), record.data
    console.print(f"\n{data.name}: {data.train:,} train, {data.validation:,} validation texts")
    console.print(trials_table(best_trials(record)[:_SHOWN], record.score))
    console.print("\n".join(search_lines(record, folder)))


def search_lines(record: TuneRecord, folder: Path) -> Iterator[str]:
    """Yield the lines below the table of the best trials."""
    states = [trial.state for trial in (record.best, *record.trials)]
    counts = [f"{states.count(state):,} {state}" for state in ("finished", "pruned", "failed")]
    yield wrap_labelled("trials", f"{', '.join(counts)}; {record.seconds:,.0f} s together")
    best = describe_score(record.best, record.score)
    yield wrap_labelled("best", f"{best} with {short_settings(record.best)}")
    if record.nested is not None:
        nested = score_cell(record.nested, record.score)
        yield wrap_labelled(
            "halves",
            f"{nested} if one half of validation chooses the trial and the other half scores it. "
            "This is closer to the score on other texts than the best score.",
        )
    if record.importances:
        parts = [f"{one.key} {100 * one.importance:.0f} %" for one in record.importances[:4]]
        yield wrap_labelled("important", ", ".join(parts))
    if record.plots:
        yield f"plots     {plot_names(record.plots)} in {folder}"
    yield f"record    {folder / TUNING}"
    place = shlex.quote(str(folder / BEST))
    yield f"next      thawline fit --config {place}"
    yield f"          thawline compare … -s {shlex.quote(record.rung)}"
