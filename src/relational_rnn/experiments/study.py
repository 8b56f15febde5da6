"""A search that several workers share, on one machine or on many: they meet in a study of Optuna's.

A worker claims a trial, beats while it trains, and tells the scores. A trial whose worker no longer beats is
returned: it counts as failed, and another worker takes its values. Needs Optuna: `pip install
"relational-rnn[sweep]"`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from relational_rnn.analysis.variants import Value
from relational_rnn.experiments.factors import Range
from relational_rnn.training.files import find_target
from relational_rnn.training.processes import RunFailed

Values = dict[str, Value]

BEATS = 6
"""Beats in the time after which a worker that does not beat counts as dead."""


class StorageLost(RunFailed):
    """The storage of a study cannot be used any more."""


class Place(NamedTuple):
    """Where a study is."""

    storage: str
    """Path of a journal file, or URL of a database."""
    name: str
    """Of the study in it."""
    grace: float = 120.0
    """Seconds without a beat after which a trial is returned; half of them without the storage, and it
    counts as lost."""

    @property
    def shown(self) -> str:
        """The storage as it may be shown: without a password."""
        if "://" not in self.storage:
            return self.storage
        scheme, _, rest = self.storage.partition("://")
        user, at, host = rest.rpartition("@")
        return f"{scheme}://{user.partition(':')[0]}{at}{host}"


class Plan(NamedTuple):
    """What a study looks for; all its workers have the same."""

    experiment: dict[str, Any]
    """What the trials are trials of, as JSON takes it: two studies with the same can share their trials."""
    factors: Mapping[str, Sequence[Value] | Range]
    trials: int
    """How many."""
    points: Sequence[Values] | None = None
    """The values of each trial; None to search for good ones."""
    seed: int = 0
    """Of the search."""


class Claim(NamedTuple):
    """A trial that this worker trains."""

    number: int
    token: str
    """Tells the trial from those of other studies."""
    values: Values


P = ParamSpec("P")
R = TypeVar("R")


def _of_storage(method: Callable[Concatenate[SharedStudy, P], R]) -> Callable[Concatenate[SharedStudy, P], R]:
    """Let a method try again while the storage fails, and say that it is lost when it fails for too long."""

    @functools.wraps(method)
    def patient(self: SharedStudy, /, *args: P.args, **options: P.kwargs) -> R:
        end = time.monotonic() + self.place.grace / 2
        while True:
            try:
                self._check_journal()
                return method(self, *args, **options)
            except (StorageLost, UpdateFinishedTrialError):
                raise
            except Exception as error:  # each storage has its own kinds of errors
                if time.monotonic() > end:
                    told = f"the storage {self.place.shown} cannot be used any more: {_told(error)}"
                    raise StorageLost(told) from error
            time.sleep(self.place.grace / 20)

    return patient


class SharedStudy:
    """A worker's door to a study.

    Args:
        place: where it is.
        plan: what it looks for; the first worker writes it down.

    Raises:
        ValueError: there is no such storage, it cannot be read, or the study there has another plan.
    """

    def __init__(self, place: Place, plan: Plan) -> None:
        self.place, self.plan = place, plan
        self._seen: dict[int, tuple[int, float]] = {}
        self._mine: set[int] = set()
        self._journal: int | None = None
        self._size = 0
        self._distributions = {name: _distribution(allowed) for name, allowed in plan.factors.items()}
        self._study = self._open()

    @_of_storage
    def claim(self) -> Claim | None:
        """Take a trial that nobody has; None if there is none to take now."""
        while True:
            trials = self._trials()
            if self.plan.points is not None:
                self._enqueue_missing(trials)
                trials = self._trials()
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            if not waiting and len(trials) >= self.plan.trials:
                return None
            trial = self._study.ask()
            before = [other for other in self._trials() if other.number < trial.number]
            if not self._wanted(trial, before):  # another worker was quicker
                self._study.tell(trial, state=TrialState.FAIL)
                continue
            values = self._suggest(trial)
            same = next((t for t in before if t.params == values and t.state == TrialState.COMPLETE), None)
            if same is not None:  # a search may come back to where it was
                trial.set_user_attr("runs", same.user_attrs["runs"])
                self._study.tell(trial, same.value)
                continue
            token = os.urandom(4).hex()
            trial.set_user_attr("token", token)
            self._mine.add(trial.number)
            return Claim(trial.number, token, values)

    @_of_storage
    def states(self, tokens: Sequence[str]) -> dict[str, tuple[int, str]]:
        """Return number and state of the trials with these tokens, as far as the study has them."""
        found = {t.user_attrs.get("token"): t for t in self._study.get_trials(deepcopy=False)}
        return {token: (found[token].number, found[token].state.name) for token in tokens if token in found}

    @_of_storage
    def add(self, values: Values, token: str, runs: list[dict[str, Any]], value: float) -> None:
        """Put a trial into the study that was finished while the study was not there."""
        attributes: dict[str, Any] = {"token": token, "runs": runs}
        if self.plan.points is not None:
            attributes["point"] = list(self.plan.points).index(values)
        self._study.add_trial(
            create_trial(params=values, distributions=self._distributions, value=value, user_attrs=attributes)
        )

    @_of_storage
    def tell(self, claim: Claim, runs: list[dict[str, Any]], value: float) -> None:
        """Write down what a trial came to; a trial that was returned meanwhile stays so."""
        try:
            self._trial(claim.number).set_user_attr("runs", runs)
            self._study.tell(claim.number, value, skip_if_finished=True)
        except UpdateFinishedTrialError:
            return

    @_of_storage
    def return_dead(self) -> None:
        """Return the trials of workers that have not beaten for the time of grace.

        What is watched is the count of the beats, not a clock, which another machine may have set otherwise.
        """
        now = time.monotonic()
        for trial in self._trials():
            if trial.state != TrialState.RUNNING or trial.number in self._mine:
                continue
            beat = int(trial.user_attrs.get("beat", 0))
            last, since = self._seen.get(trial.number, (-1, now))
            if beat != last:
                self._seen[trial.number] = (beat, now)
            elif now - since > self.place.grace:
                try:
                    self._study.tell(trial.number, state=TrialState.FAIL)
                except (ValueError, UpdateFinishedTrialError):  # it has ended, or another returned it
                    continue
                if self.plan.points is None and trial.params.keys() == self.plan.factors.keys():
                    self._study.enqueue_trial(trial.params)

    @_of_storage
    def finished(self) -> list[dict[str, Any]]:
        """Return the finished trials in the order of their numbers: number, token, values and runs."""
        found: dict[int, dict[str, Any]] = {}
        for trial in self._trials():
            if trial.state == TrialState.COMPLETE:
                told = {"number": trial.number, "token": trial.user_attrs.get("token")}
                told |= {"values": trial.params, "runs": trial.user_attrs["runs"]}
                found.setdefault(trial.user_attrs.get("point", -trial.number - 1), told)
        return list(found.values())[: self.plan.trials]

    def beating(self, claim: Claim) -> Heartbeat:
        """Return what beats for a trial while it is entered."""
        self._mine.add(claim.number)

        @_of_storage
        def beat(self: SharedStudy, count: int) -> None:
            self._trial(claim.number).set_user_attr("beat", count)

        return Heartbeat(functools.partial(beat, self), self.place.grace)

    def _wanted(self, trial: Trial, before: Sequence[FrozenTrial]) -> bool:
        """Say whether a trial is among those that the plan asks for."""
        if self.plan.points is None:
            return len(before) < self.plan.trials
        point = trial.user_attrs.get("point")
        return point is not None and all(other.user_attrs.get("point") != point for other in before)

    def _enqueue_missing(self, trials: Sequence[FrozenTrial]) -> None:
        there = {trial.user_attrs.get("point") for trial in trials}
        for number, values in enumerate(self.plan.points or ()):
            if number not in there:
                self._study.enqueue_trial(values, user_attrs={"point": number})

    def _suggest(self, trial: Trial) -> Values:
        # The number is the trial's alone, so no two workers draw the same, and one worker repeats itself.
        words = np.random.SeedSequence([self.plan.seed, trial.number]).generate_state(1)
        self._study.sampler = TPESampler(seed=int(words[0]))
        return {name: _suggest(trial, name, found) for name, found in self._distributions.items()}

    def _trials(self) -> list[FrozenTrial]:
        """Return all trials but the failed ones, in the order of their numbers."""
        trials = self._study.get_trials(deepcopy=False)
        return sorted((t for t in trials if t.state != TrialState.FAIL), key=lambda trial: trial.number)

    def _trial(self, number: int) -> Trial:
        frozen = next(t for t in self._study.get_trials(deepcopy=False) if t.number == number)
        return Trial(self._study, frozen._trial_id)  # which is what `Study.ask` does

    def _open(self) -> Study:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            study = optuna.create_study(
                storage=self._open_storage(),
                study_name=self.place.name,
                direction="maximize",
                load_if_exists=True,
            )
            plan = json.loads(json.dumps(self.plan.experiment))
            if "plan" not in study.user_attrs:
                study.set_user_attr("plan", plan)
            there = dict(study.user_attrs["plan"])
        except Exception as error:  # each storage has its own kinds of errors
            raise ValueError(
                f"{self.place.shown} cannot be used as the storage of a study: {_told(error)}"
            ) from None
        if there != plan:
            changed = [name for name in plan if there.get(name) != plan[name]]
            told = "; ".join(f"{name}: {there.get(name)!r} there, {plan[name]!r} now" for name in changed)
            raise ValueError(
                f"{self.place.shown} has a study {self.place.name!r} with another plan ({told}); "
                "name another with --study"
            )
        self._hold_journal()
        return study

    def _open_storage(self) -> BaseStorage:
        if "://" in self.place.storage:
            return RDBStorage(self.place.storage)

        path = self.place.storage
        if not Path(path).parent.is_dir():
            raise ValueError(f"there is no folder {Path(path).parent}")
        find_target(Path(path))  # opening a FIFO would wait for ever
        lock = JournalFileOpenLock(path) if os.name == "nt" else None  # a link there takes a privilege
        return JournalStorage(JournalFileBackend(path, lock_obj=lock))

    def _hold_journal(self) -> None:
        """Keep the journal open: as long as it is, no other file has its number."""
        if "://" not in self.place.storage:
            self._journal = os.open(self.place.storage, os.O_RDONLY)
            weakref.finalize(self, os.close, self._journal)

    def _check_journal(self) -> None:
        """Notice a journal that was taken away or replaced: Optuna would write on into an empty one."""
        if self._journal is not None:
            held, found = os.fstat(self._journal), os.stat(self.place.storage)
            if held.st_ino != found.st_ino or found.st_size < self._size:
                raise StorageLost(f"the storage {self.place.shown} is no longer the file that it was")
            self._size = found.st_size


class Heartbeat:
    """Beats in a thread of its own while it is entered, and notices when there is no more reason to train.

    Args:
        beat: writes down a count; `UpdateFinishedTrialError` says that the trial was returned.
        grace: seconds; there are `BEATS` in them.
    """

    def __init__(self, beat: Callable[[int], None], grace: float) -> None:
        self._beat, self._pause = beat, grace / BEATS
        self._ended = threading.Event()
        self.lost: StorageLost | None = None
        """Set when the storage was lost."""
        self.returned = False
        """Whether the trial was given to another worker, as to one who does not beat."""

    def __enter__(self) -> Heartbeat:
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    @property
    def in_vain(self) -> bool:
        """Whether to stop training."""
        return self.returned or self.lost is not None

    def _run(self) -> None:
        count = time.time_ns()  # a trial that is taken up again goes on beating where it had not been yet
        while not self._ended.is_set() and not self.in_vain:
            count += 1
            try:
                self._beat(count)
            except UpdateFinishedTrialError:
                self.returned = True
            except StorageLost as error:
                self.lost = error
            self._ended.wait(self._pause)


def _distribution(allowed: Sequence[Value] | Range) -> BaseDistribution:
    """Return a factor's values as Optuna takes them."""
    if not isinstance(allowed, Range):
        return CategoricalDistribution(list(allowed))
    low, high, log, step = dataclasses.astuple(allowed)
    if isinstance(low, int):
        return IntDistribution(low, high, log=log, step=step or 1)
    return FloatDistribution(low, high, log=log, step=step)


def _suggest(trial: Trial, name: str, among: BaseDistribution) -> Value:
    if isinstance(among, CategoricalDistribution):
        return trial.suggest_categorical(name, among.choices)
    if isinstance(among, IntDistribution):
        return trial.suggest_int(name, among.low, among.high, log=among.log, step=among.step)
    assert isinstance(among, FloatDistribution)
    return trial.suggest_float(name, among.low, among.high, log=among.log, step=among.step)


def _told(error: Exception) -> str:
    """Return the first line of an error, or its kind if it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
