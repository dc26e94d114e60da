"""Write the verdict of a ladder in sentences, which claim no more than the decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from thawline.report.ladder import bounds_below, highest_on_test, seeds_of
from thawline.report.tables import rounded_up
from thawline.runs.records import DrawnRows, RungRecord, Standing, Verdict

TFIDF = "tfidf"
"""The strategy without a backbone that every other one should beat."""


class _Facts(NamedTuple):
    """The values that the sentences contain.

    Attributes:
        rungs: The rungs.
        verdict: The verdict, whose words are still missing.
        top: The rung with the highest accuracy on these test texts.
        texts: The number of different test texts. None if it is that of the test rows.
        drawn: The draws of the training rows. None if there is one.
    """

    rungs: Sequence[RungRecord]
    verdict: Verdict
    top: RungRecord
    texts: int | None
    drawn: DrawnRows | None

    @property
    def margin(self) -> str:
        return points(self.verdict.margin)

    @property
    def sample(self) -> str:
        """What the bounds hold for, for example "these models, 500 texts"."""
        texts = f"{self.top.test.rows:,} texts"
        if self.texts is not None:
            texts = f"{self.texts:,} different texts in {self.top.test.rows:,} rows"
        if self.verdict.about == "models":
            models = "this model" if len(self.rungs) == 1 else "these models"
            return f"{models}, {texts}"
        return f"{texts}, {seeds_of(self.rungs)}"

    @property
    def of_rows(self) -> str:
        """The end of a statement that holds for new training rows, too."""
        if self.drawn is None:
            return ""
        return f", with new samples of {self.drawn.rows:,} labelled rows"


def verdict_words(
    rungs: Sequence[RungRecord],
    verdict: Verdict,
    texts: int | None = None,
    drawn: DrawnRows | None = None,
) -> str:
    """Return the verdict in sentences.

    Args:
        rungs: The rungs with their standings.
        verdict: The verdict. Its words are not read.
        texts: The number of different test texts. If None, it is that of the test rows.
        drawn: The draws of the training rows. If None, there is one.
    """
    top = max(rungs, key=lambda rung: rung.test.accuracy.value)
    return " ".join(_sentences(_Facts(rungs, verdict, top, texts, drawn)))


def _sentences(facts: _Facts) -> Iterator[str]:
    verdict, top = facts.verdict, facts.top
    accuracy = percent(top.test.accuracy.value)
    if len(facts.rungs) == 1:
        yield f"{top.rung}: {accuracy} ({facts.sample}). No other strategy has finished."
        return
    others = [rung for rung in facts.rungs if rung is not top]
    within = [rung for rung in facts.rungs if rung.standing.decision == "within"]
    if verdict.rung is None:
        yield f"No strategy is shown to be within {facts.margin} of all others{facts.of_rows}."
    else:
        which = "only" if len(within) == 1 else "cheapest"
        within_all = f"{which} strategy within {facts.margin} of all others"
        yield f"{verdict.rung} is the {within_all}{facts.of_rows}."
    yield f"Highest on test: {highest_on_test(facts.rungs)}, {accuracy}."
    sample: str | None = facts.sample
    for rung in others:
        if rung.standing.decision != "undecided":
            yield f"{rung.rung} {_below(rung.standing, sample)}: {_decided(facts, rung)}."
            sample = None  # it is the same for all
    undecided = [rung for rung in facts.rungs if rung.standing.decision == "undecided"]
    if undecided:
        is_all = len(undecided) == len(facts.rungs)
        names = ", ".join(rung.rung for rung in undecided)
        subject = "All are" if is_all else f"{names}:"
        more = _to_decide(undecided, "test" if facts.texts is None else "different test")
        measured = "" if sample is None else f" ({sample})"
        yield f"{subject} undecided at {facts.margin}{measured}; {more}."
    yield from _against_tfidf(facts)


def _decided(facts: _Facts, rung: RungRecord) -> str:
    return "worse" if rung.standing.decision == "worse" else f"within {facts.margin}"


def _below(standing: Standing, sample: str | None) -> str:
    """Return how far a rung is below the highest one, as "is 3.6 points lower (bounds 0.9 to 6.3)".

    The bounds are those that decide. They hold for all rungs together, so they are wider than the
    interval of a single difference.
    """
    below = standing.below_best
    assert below is not None, "a rung that is not alone is compared with another one"
    bounds = f"bounds {bounds_below(standing)}"
    inside = bounds if sample is None else f"{bounds}; {sample}"
    return f"is {100 * below.value:.1f} points lower ({inside})"


def _to_decide(undecided: Sequence[RungRecord], kind: str) -> str:
    """Return how many texts, seeds or draws would decide about all of some rungs.

    Args:
        undecided: The rungs.
        kind: The kind of texts that count, "test" or "different test".
    """
    texts = [rung.standing.texts_to_decide for rung in undecided]
    seeds = [rung.standing.seeds_to_decide for rung in undecided]
    draws = [rung.standing.draws_to_decide for rung in undecided]
    ways = []
    if None not in texts:
        ways.append(f"about {rounded_up(max(n for n in texts if n is not None)):,} {kind} texts")
    if None not in seeds:
        ways.append(f"about {rounded_up(max(n for n in seeds if n is not None))} seeds")
    if None not in draws:
        ways.append(f"about {rounded_up(max(n for n in draws if n is not None))} draws")
    if ways:
        return f"{' or '.join(ways)} would decide"
    return (
        f"more {kind} texts alone would not decide all of them"
        if len(undecided) > 1
        else f"more {kind} texts alone would not decide"
    )


def _against_tfidf(facts: _Facts) -> Iterator[str]:
    """Yield which rungs with a backbone are not shown to be better than TF-IDF."""
    for baseline in facts.rungs:
        if baseline.strategy != TFIDF:
            continue
        weak = [
            rung.rung
            for rung in facts.rungs
            if rung.backbone is not None and rung.rung not in baseline.standing.better
        ]
        if weak:
            yield f"Not shown to be better than {baseline.rung}: {', '.join(weak)}."


def with_first_margin(verdict: Verdict, first_margin: float | None) -> Verdict:
    """Say in the words of a verdict that its margin was changed, if it was.

    Args:
        verdict: The verdict.
        first_margin: The margin of the first start of the ladder, in points. None if it is that of
            the verdict.
    """
    if first_margin is None:
        return verdict
    changed = f"The margin was {points(first_margin / 100)} at first, and test may have been read."
    return verdict.model_copy(update={"words": f"{verdict.words} {changed}"})


def percent(share: float) -> str:
    """Return a share as a percentage, for example "84.6 %"."""
    return f"{100 * share:.1f} %"


def points(share: float) -> str:
    """Return a difference of shares in points, for example "1 point" or "0.5 points"."""
    number = f"{100 * share:g}"
    return f"{number} point" if number == "1" else f"{number} points"
