"""The sentences of a verdict claim no more than the decisions."""

from __future__ import annotations

import pytest

from tests.support.records import mean_scores, rung_record, rung_run
from thawline.compare.words import points, verdict_words
from thawline.report.ladder import highest_on_test
from thawline.runs.records import DrawnRows, RungRecord, Standing, Verdict

MODELS = Verdict(rung=None, margin=0.01, confidence=0.95, cost="seconds", about="models", words="")


def rung(
    name: str, accuracy: float, decision: str, seeds: int = 1, **standing: object
) -> RungRecord:
    made = rung_record(name, accuracy, decision, runs=[rung_run([], n) for n in range(seeds)])
    changed = made.standing.model_copy(update=standing)
    return made.model_copy(update={"standing": changed, "test": mean_scores(accuracy, rows=500)})


def words(rungs: list[RungRecord], **verdict: object) -> str:
    return verdict_words(rungs, MODELS.model_copy(update=verdict))


def test_an_undecided_rung_is_never_called_worse_or_within():
    said = words([rung("head", 0.81, "undecided"), rung("full", 0.846, "undecided")])
    assert all(datum in said for datum in ("undecided", "1 point", "5,200", "500", "84.6 %"))
    for claim in ("best", "worse", "lower"):
        assert claim not in said


def test_a_decided_rung_has_the_bounds_that_decide():
    decided = {"lower_bound": -0.041, "upper_bound": -0.003}
    said = words(
        [rung("head", 0.81, "worse", **decided), rung("full", 0.83, "within")], rung="full"
    )
    # The interval of the difference itself, -1.0 to 5.0, would contradict the decision.
    assert all(datum in said for datum in ("head", "2.0", "0.3 to 4.1", "500", "worse"))
    assert "-1.0 to 5.0" not in said
    assert said.startswith("full")
    assert "models" in said
    assert "undecided" not in said


def test_the_number_of_seeds_belongs_to_a_claim_about_strategies():
    said = words(
        [rung("head", 0.81, "worse", seeds=3), rung("full", 0.846, "within", seeds=3)],
        rung="full",
        about="strategies",
    )
    assert "3 seeds" in said
    assert "models" not in said


def test_new_training_rows_are_named_with_several_draws():
    drawn = DrawnRows(draws=[0, 1, 2], rows=4_000, overlap=0.0, separate=6)
    runs = [rung_run([], 1_000 * draw, draw) for draw in range(3)]
    rungs = [
        rung(name, 0.8, "undecided", texts_to_decide=None, draws_to_decide=23).model_copy(
            update={"runs": runs}
        )
        for name in ("head", "full")
    ]
    verdict = MODELS.model_copy(update={"about": "new_rows"})
    said = verdict_words(rungs, verdict, drawn=drawn)
    assert all(datum in said for datum in ("4,000", "3 draws", "about 23 draws"))
    assert "models" not in said
    assert "test texts" not in said


@pytest.mark.parametrize(
    ("texts", "seeds", "wanted"),
    [
        (1_234, None, {"1,300"}),
        (1_234, 7, {"1,300", "7 seeds"}),
        (None, 7, {"7 seeds"}),
        (None, None, set()),
    ],
)
def test_what_would_decide_is_named(texts, seeds, wanted):
    undecided = rung("head", 0.81, "undecided", texts_to_decide=texts, seeds_to_decide=seeds)
    said = words([undecided, rung("full", 0.846, "within")])
    assert {number for number in ("1,300", "7 seeds") if number in said} == wanted


def test_the_number_of_different_texts_is_named_if_many_are_copies() -> None:
    rungs = [rung(name, 0.8, "undecided", texts_to_decide=320) for name in ("head", "full")]
    said = verdict_words(rungs, MODELS, texts=40)
    assert all(datum in said for datum in ("40", "500", "320"))
    assert said.count("different") == 2
    assert "different" not in verdict_words(rungs, MODELS)


def test_a_single_rung_is_compared_with_nothing():
    said = words([rung("head", 0.81, "within")], rung="head")
    assert "81.0 %" in said
    assert "within" not in said


def test_a_backbone_that_does_not_beat_words_is_named():
    baseline = rung("tfidf", 0.81, "worse", better=["full"]).model_copy(update={"backbone": None})
    said = words([baseline, rung("head", 0.8, "undecided"), rung("full", 0.9, "within")])
    *_, last = said.split(". ")
    assert "tfidf" in last
    assert "head" in last
    assert "full" not in last


def test_points():
    assert [points(share) for share in (0.01, 0.005, 0.02)] == ["1 point", "0.5 points", "2 points"]
    assert isinstance(rung("a", 0.5, "within").standing, Standing)


def test_a_tie_names_all_of_the_highest():
    tie = [rung("head", 0.8, "undecided"), rung("full", 0.8, "undecided")]
    alone = [*tie, rung("last:1", 0.81, "undecided")]
    assert highest_on_test(alone) == "last:1"
    assert all(name in highest_on_test(tie) for name in ("head", "full"))
    assert highest_on_test(tie) in words(tie)
    assert "2" in highest_on_test([*tie, rung("last:1", 0.8, "undecided")])
