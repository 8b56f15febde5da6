"""A search: workers that claim the trials of a shared study and train them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from relational_rnn.config.checks import BadFile
from relational_rnn.config.paths import check_file
from relational_rnn.experiments.factors import variant
from relational_rnn.experiments.many import Job, jobs_of, read_scores, train_job
from relational_rnn.experiments.storage import Place
from relational_rnn.experiments.study import Claim, Plan, Runs, SharedStudy, StorageLost
from relational_rnn.training.config import RunConfig
from relational_rnn.training.decode import decode
from relational_rnn.training.files import read_object, write_json, write_text
from relational_rnn.training.processes import Record, RunFailed, train_side_by_side
from relational_rnn.training.run import Report, Stopped
from relational_rnn.training.run_folder import RunFolder


class Search(NamedTuple):
    """What a worker has to know; it can be pickled."""

    config: RunConfig
    """The base."""
    place: Place
    plan: Plan
    folder: Path
    """Where the trials of this command go; other commands have others."""

    def jobs(self, claim: Claim) -> list[Job]:
        """Return the runs of a trial, one for each seed."""
        changed = variant(self.config, claim.values)._replace(name=f"trial {claim.index}")
        return jobs_of(changed, self.path(claim))

    def path(self, claim: Claim) -> Path:
        """Return the folder of a trial: whoever tries it again in this command goes on there."""
        told = json.dumps(claim.values, sort_keys=True)
        readable = re.sub(r"[^A-Za-z0-9.,=+_-]", "_", variant(self.config, claim.values).name)[:80]
        return self.folder / f"{claim.index:04d}-{readable}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def train_trials(search: Search, workers: int, show: Callable[[str, Record], None]) -> SharedStudy:
    """Train until the study has all its trials; several commands may do so at the same time.

    Args:
        search: what to train.
        workers: of this command, each a process.
        show: gets every record with the name of the worker; its `label` says of which run it is.

    Returns:
        The study, with all its trials.

    Raises:
        BadFile: what is known of a trial that was begun is damaged.
        RunFailed: a training failed, or the storage was lost; what is finished is in the folder.
        Interrupted: stopped; everything is saved.
    """
    search.folder.mkdir(exist_ok=True)
    named = search.folder / "owner"
    if not named.exists():
        write_text(named, uuid.uuid4().hex)
    owner = check_file(named).read_text(encoding="utf-8")
    study = SharedStudy(search.place, search.plan, owner, create=False)
    study.take_up(_begun(search))
    names = [f"worker {number}" for number in range(min(workers, search.plan.trials))]
    lost: list[str] = []

    def note(name: str, record: Record) -> None:
        if "lost" in record:
            lost.append(record["lost"])
        else:
            show(name, record)

    train_side_by_side(names, functools.partial(_work, search, owner), workers=len(names), show=note)
    if lost:
        raise RunFailed(f"{lost[0]}\nThe trials finished here are in {search.folder}; none of them is lost.")
    return study


def _begun(search: Search) -> list[tuple[Claim, Runs | None]]:
    """Return the trials that this command has begun, the finished ones with their runs."""
    found: list[tuple[Claim, Runs | None]] = []
    for path in sorted(search.folder.glob("*/trial.json")):
        claim = _read_claim(path)
        jobs = search.jobs(claim)
        ended = all(RunFolder(job.path).results.exists() for job in jobs)
        found.append((claim, [read_scores(job) for job in jobs] if ended else None))
    return found


def _read_claim(path: Path) -> Claim:
    remedy = f"remove {path.parent}: its trial then starts anew"
    values = read_object(path, remedy)
    try:
        return decode(Claim, values, "the trial")
    except ValueError as error:
        raise BadFile(path, f"is damaged: {error}", remedy) from None


def _work(search: Search, owner: str, name: str, report: Report, stopped: Stopped) -> None:
    """Train trials in this process until there are enough."""
    try:
        study = SharedStudy(search.place, search.plan, owner, create=False)
        study.work(functools.partial(_train, search, report), stopped)
    except StorageLost as error:
        report({"lost": str(error)})


def _train(search: Search, report: Report, claim: Claim, stopped: Stopped) -> Runs | None:
    """Train a trial with every seed; return its runs, None if it was stopped before its end."""
    search.path(claim).mkdir(parents=True, exist_ok=True)
    write_json(search.path(claim) / "trial.json", dataclasses.asdict(claim))
    runs = []
    for job in search.jobs(claim):

        def tell(record: Record, label: str = job.label) -> None:
            report({"label": label, **record})

        ended = train_job(job, tell, stopped)
        if ended is None:
            return None
        tell(ended)
        runs.append(ended)
    return runs
