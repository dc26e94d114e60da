"""The benchmark of start-up times."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import startup


def test_the_help_is_measured_in_a_fresh_process(capsys):
    startup.main(["--repeats", "1", "--only", "help", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == ["help"]
    assert shown["help"]["command"] == "thawline --help"
    assert shown["help"]["cpu_seconds"] > 0 or sys.platform == "win32"
    assert shown["help"]["seconds"] > 0
    assert shown["help"]["packages"] == []


def test_a_process_reports_the_heavy_packages_that_it_imported(tmp_path):
    process = startup.run_process("import sys; sys.modules['pandas'] = sys", (), tmp_path)
    assert startup.PACKAGES.keys() & process.modules == {"pandas"}


def test_a_process_that_fails_ends_the_measurement(tmp_path):
    with pytest.raises(SystemExit, match="no-such-option"):
        startup.run_process(startup.RUN_COMMAND, ("--no-such-option",), tmp_path)


def test_the_table_compares_cpu_seconds_with_both_scripts(capsys):
    found = {
        name: startup.Measurement(startup.shown_as(name), [9.0, 1.0, 2.0], [cpu] * 3, ["scipy"])
        for name, cpu in (("import", 2.0), ("import-model", 2.75), ("predict", 3.25))
    }
    startup.print_table(found)
    shown = capsys.readouterr().out
    assert "+1.25" in shown
    assert "+0.50" in shown
    assert "2.00" in shown
    assert "scipy" in shown
