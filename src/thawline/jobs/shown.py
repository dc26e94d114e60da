"""Classify texts of the user before and after training (``fit --show``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from thawline.config import Config
from thawline.data import LabelledTexts, Text
from thawline.data.sources.lines import LINES
from thawline.data.texts import is_blank, is_text
from thawline.errors import ThawlineError, assignment
from thawline.jobs.predict import as_trained, read_file
from thawline.runtime.progress import Reporter
from thawline.training.adapt import Task, WordsTask
from thawline.training.preparation import Prepared, PreparedWords

SHOWN = "shown"
"""The name of the split with the user's own texts. Nothing is trained or selected on it."""


def read_shown(config: Config, *, pairs: bool, reporter: Reporter) -> list[Text]:
    """Return the texts of ``--show``, followed by those of ``--show-file``.

    Args:
        config: The settings. The file has the text column of the data set, or one with a common
            name.
        pairs: Whether the classifier is trained on pairs. Then a text needs a tab between its two
            parts.
        reporter: Shows warnings about the file.

    Raises:
        ThawlineError: If the file cannot be read, if a text is blank or contains invalid
            characters, or if a text is not a pair although pairs are expected.
    """
    texts: list[Text] = []
    for text in config.report.show:
        if is_blank(text) or not is_text(text):
            found = f"'{text}'" if is_blank(text) else f"an invalid character in {text!a}"
            fix = f"write for example {assignment('report.show', ['a text of your own'])}"
            raise ThawlineError("a text for `report.show`", found, fix, setting="report.show")
        with _named("report.show"):
            texts.append(as_trained(text, pairs=pairs))
    file = config.report.show_file
    if file is not None:
        has_columns = LINES not in [suffix.lower() for suffix in Path(file).suffixes]
        with _named("report.show_file"):
            given = read_file(file, config.data.text if has_columns else None, reporter)
            given = _with_content(given, file, reporter)
            texts += [as_trained(text, pairs=pairs) for text in given]
    return texts


def _with_content(given: list[Text], file: str, reporter: Reporter) -> list[Text]:
    """Leave out the blank texts of a file, and report how many they are.

    Raises:
        ThawlineError: If all are blank.
    """
    texts = [text for text in given if not is_blank(text)]
    if not texts:
        found = f"only blank texts in '{file}'"
        raise ThawlineError("texts with content", found, "give another file")
    blank = len(given) - len(texts)
    if blank:
        reporter.message(f"{blank:,} of {len(given):,} texts in '{file}' are blank and left out")
    return texts


@contextmanager
def _named(setting: str) -> Iterator[None]:
    """Let errors inside the ``with`` block name a setting."""
    try:
        yield
    except ThawlineError as error:
        raise ThawlineError(error.expected, error.found, error.fix, setting=setting) from error


def add_shown(
    task: Task | WordsTask, prepared: Prepared | PreparedWords, texts: list[Text]
) -> Task | WordsTask:
    """Return a task with the split `SHOWN`.

    A pass of its own computes the states of its texts, so that the states of all other texts are
    the same as without it.

    Args:
        task: The task.
        prepared: The settings and the backbone of the task.
        texts: The user's own texts.
    """
    no_labels = np.zeros(len(texts), dtype=np.int64)
    shown = {SHOWN: LabelledTexts(texts, no_labels, np.arange(len(texts)), SHOWN)}
    parts = {**task.parts, **shown}
    if isinstance(task, WordsTask):
        return replace(task, parts=parts)
    _, states = prepared.task(task.labels, shown, Reporter())
    return replace(task, parts=parts, frozen=replace(task.frozen, others=states))
