"""Which rung is worth its cost."""

from __future__ import annotations

from tests.support.records import rung_record
from thawline.compare.verdict import verdict
from thawline.runs.records import RungRecord, TotalSeconds


def rung(name: str, accuracy: float, seconds: float, p: float | None) -> RungRecord:
    return rung_record(name, accuracy, p, seconds=TotalSeconds(total=seconds))


FULL = rung("full", 0.9, 500, None)
HEAD, LAST = rung("head", 0.8, 10, 0.001), rung("last:1", 0.89, 60, 0.2)


def test_the_verdict_is_the_cheapest_rung_that_cannot_be_told_apart_from_the_best():
    found = verdict([HEAD, LAST, FULL], FULL, 0.05)
    assert found.rung == "last:1"
    for datum in ("last:1", "full", "2,000", "89.0 %", "90.0 %", "p 0.2", "60 s", "500"):
        assert datum in found.words
    assert verdict([HEAD, LAST, FULL], FULL, 0.0005).rung == "head"


def test_the_best_rung_wins_if_every_cheaper_one_is_worse():
    found = verdict([HEAD, FULL], FULL, 0.05)
    assert found.rung == "full"
    assert "head" not in found.words
    assert "2,000" in found.words
    assert verdict([FULL], FULL, 0.05).words != found.words
