"""`thawline info`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command_line import thawline
from tests.support.verb_runs import NAMED


def test_info_prints_the_stages_and_the_parameters_of_the_record(real, toy_backbone):
    done = thawline("info", "--backbone", toy_backbone(), *NAMED, "--json")
    assert done.code == 0, done.err
    record = json.loads(real.out)
    assert done.json["parameters"]["frozen"] == record["parameters"]["frozen"]
    assert (done.json["strategy"], done.json["line"]) == ("head", 5)
    shown = thawline("info", "--backbone", toy_backbone(), "--head", "native").out
    stages = [line.split() for line in shown.splitlines() if line[:1].isdecimal()]
    assert [stage[0] for stage in stages] == ["0", "1", "2", "3", "4"]
    assert all("frozen" in stage for stage in stages)
    (head,) = [line for line in shown.splitlines() if "native" in line]
    assert all(word in head for word in ("first", "4"))
    assert any("head" in line and "line 5" in line for line in shown.splitlines())


def test_info_takes_a_config_too(toy_backbone):
    Path("own.toml").write_text(f"backbone = '{toy_backbone()}'\n[data]\nlabels = ['a', 'b', 'c']")
    done = thawline("info", "--config", "own.toml", "--set", "head.features=4", "--json")
    assert done.code == 0, done.err
    assert done.json["features"] == [4]
    assert done.json["parameters"]["trainable"] == 3 * 33
