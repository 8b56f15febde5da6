"""A study of Optuna's that several workers share, on one machine or on many.

A trial of the plan has an index and keeps it when it is tried again; Optuna's trials are the attempts.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import optuna
from optuna.exceptions import StorageInternalError
from optuna.samplers import TPESampler
from optuna.storages import fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from relational_rnn.experiments.factors import Range
from relational_rnn.experiments.storage import Database, Place, quietly
from relational_rnn.training.processes import RunFailed
from relational_rnn.training.variants import Value, objective

Values = dict[str, Value]
Runs = list[dict[str, Any]]
R = TypeVar("R")

OPENINGS = 20
"""Attempts to open a study: others who open it at the same moment make the same tables."""

MOST_FAILURES = 20
"""Failures one after the other after which a storage counts as lost, whatever its heartbeats say."""

BRIEF = (OperationalError, ProgrammingError, IntegrityError, StorageInternalError, KeyError)
"""Errors of opening that may pass."""


class StorageLost(RunFailed):
    """The storage of a study cannot be used any more."""


class Plan(NamedTuple):
    """What a study looks for; all its workers have the same."""

    experiment: dict[str, Any]
    """What the trials are trials of, as JSON takes it: two studies with the same can share their trials."""
    factors: Mapping[str, Sequence[Value] | Range]
    trials: int
    """How many."""
    model: str
    """Whose validation accuracy counts."""
    points: Sequence[Values] | None = None
    """The values of each trial; None to search for good ones."""
    seed: int = 0
    """Of the search."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """A trial that a worker trains."""

    index: int
    values: Values


Train = Callable[[Claim, Callable[[], bool]], Runs | None]
"""(trial, whether to save and stop): returns its runs, None if it was stopped before its end."""


class SharedStudy:
    """A worker's door to a study.

    Args:
        place: where it is.
        plan: what it looks for; the first worker writes it down.
        owner: names the command that the worker is of.
        create: whether to make an SQLite file that is not there.

    Raises:
        ValueError: there is no such storage, it cannot be used, or the study there has another plan;
            without `create` that is `StorageLost`.
    """

    def __init__(self, place: Place, plan: Plan, owner: str = "", *, create: bool = True) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.place, self.plan, self.owner = place, plan, owner
        self._mine: int | None = None  # the attempt of this worker
        self._seen: dict[int, float] = {}  # when others were first seen to run
        for attempt in range(OPENINGS):
            try:
                self._open(create)
                break
            except Exception as error:  # each storage has its own kinds of errors
                if not isinstance(error, BRIEF) or attempt == OPENINGS - 1:
                    told = f"{place.shown!r} cannot be used as the storage of a study: {place.told(error)}"
                    raise (ValueError if create else StorageLost)(told) from None
            time.sleep(random.uniform(0, 0.5))

    def take_up(self, begun: Iterable[tuple[Claim, Runs | None]]) -> None:
        """Give the trials of this command back to it, and put back what the study has lost of them.

        Args:
            begun: the trials of the command, those that are finished with their runs.
        """
        self._database.used = time.monotonic()  # no heartbeats have told since when it fails
        self._patiently(functools.partial(self._take_up, list(begun)))

    def work(self, train: Train, stopped: Callable[[], bool]) -> None:
        """Train trials until the study has all of them, or until asked to stop.

        Raises:
            StorageLost: the storage was gone for half of the time of grace; the trainings are saved.
            Exception: what a training raised.
        """
        while not stopped():
            try:
                if not self._patiently(functools.partial(self._train_next, train, stopped)):
                    return
            except _Left as left:
                if left.__cause__ is not None:
                    raise left.__cause__ from None

    def finished(self) -> list[tuple[Claim, Runs]]:
        """Return the finished trials in the order of their indices."""
        self._database.used = time.monotonic()
        alive = sorted(self._patiently(self._alive).items())
        ended = [(index, trial) for index, trial in alive if trial.state == TrialState.COMPLETE]
        return [(Claim(index, trial.params), trial.user_attrs["runs"]) for index, trial in ended]

    def _open(self, create: bool) -> None:
        self._database = Database(self.place, self.owner, create=create)
        self._study = optuna.create_study(
            storage=self._database, study_name=self.place.name, direction="maximize", load_if_exists=True
        )
        if "plan" not in self._study.user_attrs:
            self._study.set_user_attr("plan", self.plan.experiment)
        self._check_plan()

    def _check_plan(self) -> None:
        there, now = self._study.user_attrs["plan"], json.loads(json.dumps(self.plan.experiment))
        changed = [name for name in {**now, **there} if there.get(name) != now.get(name)]
        if changed:
            told = "; ".join(f"{name}: {there.get(name)!r} there, {now.get(name)!r} now" for name in changed)
            raise ValueError(
                f"it has a study {self.place.name!r} with another plan ({told}); name another with --study"
            )

    def _train_next(self, train: Train, stopped: Callable[[], bool]) -> bool:
        """Train a trial; return whether there may be more."""
        if not self._wait_for_trial(stopped):
            return False
        train_one = functools.partial(self._train, train, stopped)
        self._study.optimize(train_one, n_trials=1, catch=(_Surplus,))
        return True

    def _wait_for_trial(self, stopped: Callable[[], bool]) -> bool:
        """Return True when a trial waits for a worker, False when all are complete."""
        while not stopped():
            self._check_plan()
            self._fail_dead()
            alive = self._alive()
            self._database.used = time.monotonic()
            missing = next((index for index in range(self.plan.trials) if index not in alive), None)
            if missing is not None:
                self._enqueue(Claim(missing, self._values_of(missing)))
            states = {trial.state for trial in alive.values()}
            if missing is not None or TrialState.WAITING in states:
                return True
            if states == {TrialState.COMPLETE}:
                break
            time.sleep(min(2.0, self.place.grace / 10))  # others train the last ones, and may die
        return False

    def _train(self, train: Train, stopped: Callable[[], bool], trial: Trial) -> float:
        """Train what Optuna has claimed and return its score."""
        self._mine, self._database.returned = trial.number, False
        alive = self._alive()
        index = trial.user_attrs.get("index")
        if index not in alive or alive[index].number != trial.number:  # another worker was quicker
            raise _Surplus
        # Each index has draws of its own: no two workers draw the same, and one worker repeats itself.
        words = np.random.SeedSequence([self.plan.seed, index]).generate_state(1)
        self._study.sampler = TPESampler(seed=int(words[0]))
        values = {name: _suggest(trial, name, allowed) for name, allowed in self.plan.factors.items()}
        # Finished before it was put here, or a search has come back to where it was.
        known = [trial, *(other for other in alive.values() if other.params == values)]
        runs: Runs | None = next((t.user_attrs["runs"] for t in known if "runs" in t.user_attrs), None)
        if runs is None:
            try:
                runs = train(Claim(index, values), lambda: stopped() or self._database.in_vain)
            except Exception as error:
                raise _Left from error
        still = [other for other in self._running() if other.number == trial.number]
        if runs is None or not (still and self._database.holds(still[0])):
            raise _Left
        trial.set_user_attr("runs", runs)
        return objective(runs, self.plan.model)

    def _fail_dead(self) -> None:
        """Let the attempts of dead workers fail: their indices are missing then."""
        quietly(fail_stale_trials, self._study)
        now = time.monotonic()
        for trial in self._running():
            # Optuna does not miss a worker that dies between its claim and its first heartbeat.
            unheard = now - self._seen.setdefault(trial.number, now) > self.place.grace
            untold = trial.number == self._mine and self._database.holds(trial)  # the storage failed then
            if untold or (unheard and "worker" not in trial.user_attrs):
                self._study.tell(trial.number, state=TrialState.FAIL)

    def _take_up(self, begun: Sequence[tuple[Claim, Runs | None]]) -> None:
        for trial in self._running():
            if trial.user_attrs.get("worker", trial.user_attrs.get("owner")) == self.owner:
                self._study.tell(trial.number, state=TrialState.FAIL)
        alive = self._alive()
        for claim, runs in begun:
            if claim.index not in alive:
                self._enqueue(claim, runs)

    def _enqueue(self, claim: Claim, runs: Runs | None = None) -> None:
        """Let a trial wait for a worker, who has nothing to train if it has been finished before."""
        ended = {} if runs is None else {"runs": runs}
        self._study.enqueue_trial(claim.values, {"index": claim.index, "owner": self.owner, **ended})

    def _values_of(self, index: int) -> Values:
        """Return a trial's values, {} if they have not all been chosen yet."""
        if self.plan.points is not None:
            return self.plan.points[index]
        trials = self._study.get_trials(deepcopy=False)
        tried = [trial.params for trial in trials if trial.user_attrs.get("index") == index]
        return next((values for values in tried if len(values) == len(self.plan.factors)), {})

    def _alive(self) -> dict[int, FrozenTrial]:
        """Return for each index the first attempt that has not failed."""
        trials = [t for t in self._study.get_trials(deepcopy=False) if t.state != TrialState.FAIL]
        return {t.user_attrs["index"]: t for t in reversed(trials) if "index" in t.user_attrs}

    def _running(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def _patiently(self, use: Callable[[], R]) -> R:
        """Use the storage, and again while it fails, until it counts as lost."""
        failures = 0
        while True:
            try:
                return use()
            except Exception as error:  # each storage has its own kinds of errors
                failures += 1
                if failures == MOST_FAILURES or self._database.silent:
                    told = f"the storage {self.place.shown} cannot be used any more: {self.place.told(error)}"
                    raise StorageLost(told) from error
            time.sleep(self.place.grace / 2 / MOST_FAILURES)


class _Left(BaseException):
    """Leaves an attempt running, to be taken up again: what ends with an `Exception` has failed to Optuna."""


class _Surplus(Exception):
    """Another attempt has the same index."""


def _suggest(trial: Trial, name: str, allowed: Sequence[Value] | Range) -> Value:
    if not isinstance(allowed, Range):
        return trial.suggest_categorical(name, list(allowed))
    low, high, log, step = dataclasses.astuple(allowed)
    if isinstance(low, int):
        return trial.suggest_int(name, low, high, log=log, step=step or 1)
    return trial.suggest_float(name, low, high, log=log, step=step)
