"""Predict the seconds of the runs of a ladder, and correct the predictions by finished runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from thawline.compare.costs import SplitLengths, count_work, estimate_lengths
from thawline.compare.seconds import Parts, measure_slowdown, predict_seconds
from thawline.data import Dataset
from thawline.pretraining.tapt import Adaptation, plan_adaptation
from thawline.runs.records import FitRecord
from thawline.training.preparation import Prepared, PreparedWords
from thawline.training.states import LaterStates

POOLED = "pooled"
"""The place of the pooled states of every stage, where other states have their line."""

PRIOR_SECONDS = 1.0
"""Seconds that count as predicted by other parts, so that a very short part corrects little."""

PRODUCT_PARTS = ("tapt", "prefix", "training", "scores")
"""The parts that consist mostly of matrix products, whose rate is measured only once."""


@dataclass(frozen=True)
class RungForecast:
    """The prediction for one rung, before any run has finished.

    Attributes:
        parts: The seconds of each part of a run, alone and with an empty store.
        shared: What the run leaves for other runs, by the part that made it: states in the store,
            or an adapted backbone. A run skips a part if everything that the part makes is there.
    """

    parts: Parts
    shared: Mapping[str, frozenset[Hashable]]

    def is_stored(self, part: str, stored: Set[Hashable]) -> bool:
        """Return whether everything that a part makes is there."""
        made = self.shared.get(part, frozenset())
        return bool(made) and made <= stored


class Forecast:
    """The predicted seconds of the rungs.

    A part of a run is predicted by its own earlier run with another seed, if there is one.
    Otherwise, its prediction is multiplied by the ratio of true to predicted seconds of this part
    in all finished runs. If there are few of these seconds, the ratio of all parts that consist of
    matrix products is used for such a part, because the measured rate may be wrong for all of them.

    Args:
        rungs: The predictions for each rung. All predictions for a rung that is missing are 0.
        redrawn: The share of texts that differ between two draws: those of train and validation.
    """

    def __init__(self, rungs: Mapping[str, RungForecast], redrawn: float = 1.0) -> None:
        self._rungs, self._redrawn = rungs, redrawn
        self._own: dict[str, Parts] = {}
        self._true: Parts = defaultdict(float)
        self._predicted: Parts = defaultdict(float)

    def states(self, rung: str) -> frozenset[Hashable]:
        """Return what a run of a rung leaves for other runs."""
        if rung not in self._rungs:
            return frozenset()
        return frozenset[Hashable]().union(*self._rungs[rung].shared.values())

    def is_passed(self, rung: str, states: Set[Hashable]) -> bool:
        """Return whether a pass that leaves some pooled states goes through all lines of a rung."""
        own = list(self._at_lines(rung))
        return bool(own) and all((source, POOLED) in states for source, _ in own)

    def later(self, rung: str, others: Iterable[str], stored: Set[Hashable]) -> LaterStates:
        """Return the states that a run of a rung can compute for other rungs in the same pass.

        The states at higher lines are computed from those at the lowest one.

        Args:
            rung: The rung.
            others: The rungs that are run later, on the same texts.
            stored: What earlier runs on these texts have left.
        """
        own = self.states(rung)
        sources = {source for source, _ in self._at_lines(rung)}
        needed = {
            (source, place)
            for other in others
            for source, place in self._at_lines(other)
            if source in sources and (source, place) not in own | stored
        }
        lines = [place for _, place in needed if isinstance(place, int)]
        if any(place != POOLED for _, place in self._at_lines(rung)):
            lines = []  # the pass of this rung has a line already
        return LaterStates(
            pooled=any(place == POOLED for _, place in needed),
            line=min(lines, default=None),
        )

    def computed_later(self, rung: str, later: LaterStates) -> frozenset[Hashable]:
        """Return what a run of a rung leaves because of `later`, in the form of `states`."""
        places = [POOLED] * later.pooled + ([] if later.line is None else [later.line])
        return frozenset((source, place) for source, _ in self._at_lines(rung) for place in places)

    def is_below(self, lower: str, upper: str) -> bool:
        """Return whether a rung leaves states from which the states of another are computed."""
        return any(
            source == other and isinstance(line, int) and isinstance(end, int) and line < end
            for source, line in self._at_lines(lower)
            for other, end in self._at_lines(upper)
        )

    def _at_lines(self, rung: str) -> Iterator[tuple[Hashable, Hashable]]:
        """Yield the source and the line of the states that a run of a rung leaves."""
        for made in self.states(rung):
            if isinstance(made, tuple):
                yield made

    def seconds(
        self,
        rung: str,
        stored: Set[Hashable] = frozenset(),
        of_other_draws: Set[Hashable] = frozenset(),
    ) -> float:
        """Return the predicted seconds of one run.

        Args:
            rung: The rung.
            stored: What earlier runs on the same draw have left. By default, nothing.
            of_other_draws: What runs on other draws have left, which is the same for test only.
        """
        if rung not in self._rungs:
            return 0.0
        forecast, own = self._rungs[rung], self._own.get(rung, {})
        total = 0.0
        for part, seconds in forecast.parts.items():
            if forecast.is_stored(part, stored):
                continue
            predicted = own.get(part, seconds * self._ratio(part))
            # An adapted backbone belongs to its draw, and with it everything that follows.
            is_shared = "tapt" not in forecast.parts and forecast.is_stored(part, of_other_draws)
            total += predicted * (self._redrawn if is_shared else 1.0)
        return total

    def _ratio(self, part: str) -> float:
        """Return the ratio of true to predicted seconds that is expected of a part."""
        usual = 1.0
        if part in PRODUCT_PARTS:
            true, predicted = (
                sum(seconds[other] for other in PRODUCT_PARTS)
                for seconds in (self._true, self._predicted)
            )
            usual = (true + PRIOR_SECONDS) / (predicted + PRIOR_SECONDS)
        true, predicted = self._true[part], self._predicted[part]
        return (true + PRIOR_SECONDS * usual) / (predicted + PRIOR_SECONDS)

    def learn(self, rung: str, record: FitRecord) -> None:
        """Correct the predictions by a finished run."""
        if rung in self._rungs:
            self.learn_parts(rung, measured_parts(record))

    def learn_parts(self, rung: str, measured: Parts) -> None:
        """Correct the predictions by the seconds of the parts of a run.

        Args:
            rung: The rung.
            measured: The seconds of each part that was measured completely.
        """
        parts, own = self._rungs[rung].parts, self._own.setdefault(rung, {})
        for part, seconds in measured.items():
            if part in parts:
                own[part] = seconds
                self._true[part] += seconds
                self._predicted[part] += parts[part]


def measured_parts(record: FitRecord) -> Parts:
    """Return the seconds of the parts of a run that were measured completely.

    The parts of a resumed run are those of its last start, so none is returned. The states of a run
    that found some of them in the store are left out, too.
    """
    if len(record.starts) > 1 or record.resumed:
        return {}
    seconds, parts = record.seconds, dict[str, float]()
    known = seconds.tokenising + seconds.prefix + seconds.training + seconds.evaluation
    if record.prefix.texts and not record.prefix.from_store:
        # The pass may have continued from stored states of a lower line, which costs less.
        alone = seconds.prefix if record.cost is None else record.cost.prefix - seconds.tokenising
        parts |= {"tokenising": seconds.tokenising, "prefix": alone}
    elif record.line is not None and record.line <= 1 and record.head_first is None:
        parts["tokenising"] = seconds.tokenising
    if seconds.tapt is not None:
        known += seconds.tapt
        if record.tapt is not None and not record.tapt.reused:
            parts["tapt"] = seconds.tapt
    if seconds.head_first is not None:
        parts["head"] = seconds.head_first
        known += seconds.head_first
    if record.epochs is not None:
        parts["training"] = seconds.training
    elif record.words is None:
        parts["head"] = seconds.training
    else:
        parts["words" if record.backbone is None else "joint"] = seconds.training
    return {**parts, "scores": seconds.evaluation, "other": seconds.total - known}


def forecast_rungs(fits: Mapping[str, Prepared | PreparedWords], dataset: Dataset) -> Forecast:
    """Predict the seconds of one run of each rung.

    Args:
        fits: The checked settings of each rung.
        dataset: The data set.
    """
    lengths: dict[Hashable, SplitLengths] = {}
    rungs, slowdown = {}, measure_slowdown() if fits else 1.0
    for rung, fit in fits.items():
        key = None
        if isinstance(fit, Prepared):
            key = fit.backbone.name, fit.config.tokens, fit.config.encoder
        if key not in lengths:
            lengths[key] = estimate_lengths(fit, dataset)
        adaptation = None
        if isinstance(fit, Prepared):
            adaptation = plan_adaptation(fit.backbone, fit.plan, fit.config, dataset.parts)
        parts = predict_seconds(count_work(fit, dataset, lengths[key], adaptation), slowdown)
        rungs[rung] = RungForecast(parts, _shared(fit, key, adaptation))
    redrawn = len(dataset.train) + len(dataset.validation)
    return Forecast(rungs, redrawn / (redrawn + len(dataset.test)))


def _shared(
    fit: Prepared | PreparedWords, key: Hashable, adaptation: Adaptation | None
) -> dict[str, frozenset[Hashable]]:
    """Return what a fit leaves for other fits, by the part that makes it."""
    if not isinstance(fit, Prepared):
        return {}
    plan, depth = fit.plan, fit.backbone.stack.depth
    adapted = None if adaptation is None else adaptation.folder
    source = key, adapted, plan.max_length, fit.config.compute.dtype
    found: set[Hashable] = set()
    if plan.line > depth or plan.first is not None:
        found.add((source, POOLED))
    if 1 < plan.line <= depth:
        found.add((source, plan.line))
    states = frozenset(found)
    shared = {"tokenising": states, "prefix": states}
    return shared if adapted is None else shared | {"tapt": frozenset({adapted})}
