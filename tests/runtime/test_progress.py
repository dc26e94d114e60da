"""The lines of progress that are printed without a terminal."""

from __future__ import annotations

import math

import pytest

from thawline.errors import Naming, settings_named
from thawline.runtime import progress
from thawline.runtime.progress import TerminalReporter


@pytest.mark.parametrize(("seconds", "lines"), [(0.0, 3), (math.inf, 0)])
def test_long_tasks_print_lines_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    lines: int,
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", seconds)
    with TerminalReporter().task("training", 4) as advance:
        for step in range(4):
            advance(1, f"loss {step}")
    printed = capsys.readouterr().err.splitlines()
    counted = [line for line in printed if line.startswith("training ") and "/4 loss" in line]
    assert counted == [f"training {step + 1}/4 loss {step}" for step in range(lines)]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_bar_takes_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with TerminalReporter().task("training", 3_600) as advance:
        advance(3_600, "loss 0.312, accuracy 0.867, 12,732 tokens/s, rate 0.00095")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(line.rstrip()) <= columns
    assert "loss 0.312, accuracy 0.867" in line


def test_a_message_names_settings_as_the_interface_does(capsys: pytest.CaptureFixture[str]) -> None:
    names = {"training.lr": "--lr"}
    with settings_named(Naming(names.get, lambda key, value: f"{names[key]} {value}")):
        TerminalReporter().message("try `training.lr` or `training.lr=0.1`")
    assert capsys.readouterr().err == "try --lr or --lr 0.1\n"
