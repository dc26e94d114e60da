"""The help of the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import thawline
from thawline import __version__


@pytest.mark.parametrize("arguments", [(), ("--debug",), ("-h",), ("--help",)])
def test_help_lists_the_verbs(arguments):
    done = thawline(*arguments)
    assert done.code == 0
    for verb in ("fit", "predict", "evaluate", "info", "store"):
        assert f"\n  {verb} " in done.out
    assert "..." not in done.out.split("Commands:")[1]


def test_store_alone_is_its_help():
    done = thawline("store")
    assert done.code == 0
    assert "  clear  " in done.out


@pytest.mark.parametrize("verb", ["fit", "predict", "evaluate", "info", "store ls", "store clear"])
def test_each_verb_has_help_and_json(verb):
    done = thawline(*verb.split(), "--help")
    assert done.code == 0
    assert f"Usage: thawline {verb} " in done.out
    assert "--json" in done.out


def test_options_are_named_the_same_in_every_verb():
    wanted = "data labels backbone strategy head pooling max-length truncation-side epochs"
    help_text = thawline("fit", "--help").out
    for option in [*wanted.split(), "batch-size", "lr", "seed", "out", "small", "limit"]:
        assert f"--{option} " in help_text


@pytest.mark.parametrize(
    "command",
    [[sys.executable, "-m", "thawline"], [str(Path(sys.executable).with_name("thawline"))]],
)
def test_the_command_and_the_module_are_the_same(command):
    shown = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"thawline {__version__}\n"
