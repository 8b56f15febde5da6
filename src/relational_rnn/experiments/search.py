"""A search: workers that claim the trials of a shared study, train them and tell what they came to."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from relational_rnn.analysis.variants import objective
from relational_rnn.experiments.factors import variant
from relational_rnn.experiments.many import (
    Job,
    jobs_of,
    read_scores,
    train_job,
)
from relational_rnn.experiments.study import Claim, Place, Plan, SharedStudy, StorageLost
from relational_rnn.training.config import RunConfig
from relational_rnn.training.files import read_json, write_json
from relational_rnn.training.processes import (
    Record,
    RunFailed,
    train_side_by_side,
)
from relational_rnn.training.run import Report, Stopped
from relational_rnn.training.run_folder import RunFolder


class Search(NamedTuple):
    """What a worker has to know; it can be pickled."""

    config: RunConfig[Any]
    """The base."""
    model: str
    """Whose validation accuracy counts."""
    place: Place
    plan: Plan
    folder: Path
    """Where the trials of this command go; other workers have others."""

    def jobs(self, claim: Claim) -> list[Job]:
        """Return the runs of a trial, one for each seed."""
        changed = variant(self.config, claim.values)._replace(name=f"trial {claim.number}")
        return jobs_of(changed, self.path(claim))

    def path(self, claim: Claim) -> Path:
        """Return the folder of a trial; its token keeps the trials of two studies apart."""
        return self.folder / f"{claim.number:04d}-{claim.token}"


def train_trials(search: Search, workers: int, show: Callable[[str, Record], None]) -> SharedStudy:
    """Train until the study has all its trials; several commands may do so at the same time.

    Args:
        search: what to train.
        workers: of this command, each a process.
        show: gets every record with the name of the worker; its `label` says of which run it is.

    Returns:
        The study, with all its trials.

    Raises:
        ValueError: the study cannot be opened.
        RunFailed: a training failed, or the storage was lost; what is finished is in the folder.
        Interrupted: stopped; everything is saved.
    """
    study = SharedStudy(search.place, search.plan)
    mine = _take_up(search, study)
    count = min(workers, search.plan.trials)
    names = [f"worker {number}" for number in range(count)]
    claims = {name: mine[number::count] for number, name in enumerate(names)}
    lost: list[str] = []

    def note(name: str, record: Record) -> None:
        if "lost" in record:
            lost.append(record["lost"])
        else:
            show(name, record)

    train_side_by_side(names, functools.partial(_work, search, claims), workers=count, show=note)
    if lost:
        raise RunFailed(f"{lost[0]}\nThe trials finished here are in {search.folder}; none of them is lost.")
    return study


def _take_up(search: Search, study: SharedStudy) -> list[Claim]:
    """Return the trials that this command had begun; what the study has lost of the finished is put back."""
    claims = [Claim(**read_json(path)) for path in sorted(search.folder.glob("*/trial.json"))]
    states = study.states([claim.token for claim in claims])
    for claim in claims:
        jobs = search.jobs(claim)
        if claim.token not in states and all(RunFolder(job.path).results.exists() for job in jobs):
            runs = [read_scores(job) for job in jobs]
            study.add(claim.values, claim.token, runs, objective(runs, search.model))
    return [claim for claim in claims if states.get(claim.token) == (claim.number, "RUNNING")]


def _work(
    search: Search, claims: dict[str, list[Claim]], name: str, report: Report, stopped: Stopped
) -> None:
    """Train trials in this process until there are enough."""
    mine = list(claims[name])
    try:
        study = SharedStudy(search.place, search.plan)
    except ValueError as error:  # it was there a moment ago
        report({"lost": str(error)})
        return
    try:
        while not stopped():
            study.return_dead()
            claim = mine.pop(0) if mine else study.claim()
            if claim is not None:
                _train_trial(search, study, claim, report, stopped)
            elif len(study.finished()) >= search.plan.trials:
                return
            else:  # others train the last ones, and may die
                time.sleep(min(2.0, search.place.grace / 10))
    except StorageLost as error:
        report({"lost": str(error)})


def _train_trial(search: Search, study: SharedStudy, claim: Claim, report: Report, stopped: Stopped) -> None:
    """Train a trial with every seed and tell the study."""
    search.path(claim).mkdir(parents=True, exist_ok=True)
    write_json(search.path(claim) / "trial.json", claim._asdict())
    runs = []
    with study.beating(claim) as heart:
        for job in search.jobs(claim):

            def tell(record: Record, label: str = job.label) -> None:
                report({"label": label, **record})

            ended = train_job(job, tell, lambda: stopped() or heart.in_vain)
            if ended is None:
                break
            tell(ended)
            runs.append(ended)
        else:
            if not heart.in_vain:
                study.tell(claim, runs, objective(runs, search.model))
    if heart.lost is not None:
        raise heart.lost
