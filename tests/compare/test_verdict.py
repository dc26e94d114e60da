"""Which rung is worth its cost."""

from __future__ import annotations

from thawline.compare.verdict import verdict


def rung(name: str, accuracy: float, seconds: float, p: float | None) -> dict:
    against = None if p is None else {"p": p / 2, "p_corrected": p}
    test = {"rows": 2_000, "accuracy": {"value": accuracy}}
    return {"rung": name, "test": test, "seconds": {"total": seconds}, "against_best": against}


def test_the_verdict_is_the_cheapest_rung_that_cannot_be_told_from_the_best():
    full = rung("full", 0.9, 500, None)
    rungs = [rung("head", 0.8, 10, 0.001), rung("last:1", 0.89, 60, 0.2), full]
    assert verdict(rungs, full, 0.05) == {
        "rung": "last:1",
        "words": "last:1 cannot be told from the best, full, on 2,000 test texts (89.0 % against "
        "90.0 %, corrected p 0.2), and takes 60 s in place of 500",
    }
    assert verdict(rungs, full, 0.0005)["rung"] == "head"
    assert verdict([rungs[0], full], full, 0.05)["words"] == (
        "full is the best, and none that is cheaper is as good, on 2,000 test texts"
    )
