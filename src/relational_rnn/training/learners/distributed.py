"""A team of processes in torch: gloo between processors, NCCL between GPUs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from relational_rnn.training.config import RunConfig
from relational_rnn.training.place import Place
from relational_rnn.training.processes import RunFailed, asked_to_stop
from relational_rnn.training.run import train_one
from relational_rnn.training.run_folder import RunFolder

T = TypeVar("T")

LOST: Final = ("gloo/transport", "Connection closed by peer", "Connection reset by peer", "Broken pipe")
"""In an error of torch, what says that another process is gone."""


class Job(NamedTuple):
    """A training that a team does next."""

    config: RunConfig
    folder: Path
    name: str


class Processes:
    """The processes that torchrun started, as a `training.distributed.Team`.

    Args:
        place: of this one.
    """

    def __init__(self, place: Place) -> None:
        self.rank, self.size = place.rank, place.size
        self.working = False
        """Whether the others are in the middle of a training."""
        if torch.cuda.is_available() and place.local_rank < torch.cuda.device_count():
            torch.cuda.set_device(place.local_rank)

    @contextmanager
    def training(self, config: RunConfig, folder: Path, name: str) -> Iterator[None]:
        """Let the others train too, inside this; see `Team`."""
        dist.broadcast_object_list([Job(config, folder.absolute(), name)])
        self.working = True
        with lost_in_words():
            yield
        self.working = False

    def end(self) -> None:
        """Tell the others that there is nothing left to do."""
        dist.broadcast_object_list([None])

    def next(self) -> Job | None:
        """Return what comes next, None for the end."""
        told: list[Job | None] = [None]
        dist.broadcast_object_list(told)
        return told[0]

    def now(self) -> float:
        """Return the leader's clock in seconds."""
        clock = torch.tensor([time.perf_counter()], dtype=torch.float64)
        dist.broadcast(clock, 0)
        return clock.item()

    def any(self, flag: bool) -> bool:
        """Say whether one of them says so."""
        return self.total((float(flag),))[0] > 0

    def check_same(self, step: int, folder: Path) -> None:
        """Check that all stand at the same step; see `Team`."""
        if self.total((float(step),))[0] != step * self.size:
            raise ValueError(
                f"the processes do not all see what is in {folder}: all machines need the same folder there, "
                "on a file system that they share"
            )

    def rows(self, count: int) -> slice:
        """Return which of so many streams are this process's: as even parts as there can be."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def whole(self, part: T, axis: int) -> T:
        """Return a tensor of all streams."""
        own = cast(Tensor, part).contiguous()
        parts = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(parts, own)
        return cast(T, torch.cat(parts, axis))

    def mean(self, value: T) -> T:
        """Return the mean of a tensor."""
        total = cast(Tensor, value).clone()
        dist.all_reduce(total)
        return cast(T, total / self.size)

    def total(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Return the sums of numbers."""
        sums = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(sums)
        return tuple(sums.tolist())

    def shared(self, module: T, *, some_unused: bool) -> T:
        """Return a module whose gradients are averaged."""
        own = cast(torch.nn.Module, module)
        parallel = DistributedDataParallel(own, find_unused_parameters=some_unused)
        return cast(T, parallel)

    def alone(self, module: object) -> contextlib.AbstractContextManager[None]:
        """Let its gradients add up."""
        return cast(DistributedDataParallel, module).no_sync()


@contextmanager
def joined(place: Place) -> Iterator[Processes]:
    """Meet the other processes; inside this they are a team.

    Args:
        place: of this one.

    Raises:
        RunFailed: another one is gone.
    """
    with lost_in_words():
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    team = Processes(place)
    try:
        yield team
    finally:
        if not team.working:
            with contextlib.suppress(RuntimeError):  # they are gone already
                if team.rank == 0:
                    team.end()
                dist.destroy_process_group()


def follow(place: Place) -> None:
    """Train what the leader says until it says no more.

    Raises:
        RunFailed: another process is gone.
    """
    with joined(place) as team, asked_to_stop() as stopped, lost_in_words():
        while (job := team.next()) is not None:
            train_one(job.config, RunFolder(job.folder), job.name, lambda record: None, stopped, team)
            team.any(stopped())  # which the leader asks too; it says what comes then


@contextmanager
def lost_in_words() -> Iterator[None]:
    """Say in a sentence that another process is gone.

    Raises:
        RunFailed: it is.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or any(word in str(error) for word in LOST):
            raise RunFailed("another process of this training is gone, or cannot be reached") from error
        raise
