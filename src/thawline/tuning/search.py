"""Make the trials of a search, one after the other, in this process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from thawline.config import Config, TuneConfig
from thawline.errors import ThawlineError
from thawline.runs.records import TuneTrial
from thawline.runtime.progress import Reporter
from thawline.tuning.dimensions import Dimension, Value
from thawline.tuning.progress import SearchProgress
from thawline.tuning.space import Space
from thawline.tuning.study import (
    ERROR,
    LOGITS,
    QUARTERS,
    REPEATED,
    encode_logits,
    import_optuna,
)
from thawline.tuning.trials import SCORES, Observer, Outcome, Trainer

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, Trial

MAX_REPEATED = 50
"""The number of trials in a row with known settings after which the space counts as exhausted."""

MAX_FAILED = 5
"""The number of failed trials in a row that end a search."""


class Search:
    """The trials of a search.

    Args:
        study: The study, which other processes may share.
        space: The space.
        trainer: Trains and scores.
        config: The settings of the search.
        reporter: Shows progress.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        trainer: Trainer,
        config: TuneConfig,
        reporter: Reporter,
    ) -> None:
        self._study, self._space, self._trainer = study, space, trainer
        self._config, self._reporter = config, reporter
        self._score = SCORES[config.fit.training.keep]
        self._optuna = import_optuna()
        self._end = time.monotonic() + config.budget if config.budget else None
        self._repeated = self._failed = 0  # trials in a row
        self._errors: list[Exception] = []
        self._known: dict[str, FrozenTrial] = {}
        self.progress = SearchProgress(self._score, config.trials)
        for trial in self._study.get_trials(deepcopy=False):
            self._note(trial)

    def run(self) -> None:
        """Make trials until the number of trials or the budget is reached.

        Raises:
            ThawlineError: If no trial of the study has finished.
        """
        with self._reporter.live(self.progress.table):
            if not self._is_done():
                self._study.optimize(
                    self._objective,
                    timeout=None,
                    catch=(Exception,),
                    callbacks=[self._after],
                )
        if not self.progress.finished:
            if self._errors:
                raise self._errors[0]
            raise ThawlineError(
                "a budget for at least one trial",
                "none that finished",
                "use a larger `budget`",
                setting="budget",
            )

    # -- one trial --------------------------------------------------------------------------------

    def _objective(self, trial: Trial) -> float:
        config = self._sample(trial)
        key = config_key(config)
        before = self._known.get(key)
        if before is not None:
            trial.set_user_attr(REPEATED, before.number)
            return self._repeat(before)
        with self._interruptible(trial):
            outcome = self._train(trial, config)
        logits = encode_logits(outcome.logits)
        if logits is not None:
            trial.set_user_attr(LOGITS, logits)
        return outcome.score

    def _sample(self, trial: Trial) -> Config:
        def choose(name: str, dimension: Dimension) -> Value:
            low, high = dimension.low, dimension.high
            if low is None or high is None:
                chosen: Any = trial.suggest_categorical(name, dimension.choices)
            elif dimension.is_integer:
                chosen = trial.suggest_int(name, int(low), int(high), log=dimension.log)
            else:
                chosen = trial.suggest_float(name, low, high, log=dimension.log)
            value: Value = chosen
            return value

        return self._space.config(choose)[1]

    def _repeat(self, before: FrozenTrial) -> float:
        if before.value is None or before.state.name == "PRUNED":
            raise self._optuna.TrialPruned
        return float(before.value)

    @contextmanager
    def _interruptible(self, trial: Trial) -> Iterator[None]:
        """Let an interrupted trial be made again when the search continues."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit) as error:
            self._study.enqueue_trial(trial.params)
            if isinstance(error, SystemExit):  # Optuna itself notes Ctrl-C
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            raise

    def _train(self, trial: Trial, config: Config) -> Outcome:
        reported = set[int]()

        def evaluated(share: float, best: float) -> None:
            quarter = int(QUARTERS * share + 1e-9)
            if 0 < quarter < QUARTERS and quarter not in reported:
                reported.add(quarter)
                trial.report(best, quarter)
                if trial.should_prune():
                    raise self._optuna.TrialPruned

        try:
            return self._trainer.run(config, Observer(self._score, evaluated))
        except self._optuna.TrialPruned:
            raise
        except Exception as error:
            trial.set_user_attr(ERROR, f"{type(error).__name__}: {error}")
            if isinstance(error, ThawlineError) and error.setting == "training.lr":
                raise self._optuna.TrialPruned from error  # a bad result, not a failure
            self._errors.append(error)
            raise

    # -- after a trial ----------------------------------------------------------------------------

    def _after(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._repeated = self._repeated + 1 if REPEATED in trial.user_attrs else 0
        self._failed = self._failed + 1 if trial.state.name == "FAIL" else 0
        line = self._note(trial)
        if line is not None:
            self._reporter.message(line)
        for other in study.get_trials(deepcopy=False)[self.progress.first_unknown :]:
            self._note(other)  # of other processes
        if self._is_done():
            study.stop()

    def _note(self, trial: FrozenTrial) -> str | None:
        """Add a trial to the progress, and return a line if it is the best one so far."""
        if trial.state.name in ("RUNNING", "WAITING") or self.progress.knows(trial.number):
            return None
        try:
            described, config = describe_trial(trial, self._space)
        except KeyError:  # it was interrupted while it was sampled
            self.progress.skip(trial.number)
            return None
        if trial.state.name != "FAIL":
            self._known.setdefault(config_key(config), trial)
        elif ERROR not in trial.user_attrs:  # it was interrupted, and is made again
            self.progress.skip(trial.number)
            return None
        return self.progress.add(described, REPEATED in trial.user_attrs)

    def _is_done(self) -> bool:
        if self.progress.made >= self._config.trials:
            return True
        if self._end is not None and time.monotonic() >= self._end:
            return True
        if self._repeated >= MAX_REPEATED:
            self._reporter.message(
                f"{MAX_REPEATED} trials in a row had known settings: the space is exhausted"
            )
            return True
        if self._failed >= MAX_FAILED:
            self._reporter.message(f"{MAX_FAILED} trials in a row have failed")
            return True
        return False


def config_key(config: Config) -> str:
    """Return settings as one string."""
    return json.dumps(config.to_dict(), sort_keys=True)


def describe_trial(trial: FrozenTrial, space: Space) -> tuple[TuneTrial, Config]:
    """Return a trial of the study as it is recorded, and its settings.

    Args:
        trial: The trial.
        space: The space.

    Raises:
        KeyError: If the trial lacks a parameter.
    """
    settings: dict[str, Any] = {}

    def choose(name: str, dimension: Dimension) -> Value:
        value: Value = trial.params[name]
        settings[dimension.key] = dimension.rounded(value)
        return value

    _, config = space.config(choose)
    states = {"COMPLETE": "finished", "PRUNED": "pruned"}
    reported = trial.intermediate_values
    score = trial.value
    if score is None and reported:
        score = reported[max(reported)]
    described = TuneTrial(
        number=trial.number,
        state=states.get(trial.state.name, "failed"),  # type: ignore[arg-type]
        strategy=config.strategy,
        settings=settings,
        score=score,
        seconds=None if trial.duration is None else trial.duration.total_seconds(),
        error=trial.user_attrs.get(ERROR),
    )
    return described, config
